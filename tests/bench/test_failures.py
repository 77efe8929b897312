"""What goes wrong in a method's own code or in a stored file costs its own cells, and says where to look."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import stored
from asasr_bench import open_store
from asasr_bench.bench.execute.dispatch import dispatch
from asasr_bench.bench.execute.executors.executor import WorkerDied
from asasr_bench.bench.execute.run import Summary, run
from asasr_bench.bench.failures import CalledExitError, no_exit, traceback_of
from asasr_bench.bench.plan.jobs import Job, Task
from asasr_bench.bench.spec import parse_spec
from asasr_bench.datasets.images import write_png
from asasr_bench.methods.reference import MethodReference


@pytest.fixture
def hr(tmp_path: Path, rng: np.random.Generator) -> Path:
    for number in range(3):
        write_png(tmp_path / "hr" / f"image{number}.png", rng.integers(0, 256, (32, 32, 3), np.uint8))
    return tmp_path / "hr"


def measured(tmp_path: Path, *methods: Any, **more: Any) -> Summary:
    spec = parse_spec(
        "{name: t, protocol: asasr, metrics: [psnr_y], device: cpu}",
        origin="t",
        overrides={"datasets": [f"D={tmp_path / 'hr'}"], "methods": list(methods), **more},
    )
    return run(spec, tmp_path / "store")


def test_a_traceback_holds_the_users_frames_alone(hr: Path, tmp_path: Path, session: Callable[..., Any]) -> None:
    summary = measured(tmp_path, "misbehaving:Broken", "bicubic")
    assert (summary.measured, summary.failed) == (3, 3)
    with open_store(tmp_path / "store") as store:
        (detail,) = {cell.detail for cell in store.failed_cells()}
    lines = detail.splitlines()
    assert [line.split()[-1] for line in lines if line.startswith("  File")] == ["restore_pixels", "_prepare"]
    assert lines[-1] == "AttributeError: 'numpy.ndarray' object has no attribute 'float'"
    result = session("status", tmp_path / "store", "--failed", traceback=True)
    assert result.out.count("return lq.float()") == 1  # once for all images that it happened to
    assert "image2" in result.out
    result = session("report", tmp_path / "store", "--format", "md,html,csv", "--out", tmp_path / "out")
    assert all("lq.float()" not in path.read_text() for path in (tmp_path / "out").iterdir())


def test_a_log_and_debug_hold_the_traceback(hr: Path, tmp_path: Path, session: Callable[..., Any]) -> None:
    arguments = ("run", "classic-x4", "--dataset", f"D={hr}", "--method", "misbehaving:Broken", "--no-report")
    session(*arguments, "--store", tmp_path / "a", "--log", tmp_path / "log")
    assert "return lq.float()" in (tmp_path / "log").read_text()
    result = session("--debug", *arguments, "--store", tmp_path / "b", traceback=True)
    os.environ.pop("ASASR_BENCH_DEBUG")
    assert result.err.count("return lq.float()") == 1


@pytest.mark.parametrize("workers", [1, 2])
def test_a_method_that_exits_costs_its_own_cells(hr: Path, tmp_path: Path, workers: int) -> None:
    summary = measured(tmp_path, "misbehaving:Exits", "bicubic", workers=workers)
    assert (summary.measured, summary.failed) == (3, 3)
    assert summary.messages[0] == "the code called sys.exit(0)"
    with open_store(tmp_path / "store") as store:
        assert all("sys.exit(0)" in cell.detail for cell in store.failed_cells())


def test_a_method_that_hangs_costs_the_cells_of_its_image(hr: Path, tmp_path: Path) -> None:
    """With one worker as well, which is a process of its own then; jobs of several images are done again one by one."""
    black = np.zeros((32, 32, 3), np.uint8)
    write_png(tmp_path / "hr" / "image1.png", black)
    summary = measured(tmp_path, "misbehaving:Dark", "bicubic", timeout=20)
    assert (summary.measured, summary.failed) == (5, 1)
    assert summary.messages == ("took longer than 20 s; raise 'timeout' or use less",)


def test_a_crash_costs_its_own_image(hr: Path, tmp_path: Path) -> None:
    write_png(tmp_path / "hr" / "image1.png", np.zeros((32, 32, 3), np.uint8))
    summary = measured(tmp_path, {"object": "misbehaving:Dark", "args": {"what": "kill"}}, workers=2)
    assert (summary.measured, summary.failed) == (2, 1)


class FallsOver:
    """An executor whose workers die of image ``b``, and so of every job that holds it."""

    shares_files = True

    def map(self, function: Any, items: Any, stop: Any = None, limits: Any = None) -> Iterator[Any]:
        for job in items:
            images = [task.image for task in job.tasks]
            seconds = limits.seconds(job)
            yield job, WorkerDied(f"{seconds:g} s") if "b" in images else images


def test_a_job_of_several_images_is_done_again_image_by_image() -> None:
    tasks = tuple(Task(image, "", None, "", None, ()) for image in "abc")
    job = Job("D", "net", MethodReference(id="net"), "asasr", 4, 0, "files", tasks)
    spec = SimpleNamespace(device="cpu", threads=1, timeout=7.0, batch=1)
    experiment: Any = SimpleNamespace(spec=spec, methods=())
    store: Any = SimpleNamespace(objects=None)
    results = [
        ([task.image for task in done.tasks], result)
        for done, result in dispatch(
            experiment, FallsOver(), [job, replace(job, tasks=tasks[:1])], store, lambda: False
        )
    ]
    assert results == [(["a"], ["a"]), (["a"], ["a"]), (["b"], WorkerDied("7 s")), (["c"], ["c"])]


def test_a_method_that_ends_every_worker_does_not_end_one_for_each_image(hr: Path, tmp_path: Path) -> None:
    for number in range(3, 8):
        write_png(tmp_path / "hr" / f"image{number}.png", np.full((32, 32, 3), number, np.uint8))
    (tmp_path / "starts").mkdir()
    kills = {"object": "misbehaving:Kills", "args": {"folder": str(tmp_path / "starts")}}
    summary = measured(tmp_path, kills, "bicubic", workers=2)
    assert (summary.measured, summary.failed) == (8, 8)
    assert [message.split()[0] for message in summary.messages] == ["not", "the"]  # tried, and died
    assert len(list((tmp_path / "starts").iterdir())) <= 9


def test_restoring_by_hand_ends_with_an_error(hr: Path, tmp_path: Path, session: Callable[..., Any]) -> None:
    result = session("restore", "misbehaving:Exits", hr, tmp_path / "out")
    assert (result.status, result.err) == (3, "error: the code called sys.exit(0)\n")


def test_an_exit_that_ray_asked_for_is_one() -> None:
    """Its workers answer SIGTERM so, in whatever code they are."""
    scope: dict[str, Any] = {"__name__": "ray._private.utils"}
    exec("def ask(): raise SystemExit(1)", scope)
    with pytest.raises(SystemExit), no_exit():
        scope["ask"]()
    with pytest.raises(CalledExitError, match=r"sys\.exit\(\)"), no_exit():
        raise SystemExit


def test_our_own_errors_have_no_traceback() -> None:
    from asasr_bench.bench.spec import SpecError, load_spec

    with pytest.raises(SpecError) as told:
        load_spec("nowhere")
    assert "test_failures" in traceback_of(told.value)  # the caller is not ours
    told.value.__traceback__ = told.value.__traceback__.tb_next
    assert traceback_of(told.value) == ""


def damage(store: Path, digest: str) -> Path:
    (path,) = (store / "objects").rglob(f"{digest}.*")
    content = bytearray(path.read_bytes())
    content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("workers", [1, 2])
def test_a_damaged_output_is_restored_again(hr: Path, tmp_path: Path, workers: int) -> None:
    measured(tmp_path, "bicubic")
    digest = stored.column(tmp_path / "store", "SELECT sr FROM restorations")[0]
    damage(tmp_path / "store", digest)
    summary = measured(tmp_path, "bicubic", metrics=["psnr_y", "ssim_y"], workers=workers)
    assert (summary.measured, summary.failed) == (3, 0)
    with open_store(tmp_path / "store") as store:
        store.objects.get(digest)


@pytest.mark.parametrize("column", ["lq", "reference"])
def test_a_damaged_input_costs_its_own_cells_and_is_made_again(hr: Path, tmp_path: Path, column: str) -> None:
    measured(tmp_path, "bicubic")
    digest = stored.column(tmp_path / "store", f"SELECT {column} FROM inputs")[0]
    damage(tmp_path / "store", digest)
    summary = measured(tmp_path, "bicubic", "lanczos")
    assert (summary.measured, summary.failed) == (2, 1)
    assert summary.messages[0].startswith("a stored image was damaged or lost; run the same command again")
    summary = measured(tmp_path, "bicubic", "lanczos")
    assert (summary.measured, summary.kept, summary.failed) == (1, 5, 0)
    with open_store(tmp_path / "store") as store:
        store.objects.get(digest)
