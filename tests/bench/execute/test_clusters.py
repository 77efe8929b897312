"""One spec on every executor, with nodes and jobs that are lost on the way: the same rows to the last digest."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import chores
import numpy as np
import pandas as pd
import pytest
import random_weights
from asasr_bench import open_store
from asasr_bench.bench.execute import run as runner
from asasr_bench.bench.execute.executors.executor import ExecutorError, WorkerDied, entered, never
from asasr_bench.bench.execute.executors.ray_actors import RayActors, RayOptions
from asasr_bench.bench.execute.executors.slurm_jobs import PartOfWork, SlurmJobs
from asasr_bench.bench.execute.run import run
from asasr_bench.bench.execute.worker import StoreWorker
from asasr_bench.bench.plan.jobs import Job, Task
from asasr_bench.bench.spec import SpecError, parse_spec
from asasr_bench.datasets.images import write_png
from asasr_bench.methods.reference import MethodReference
from ledger import ledger_rows

IMAGES = 5


@pytest.fixture
def hr(tmp_path: Path, photo: np.ndarray) -> Path:
    for number in range(IMAGES):
        write_png(tmp_path / "hr" / f"image{number}.png", np.ascontiguousarray(photo[20 * number :][:64, :64]))
    return tmp_path / "hr"


def run_spec(hr: Path, store: Path, progress: Callable[[str, int, int], None] | None = None, **more: Any) -> Path:
    """Interpolation, a network, and a metric that stores arrays beside its values."""
    text = (
        f"name: everywhere\nprotocol: asasr\ndatasets: ['D={hr}']\nmethods: [bicubic, lanczos, compact-gan]\n"
        "metrics: [psnr_y, ssim_y, lsd, fsim]\ndevice: cpu\n"
    )
    summary = run(parse_spec(text, origin="test", overrides=more), store, progress=progress)
    assert summary.complete
    assert summary.measured == IMAGES * len(more.get("methods", "123")) * len(more.get("metrics", "1234"))
    return store


def rows(store: Path) -> tuple[pd.DataFrame, list[tuple[Any, bytes]]]:
    """Places, digests, keys and values of all cells, and the arrays beside them; not who measured them, nor when."""
    with open_store(store) as opened:
        cells = pd.DataFrame(list(ledger_rows(opened)))
        arrays = [(place, payload.tobytes()) for place, payload in opened.payloads("lsd")]
        for digest in opened.outputs()["sr"].dropna():
            opened.objects.get(digest)  # is there, and has these pixels
    return cells, arrays


def assert_equal(first: Path, second: Path) -> None:
    (ours, our_arrays), (theirs, their_arrays) = rows(first), rows(second)
    pd.testing.assert_frame_equal(ours, theirs, check_exact=True)
    assert our_arrays == their_arrays
    assert len(ours) == IMAGES * 3 * 4


@pytest.fixture(autouse=True)
def _chores_for_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs of submitit find modules as any new process does."""
    path = [str(Path(chores.__file__).parent), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path).strip(os.pathsep))


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A Ray cluster of a head without cores and two nodes with one core each, all processes of this machine."""
    monkeypatch.setenv("RAY_worker_niceness", "0")  # else a busy machine starves them
    ray = pytest.importorskip("ray", reason="ray is not installed")
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    try:
        ray.init(address=made.address, log_to_driver=False, logging_level="ERROR")
        made.workers = [made.add_node(num_cpus=1) for _ in range(2)]
        yield made
    finally:
        ray.shutdown()
        made.shutdown()


class Elsewhere:
    """Does every job after a journey by pickle, in a worker that keeps what it has loaded."""

    def __init__(self, *, shares_files: bool) -> None:
        self.shares_files = shares_files
        self.journeys = 0

    def map(
        self, function: Any, items: Sequence[Any], stop: Callable[[], bool] = never, limits: Any = None
    ) -> Generator[Any, None, None]:
        with entered(travel(function)) as arrived:
            for item in items:
                yield item, travel(arrived(travel(item)))
                self.journeys += 1


def travel(what: Any) -> Any:
    return pickle.loads(pickle.dumps(what))


def test_a_ray_that_does_not_start_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a slow machine Ray raises Exception itself."""
    ray = pytest.importorskip("ray", reason="ray is not installed")

    def slow(**_: Any) -> None:
        raise Exception("The current node timed out during startup.")

    monkeypatch.setattr(ray, "init", slow)
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with pytest.raises(ExecutorError, match=r"Ray does not start.*timed out during startup.*less busy"):
        list(RayActors(1, "cpu", RayOptions()).map(chores.square, [1]))
    with pytest.raises(ExecutorError, match=r"Ray cluster here:1 cannot be reached"):
        list(RayActors(1, "cpu", RayOptions(address="here:1")).map(chores.square, [1]))


