"""What happens to a store when disk, rights, clock or the machine's master are against it: one clear line, no harm."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import chores
import numpy as np
import pandas as pd
import pytest
import stored
from asasr_bench import evaluate, open_store
from asasr_bench.bench.cli.running.stopping import Terminated, graceful
from asasr_bench.bench.execute import run as runner
from asasr_bench.bench.store.images import StoreError
from asasr_bench.datasets.images import write_png
from ledger import ledger_rows

IMAGES, METHODS = 6, ("bicubic", "lanczos", "nearest")


@pytest.fixture
def hr(tmp_path: Path) -> Path:
    """Six noise images."""
    return noise(tmp_path / "hr", IMAGES, 64)


def noise(folder: Path, images: int, size: int) -> Path:
    """Noise, so that PNGs are as large as their pixels."""
    rng = np.random.default_rng(0)
    for number in range(images):
        write_png(folder / f"image{number}.png", rng.integers(0, 256, (size, size, 3), dtype=np.uint8))
    return folder


def arguments(hr: Path, store: Path, *more: object) -> list[str]:
    methods = [part for name in METHODS for part in ("--method", name)]
    parts = ("run", "classic-x4-float", "--dataset", f"D={hr}", *methods, "--store", store, "--no-report", *more)
    return [str(part) for part in parts]


@contextlib.contextmanager
def mounted(folder: Path, size: str) -> Iterator[Path]:
    """A disk of this size in memory; the test is skipped where mounting is not allowed."""
    folder.mkdir()
    result = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True)
    if result.returncode != 0:
        pytest.skip("mounting is not allowed here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)  # tracebacks of what failed hold files open


def fill(disk: Path, kib: int) -> None:
    """Leave this much free space."""
    free = shutil.disk_usage(disk).free // 1024
    (disk / "filler").write_bytes(bytes(max(0, free - kib) * 1024))


def assert_sound(store: Path) -> None:
    with sqlite3.connect(store / "store.sqlite") as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []


def assert_one_line(stderr: str, *words: str) -> None:
    assert all(word in stderr for word in words), stderr
    assert "Traceback" not in stderr
    assert len(stderr.strip().splitlines()) == 1, stderr


def rows(store: Path) -> pd.DataFrame:
    """All scores with the digests of what they belong to."""
    with open_store(store) as opened:
        return pd.DataFrame(list(ledger_rows(opened)))


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a tmpfs")
def test_a_full_disk_is_told_whenever_it_comes(hr: Path, tmp_path: Path, command) -> None:
    """Free space is cut to different amounts, so that the very beginning, images and rows fail in turn."""
    overrides: dict[str, Any] = {"datasets": [f"D={hr}"], "methods": list(METHODS)}
    evaluate("classic-x4-float", tmp_path / "undisturbed", **overrides)
    with mounted(tmp_path / "disk", "2m") as disk:
        for kib in (0, 24, 80, 160, 200, 240, 280):
            fill(disk, kib)
            with pytest.raises(StoreError, match=r"space|full"):
                evaluate("classic-x4-float", disk / "s", **overrides)
            (disk / "filler").unlink()
            if (disk / "s" / "store.sqlite").exists():
                assert_sound(disk / "s")
            if kib < 280:
                shutil.rmtree(disk / "s")
        fill(disk, 0)
        stderr = command(*arguments(hr, disk / "s", "--workers", 2), status=3).stderr
        assert_one_line(stderr, "error:", "full" if "database" in stderr else "space")
        (disk / "filler").unlink()
        evaluate("classic-x4-float", disk / "s", **overrides)
        assert not list(disk.rglob("*.tmp"))
        assert_sound(disk / "s")
        pd.testing.assert_frame_equal(rows(disk / "s"), rows(tmp_path / "undisturbed"))


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a tmpfs")
def test_a_read_only_store_can_be_read_and_says_that_it_cannot_be_written(hr: Path, tmp_path: Path, command) -> None:
    with mounted(tmp_path / "disk", "4m") as disk:
        evaluate("classic-x4-float", disk / "s", datasets=[f"D={hr}"], methods=list(METHODS))
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        assert_one_line(command(*arguments(hr, disk / "s"), status=3).stderr, "ead-only", str(disk / "s"))
        with pytest.raises(StoreError, match=r"Read-only.*rights"):
            evaluate("classic-x4-float", disk / "new", datasets=[f"D={hr}"], methods=["bicubic"])
        assert len(rows(disk / "s")) == IMAGES * len(METHODS) * 2
        with pytest.raises(StoreError, match="no store here"):
            open_store(disk / "new")


def test_a_second_run_is_told_who_holds_the_store(hr: Path, tmp_path: Path, command) -> None:
    with open_store(tmp_path / "s", write=True):
        message = command(*arguments(hr, tmp_path / "s"), status=3).stderr
    assert_one_line(message, f"process {os.getpid()} on {platform.node()} since 20", "is writing this store")
    command(*arguments(hr, tmp_path / "s"))


def test_a_clock_that_goes_back_changes_nothing(hr: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs are ordered by their number, and cells are known by digests: no time is compared."""
    times = iter(f"20{year:02}-01-01T00:00:00+00:00" for year in range(40, 10, -1))
    monkeypatch.setattr(runner, "now", lambda: next(times))
    for number in range(3):
        table = evaluate("classic-x4", tmp_path / "s", datasets=[f"D={hr}"], methods=list(METHODS[: number + 1]))
    with open_store(tmp_path / "s") as store:
        runs = store.runs()
        measured = {output.place.method: cell.run for output in store.ledger() for cell in output.cells}
    assert [run.started for run in runs] == sorted((run.started for run in runs), reverse=True)
    assert measured == {"bicubic": 1, "lanczos": 2, "nearest": 3}  # each run did only what was missing
    assert set(table.scores["method"]) == set(METHODS)
    assert_sound(tmp_path / "s")


