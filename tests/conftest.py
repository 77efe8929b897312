"""What all tests share: where the real images are, small random ones, and the command line as a user runs it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from numpy.typing import NDArray

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # no test downloads, and none waits for a hub that is not there

pytest_plugins = ["explained_skips"]

Command = Callable[..., subprocess.CompletedProcess[str]]

# Continuous integration repeats the same examples; at a desk hypothesis searches on. No test is timed.
settings.register_profile("desk", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "desk")


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder with real images and golden records; tests that need it are skipped where it is absent."""
    folder = os.environ.get("ASASR_BENCH_SHARED", "")
    if not folder or not Path(folder, "data").is_dir():
        pytest.skip("ASASR_BENCH_SHARED does not name a folder with the real images")
    return Path(folder).resolve()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """One Chromium for all tests of pages: Playwright starts once in a process."""
    from pages import chromium

    with chromium() as browser:
        yield browser


@pytest.fixture
def published_weights(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of weights that 'tox -e full' fetched, as this machine's; without it a test is skipped."""
    folder = os.environ.get("ASASR_BENCH_TEST_WEIGHTS", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("ASASR_BENCH_TEST_WEIGHTS does not name a folder of fetched weights; 'tox -e full' makes it")
    monkeypatch.setenv("ASASR_BENCH_WEIGHTS", folder)
    return Path(folder)


@pytest.fixture(autouse=True)
def _nothing_kept_of_hr(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test begins without results that another one kept."""
    monkeypatch.setenv("ASASR_BENCH_HR", str(tmp_path.with_name(f"{tmp_path.name}-hr")))


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers that are the same in every run."""
    return np.random.default_rng(20240917)


@pytest.fixture
def photo() -> NDArray[np.uint8]:
    """A real photo, 256x256 RGB."""
    from skimage import data

    return np.ascontiguousarray(data.astronaut()[:256, 128:384])


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """Run ``asasr-bench`` with these arguments in a folder of its own and check its exit status."""

    def run(*arguments: object, status: int = 0) -> subprocess.CompletedProcess[str]:
        result = subprocess.run(
            [sys.executable, "-m", "asasr_bench.bench.cli.main", *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            timeout=300,
        )
        assert result.returncode == status, f"status {result.returncode}\n{result.stdout}\n{result.stderr}"
        return result

    return run


@dataclass(frozen=True)
class Told:
    """What a command said."""

    status: int
    out: str
    err: str


Session = Callable[..., Told]


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Session:
    """Commands as a user runs them, in this process: no error may come out as a traceback."""
    from asasr_bench.bench.cli.main import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(signal, "signal", lambda *_: None)

    def run(*arguments: object, traceback: bool = False) -> Told:
        monkeypatch.setattr(sys, "argv", ["asasr-bench", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        told = Told(int(end.value.code or 0), *capsys.readouterr())
        assert traceback or "Traceback" not in told.err
        assert "internal error" not in told.err
        assert "\x1b" not in told.out + told.err
        return told

    return run


@dataclass(frozen=True)
class Written:
    """What ``write_store`` puts into a store; images are drawn from their name, outputs by blurring them."""

    methods: tuple[str, ...] = ("bicubic", "net-2", "net-4")
    datasets: tuple[str, ...] = ("D",)
    images: int = 6
    seeds: tuple[int, ...] = (0,)
    protocol: str = "asasr"
    size: int = 48
    packages: Mapping[str, str] = field(default_factory=lambda: {"numpy": "2.0", "torch": "2.11"})
    started: str = "2024-05-01T10:00:00+00:00"
    families: Mapping[str, str] = field(default_factory=dict)
    metrics: tuple[str, ...] = ("psnr_y", "ssim_y", "lsd", "hf_ratio")
    lq_rules: Mapping[str, str] = field(default_factory=dict)
    """Of datasets; else LQ is of files."""


def write_store(root: Path, what: Written | None = None) -> Path:
    """A store with real pixels and scores measured on them, without running any method."""
    from asasr_bench.bench.metrics.metric_input import MetricInput
    from asasr_bench.bench.metrics.registry import get_metric
    from asasr_bench.bench.plan.jobs import Task, key_of
    from asasr_bench.bench.protocols import get_protocol
    from asasr_bench.bench.store.keys import restoration_key
    from asasr_bench.bench.store.provenance import Provenance
    from asasr_bench.bench.store.records import CellRecord, OutputRecord
    from asasr_bench.bench.store.store import open_store
    from scipy.ndimage import gaussian_filter

    what = what or Written()
    protocol = get_protocol(what.protocol, 4)
    made = {"packages": dict(what.packages), "command": "test", "git": "", "python": "3.12", "platform": "test",
            "device": "cpu", "cores": 2}  # fmt: skip
    with open_store(root, write=True) as store:
        run = store.begin_run(what.started, {"name": "test", "methods": list(what.methods)}, Provenance(**made))
        for name in what.methods:
            store.add_method(name, {"family": what.families.get(name, "gan"), "parameters": 1000, "version": "1"}, "w1")
        for dataset in what.datasets:
            for number in range(what.images):
                rng = np.random.default_rng([number, len(dataset)])
                noise = gaussian_filter(rng.normal(size=(what.size, what.size, 3)), (1, 1, 0))
                hr = np.clip(128 + 150 * noise, 0, 255).astype(np.uint8)
                lq = np.ascontiguousarray(hr[::4, ::4])
                digests = store.objects.put(lq), store.objects.put(hr)
                store.add_inputs([(f"{dataset}-{number}", *digests)])
                for rank, method in enumerate(what.methods):
                    for seed in what.seeds:
                        grain = np.random.default_rng([rank, seed]).normal(size=hr.shape)
                        sr = gaussian_filter(hr.astype(float), (0.5 + 0.4 * rank, 0.5 + 0.4 * rank, 0)) + grain
                        sr = np.clip(sr, 0, 255).astype(np.uint8)
                        key = restoration_key(lq=digests[0], identity={"method": method}, scale=4, seed=seed)
                        task = Task(f"image{number}", *digests, key, store.objects.put(sr), ())
                        compared = MetricInput(sr, hr, protocol, lq)
                        cells = []
                        for id in what.metrics:
                            metric = get_metric(id)
                            (score,) = metric.measure([compared], "cpu")
                            cells.append(CellRecord(id, "done", key_of(metric, task, protocol), score.value,
                                                    payload=score.payload))  # fmt: skip
                        record = OutputRecord(
                            what.protocol, 4, dataset, f"image{number}", method, seed, "done",
                            what.lq_rules.get(dataset, "files"), *digests, key,
                            task.sr, 0.1 * (rank + 1), 2**20 * (rank + 1), "cpu", cells=tuple(cells),
                        )  # fmt: skip
                        store.commit([record], run)
        store.finish_run(run, what.started)
    return root


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A small store of three methods on six images."""
    return write_store(tmp_path / "store")


@pytest.fixture(scope="session")
def make_store() -> Callable[..., Path]:
    """Write a store with fields of ``Written`` of one's own."""
    return lambda root, **fields: write_store(root, Written(**fields))