@pytest.mark.parametrize("shares_files", [True, False])
def test_a_journey_changes_no_row(
    hr: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shares_files: bool
) -> None:
    """With a metric of a network, and an image that cannot be restored."""
    (tmp_path / "weights").mkdir()
    monkeypatch.setenv("ASASR_BENCH_WEIGHTS", str(tmp_path / "weights"))
    random_weights.place(("alexnet", "lpips-alex"), tmp_path / "weights", monkeypatch)
    (tmp_path / "finished").mkdir()
    for path in sorted(hr.iterdir()):
        write_png(tmp_path / "finished" / path.name, np.zeros((64, 60 if "3" in path.name else 64, 3), np.uint8))
    text = (
        f"name: journey\nprotocol: asasr\ndatasets: ['D={hr}']\n"
        f"methods: [bicubic, 'F=predictions:{tmp_path}/finished']\n"
        "metrics: [psnr_y, lpips_alex, lsd]\ndevice: cpu\n"
    )
    spec = parse_spec(text, origin="test")
    plain = run(spec, tmp_path / "plain")
    elsewhere = Elsewhere(shares_files=shares_files)
    monkeypatch.setattr(runner, "choose", lambda spec, store: nullcontext(elsewhere))
    assert run(spec, tmp_path / "journey") == plain
    assert elsewhere.journeys == (3 if shares_files else 2) * IMAGES  # to be prepared, and restored by two methods
    assert plain.failed == 3
    ours, theirs = rows(tmp_path / "plain"), rows(tmp_path / "journey")
    pd.testing.assert_frame_equal(ours[0], theirs[0], check_exact=True)
    assert ours[1] == theirs[1]


def test_a_worker_with_another_method_than_planned_refuses(hr: Path, tmp_path: Path) -> None:
    with open_store(run_spec(hr, tmp_path / "s", methods=["bicubic"], metrics=["psnr_y"]), write=True) as store:
        output = store.outputs().iloc[0]
        task = Task(output["image"], output["lq"], output["reference"], output["restoration"], None, ("psnr_y",))
        job = Job("D", "bicubic", MethodReference(id="bicubic"), "asasr", 4, 0, output["lq_rule"], (task,))
        with StoreWorker("cpu", 1, store.objects) as worker:
            (as_planned,) = worker(job)
            (refused,) = worker(replace(job, method=MethodReference(id="lanczos")))
    assert (as_planned.status, as_planned.sr) == ("done", output["sr"])
    assert refused.status == "failed"
    assert "other weights, code or files of bicubic than this run was planned with" in refused.message


@pytest.mark.slow
def test_every_executor_gives_the_same_rows(hr: Path, tmp_path: Path, cluster: Any) -> None:
    one = run_spec(hr, tmp_path / "one", workers=1)
    for workers in (2, 4):
        assert_equal(one, run_spec(hr, tmp_path / f"local{workers}", workers=workers))

    killed = []

    def lose_a_node(stage: str, done: int, total: int) -> None:
        if stage == "restoring and measuring" and done == 3:
            cluster.remove_node(cluster.workers[0], allow_graceful=False)
            killed.append(done)

    assert_equal(one, run_spec(hr, tmp_path / "ray", lose_a_node, executor="ray", workers=2))
    assert killed == [3]

    pytest.importorskip("submitit", reason="submitit is not installed")
    here = {"engine": "local", "timeout_min": 30}
    assert_equal(one, run_spec(hr, tmp_path / "slurm", executor="slurm", workers=2, cluster=here))


OWN = """
from asasr_bench.methods.interface import MethodCard
from gain import GAIN
class Net:
    card = MethodCard("net", "regression", "Repeats pixels, darker")
    weight_files = ()
    def restore(self, lq, scale, seeds):
        return GAIN * lq.repeat_interleave(scale, -1).repeat_interleave(scale, -2)
"""


@pytest.mark.slow
def test_code_of_the_working_folder_is_the_same_everywhere(
    hr: Path, tmp_path: Path, cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "own_net.py").write_text(OWN)
    (tmp_path / "code" / "gain.py").write_text("GAIN = 0.9\n")
    monkeypatch.chdir(tmp_path / "code")
    more = {"methods": ["own_net:Net", "file=./own_net.py:Net"], "metrics": ["lsd"], "workers": 2}
    one = rows(run_spec(hr, tmp_path / "one", **{**more, "workers": 1}))
    slurm = {"executor": "slurm", "cluster": {"engine": "local", "timeout_min": 30}}
    for store, where in (("ray", {"executor": "ray"}), ("local", {}), ("slurm", slurm)):
        other = rows(run_spec(hr, tmp_path / store, **more, **where))
        pd.testing.assert_frame_equal(other[0], one[0], check_exact=True)


