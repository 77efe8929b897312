"""One worker: what it reads and resolves once, and what it measures while the next image is restored."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asasr_bench import open_store
from asasr_bench.bench.execute import at_hand
from asasr_bench.bench.execute.beside import Beside
from asasr_bench.bench.execute.run import run
from asasr_bench.bench.metrics import fidelity
from asasr_bench.bench.spec import parse_spec
from asasr_bench.bench.store.images import Objects, StoreError
from asasr_bench.bench.store.records import StoredOutput
from asasr_bench.datasets.images import write_png
from asasr_bench.methods import reference as references

IMAGES = 4
ON_GPU = "cpu:0"
"""The CPU under a name that runs take for that of an accelerator."""


@pytest.fixture
def hr(tmp_path: Path, photo: np.ndarray) -> Path:
    for number in range(IMAGES):
        write_png(tmp_path / "hr" / f"image{number}.png", np.ascontiguousarray(photo[20 * number :][:64, :64]))
    return tmp_path / "hr"


def run_spec(hr: Path, store: Path, device: str = "cpu", **more: Any) -> Path:
    text = f"name: worker\nprotocol: asasr\ndatasets: ['D={hr}']\nmetrics: [psnr_y, lsd]\ndevice: cpu\n"
    spec = parse_spec(text, origin="test", overrides=more)
    summary = run(spec.model_copy(update={"device": device}), store)
    assert summary.failed == 0, summary.messages
    return store


def rows(store: Path) -> list[StoredOutput]:
    """All that is stored but the numbers of the runs that stored it."""
    with open_store(store) as opened:
        return [
            replace(output, run=None, cells=tuple(replace(cell, run=None) for cell in output.cells))
            for output in opened.ledger()
        ]


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each stored image is decoded and hashed."""
    counted: Counter[str] = Counter()
    get = Objects.get

    def counting(objects: Objects, digest: str) -> Any:
        counted[digest] += 1
        return get(objects, digest)

    monkeypatch.setattr(Objects, "get", counting)
    return counted


@pytest.mark.parametrize(
    ("method", "metrics"),
    [
        ("bicubic", ["psnr_y", "ssim_y", "lr_consistency"]),
        ("compact-gan", ["psnr_y", "lr_consistency"]),
        ("hr", ["miou:toys:hr"]),
        ("finished", ["psnr_y", "lr_consistency"]),
        ("program", ["psnr_y"]),
    ],
)
def test_lq_and_hr_are_read_once_for_an_output(
    hr: Path, tmp_path: Path, reads: Counter[str], method: str, metrics: list[str]
) -> None:
    (tmp_path / "resize.py").write_text(
        "import sys\nfrom pathlib import Path\nfrom PIL import Image\n"
        "for file in Path(sys.argv[1]).iterdir():\n"
        "    with Image.open(file) as lq: lq.resize((64, 64)).save(Path(sys.argv[2], file.name))\n"
    )
    kinds: dict[str, Any] = {
        "finished": f"finished=predictions:{hr}",
        "program": {"name": "program", "command": f"{sys.executable} {tmp_path}/resize.py {{lq}} {{sr}}"},
    }
    store = run_spec(hr, tmp_path / "s", methods=[kinds.get(method, method)], metrics=metrics)
    with open_store(store) as opened:
        outputs = opened.outputs()
    outputs = outputs[outputs["method"] == method]
    assert len(outputs) == IMAGES
    # Bicubic joins HR, as the floor of its metric; HR itself needs no LQ.
    assert {reads[digest] for digest in outputs["lq"]} == {1}
    assert {reads[digest] for digest in outputs["reference"]} == {2 if method == "hr" else 1}


def test_lq_is_not_read_where_nothing_compares_with_it(hr: Path, tmp_path: Path, reads: Counter[str]) -> None:
    store = run_spec(hr, tmp_path / "s", methods=["compact-gan"])
    reads.clear()
    run_spec(hr, store, methods=["compact-gan"], metrics=["ssim_y"])
    with open_store(store) as opened:
        outputs = opened.outputs()
    assert {reads[digest] for digest in outputs["sr"]} == {reads[digest] for digest in outputs["reference"]} == {1}
    assert sum(reads[digest] for digest in outputs["lq"]) == 0