def started(*words: object, **more: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "asasr_bench.bench.cli.main", *map(str, words)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        **more,
    )


@pytest.mark.parametrize(
    ("workers", "whole_group"), [(2, True), *(pytest.param(n, False, marks=pytest.mark.slow) for n in (1, 2))]
)
def test_sigterm_stores_what_is_in_flight(tmp_path: Path, command, workers: int, whole_group: bool) -> None:
    """A batch system signals the driver alone or all processes of the job."""
    words = arguments(noise(tmp_path / "hr", 80, 32), tmp_path / "s", "--workers", workers)
    with started(*words, start_new_session=True) as process:
        wait_for(lambda: count(tmp_path / "s") > 30)
        (os.killpg if whole_group else os.kill)(process.pid, signal.SIGTERM)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 143, errors
    assert errors.splitlines() == [
        "asked to end: finishing what is in flight, 8 s at most",
        "terminated; what was finished is kept, run the same command to go on",
    ]
    assert_sound(tmp_path / "s")
    before = count(tmp_path / "s")
    with open_store(tmp_path / "s") as store:  # every image that was restored has its rows
        assert store.objects.known() == stored.named(tmp_path / "s")
    done = command(*words).stdout
    assert f"{before} kept from before" in done


@pytest.mark.slow
def test_the_grace_of_sigterm_ends(hr: Path, tmp_path: Path) -> None:
    script = "import os, pathlib, sys, time; pathlib.Path(sys.argv[1]).write_text(str(os.getpid())); time.sleep(120)"
    (tmp_path / "sleep.py").write_text(script)
    (tmp_path / "spec.yaml").write_text(
        f"name: s\nprotocol: classic-x4\nmetrics: [psnr_y]\ndatasets: ['D={hr}']\nmethods:\n"
        f"  - {{name: slow, command: '{sys.executable} {tmp_path}/sleep.py {tmp_path}/pid {{lq}} {{sr}}'}}\n"
    )
    with started("run", tmp_path / "spec.yaml", "--store", tmp_path / "s", "--workers", 2) as process:
        wait_for(lambda: (tmp_path / "pid").exists() and bool((tmp_path / "pid").read_text()))
        process.send_signal(signal.SIGTERM)
        asked = time.monotonic()
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 143, errors
    assert 7 < time.monotonic() - asked < 20
    assert not chores.is_alive(int((tmp_path / "pid").read_text()))
    assert_sound(tmp_path / "s")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_killed_workers_cost_nothing(tmp_path: Path, command) -> None:
    hr = noise(tmp_path / "hr", 40, 32)
    with started(*arguments(hr, tmp_path / "s", "--workers", 2)) as process:
        for cells in (20, 80, 140):
            wait_for(lambda cells=cells: count(tmp_path / "s") > cells)
            for pid in chores.workers_of(process.pid):
                os.kill(pid, signal.SIGKILL)
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    command(*arguments(hr, tmp_path / "undisturbed"))
    pd.testing.assert_frame_equal(rows(tmp_path / "s"), rows(tmp_path / "undisturbed"))


def count(store: Path) -> int:
    """Scores that a store has so far, as another process sees it."""
    try:
        return len(stored.column(store, "SELECT key FROM scores"))
    except sqlite3.OperationalError:  # not made yet
        return 0


def wait_for(true: Any, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.02)


def test_a_signal_that_comes_twice_at_once_is_one(capfd: pytest.CaptureFixture[str]) -> None:
    """``timeout`` sends its SIGTERM to the program, and then to the group that the program is in."""
    with graceful() as asked:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        assert asked()
        time.sleep(1.1)
        with pytest.raises(Terminated):
            os.kill(os.getpid(), signal.SIGTERM)
    assert capfd.readouterr().err.count("asked to end") == 1