@pytest.mark.slow
def test_ray_shares_a_folder_where_there_is_one(hr: Path, tmp_path: Path, cluster: Any) -> None:
    one = run_spec(hr, tmp_path / "one", workers=1)
    assert_equal(one, run_spec(hr, tmp_path / "ray", executor="ray", cluster={"shared": True}))


@pytest.mark.slow
def test_ray_names_who_kills_its_worker(cluster: Any) -> None:
    results = dict(RayActors(2, "cpu", RayOptions()).map(chores.killed_by_13, range(10, 16)))
    assert isinstance(results.pop(13), WorkerDied)
    assert results == {number: number**2 for number in (10, 11, 12, 14, 15)}
    with pytest.raises(ValueError, match="13 is refused"):
        list(RayActors(1, "cpu", RayOptions()).map(chores.refuse_13, range(20)))


@pytest.mark.slow
def test_slurm_halves_what_is_lost_and_requeues_what_is_preempted(tmp_path: Path) -> None:
    pytest.importorskip("submitit", reason="submitit is not installed")
    jobs = SlurmJobs(tmp_path / "jobs", 2, {"engine": "local", "timeout_min": 30})
    results = dict(jobs.map(chores.killed_by_13, range(10, 16)))
    died = results.pop(13)
    assert isinstance(died, WorkerDied)
    assert "its job was lost 4 times" in died.message
    assert results == {number: number**2 for number in (10, 11, 12, 14, 15)}

    over = threading.Event()
    preempted = []

    def preempt() -> None:
        while not over.wait(0.05) and len(preempted) < 2:
            begun = {int(path.name.split("-")[2]) for path in tmp_path.glob("begun/3-0-*")}
            for pid in begun:
                os.kill(pid, signal.SIGUSR2)
                preempted.append(pid)
                time.sleep(1)

    (tmp_path / "begun").mkdir()
    thread = threading.Thread(target=preempt)
    thread.start()
    try:
        slow = chores.Noted(tmp_path / "begun")
        again = sorted(SlurmJobs(tmp_path / "jobs", 1, {"engine": "local", "timeout_min": 30}).map(slow, range(8)))
    finally:
        over.set()
        thread.join()
    assert preempted
    assert again == [(number, number**2) for number in range(8)]
    begun = [path.name.split("-")[0] for path in (tmp_path / "begun").iterdir()]
    assert 8 < len(begun) <= 8 + len(preempted)  # what was finished before a preemption is not done again


def test_a_preempted_part_goes_on_where_it_was() -> None:
    part = PartOfWork(chores.refuse_13, [12, 13, 14])
    part.events = part()[:1]
    assert [getattr(event, "result", "failed") for event in part()] == [144, "failed", 196]


@pytest.mark.parametrize("package", ["ray", "submitit"])
def test_a_package_that_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    executor = RayActors(1, "cpu", RayOptions()) if package == "ray" else SlurmJobs(tmp_path, 1, {})
    with pytest.raises(ExecutorError, match=r"pip install 'asasr-bench\[cluster\]'"):
        list(executor.map(chores.square, [1]))


def test_slurm_that_is_not_there_is_told(tmp_path: Path) -> None:
    pytest.importorskip("submitit", reason="submitit is not installed")
    with pytest.raises(ExecutorError, match="Slurm jobs cannot be submitted"):
        list(SlurmJobs(tmp_path, 2, {}).map(chores.square, range(3)))
    with pytest.raises(ExecutorError, match="nonsense"):
        list(SlurmJobs(tmp_path, 2, {"engine": "local", "nonsense": 3}).map(chores.square, range(3)))


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"executor": "ray", "cluster": {"addres": "a"}}, r"cluster: 'addres': unknown key; did you mean 'address'"),
        ({"executor": "dask"}, "'executor': should be 'local', 'ray' or 'slurm'"),
        ({"cluster": {"shared": True}}, "choose one"),
    ],
)
def test_wrong_words_of_a_spec_are_named(hr: Path, tmp_path: Path, more: dict[str, Any], told: str) -> None:
    with pytest.raises(SpecError, match=told):
        run_spec(hr, tmp_path / "s", **more)


def test_wrong_words_about_clusters_get_one_line(hr: Path, tmp_path: Path, command) -> None:
    words = ("run", "classic-x4", "--dataset", f"D={hr}", "--method", "bicubic", "--store", tmp_path / "s")
    for more, told in (
        (("--executor", "ray", "--cluster", "cpus=0"), "'cpus': should be greater than 0, not 0"),
        (("--cluster", "shared"), "write KEY=VALUE"),
        (("--cluster", "shared={"), "--cluster shared: not valid YAML"),
    ):
        stderr = command(*words, *more, status=2).stderr
        assert told in stderr
        assert len(stderr.strip().splitlines()) == 1