def test_a_method_is_resolved_once_for_a_run_and_again_for_the_next(
    hr: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolved: list[str | None] = []
    resolve = at_hand.resolve

    def counting(reference: references.MethodReference) -> Any:
        resolved.append(reference.id)
        return resolve(reference)

    monkeypatch.setattr(at_hand, "resolve", counting)
    run_spec(hr, tmp_path / "s", methods=["bicubic", "lanczos"])
    assert resolved == ["bicubic", "lanczos"]
    run_spec(hr, tmp_path / "other", methods=["bicubic"])
    assert resolved == ["bicubic", "lanczos", "bicubic"]


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the threads that measure PSNR, one for each image."""
    threads: list[str] = []
    psnr = fidelity.psnr_of_rows

    def noting(*arguments: Any, **more: Any) -> float:
        threads.append(threading.current_thread().name)
        return psnr(*arguments, **more)

    monkeypatch.setattr(fidelity, "psnr_of_rows", noting)
    return threads


def test_a_thread_measures_while_a_gpu_restores_and_changes_no_row(
    hr: Path, tmp_path: Path, measured: list[str]
) -> None:
    methods = ["compact-gan", "bicubic"]
    plain = rows(run_spec(hr, tmp_path / "cpu", methods=methods))
    assert set(measured) == {"MainThread"}
    measured.clear()
    beside = rows(run_spec(hr, tmp_path / "gpu", methods=methods, device=ON_GPU))
    assert beside == plain
    assert sum(name.startswith("asasr-bench-measuring") for name in measured) == IMAGES
    assert measured.count("MainThread") == IMAGES  # bicubic works on the CPU, where its cost is measured
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("asasr-bench-measuring")]


WAITS = """
import threading
from asasr_bench.methods.interface import MethodCard
measured, calls = threading.Event(), []
class Net:
    card = MethodCard("net", "regression", "Restores the second image once the first is measured")
    weight_files = ()
    def restore(self, lq, scale, seeds):
        calls.append(1)
        if len(calls) == 2 and not measured.wait(60):
            raise RuntimeError("nobody measured the first image")
        return lq.repeat_interleave(scale, -1).repeat_interleave(scale, -2)
"""


def test_the_first_image_is_measured_before_the_second_is_restored(
    hr: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "waits_for_measuring.py").write_text(WAITS)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    import waits_for_measuring  # type: ignore[import-not-found]

    psnr = fidelity.psnr_of_rows

    def telling(*arguments: Any, **more: Any) -> float:
        waits_for_measuring.measured.set()
        return psnr(*arguments, **more)

    monkeypatch.setattr(fidelity, "psnr_of_rows", telling)
    run_spec(hr, tmp_path / "s", methods=["waits_for_measuring:Net"], device=ON_GPU)


def test_a_full_disk_ends_the_run_from_the_thread_too(
    hr: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = Objects.put

    def full(objects: Objects, pixels: Any, png: bytes | None = None) -> str:
        if threading.current_thread().name.startswith("asasr-bench-measuring"):
            raise StoreError("no space left")
        return put(objects, pixels, png)

    monkeypatch.setattr(Objects, "put", full)
    with pytest.raises(StoreError, match="no space left"):
        run_spec(hr, tmp_path / "s", methods=["compact-gan"], device=ON_GPU)


@pytest.mark.parametrize("raised", [KeyboardInterrupt, SystemExit, ValueError])
def test_what_leaves_the_block_waits_for_the_thread_and_drops_what_was_not_begun(raised: type[BaseException]) -> None:
    begun, go_on, done = threading.Event(), threading.Event(), []

    def work() -> None:
        begun.set()
        go_on.wait(60)
        done.append(1)

    def leave() -> None:
        with Beside(1) as beside:
            for _ in range(3):
                beside.call(work)
            begun.wait(60)
            threading.Timer(0.1, go_on.set).start()
            raise raised

    with pytest.raises(raised):
        leave()
    assert done == [1]


def test_calls_keep_their_order_and_their_errors() -> None:
    def fail() -> int:
        raise ValueError("13 is refused")

    order: list[int] = []
    with Beside(1) as beside:
        results = [beside.call(lambda number=number: order.append(number)) for number in range(20)]  # type: ignore[misc]
        refused: Callable[[], int] = beside.call(fail)
        assert [result() for result in results] == [None] * 20
        with pytest.raises(ValueError, match="13 is refused"):
            refused()
    assert order == list(range(20))
