"""Half an hour of small cells with workers that are killed every few seconds: nothing is lost, doubled or hoarded."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path
from statistics import median

import chores
import numpy as np
import pytest
import stored
from asasr_bench import open_store
from asasr_bench.datasets.images import write_png

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]

MINUTES = float(os.environ.get("ASASR_BENCH_SOAK_MINUTES", "30"))
"""A store is filled again and again until this time is over; the last one is filled to its end."""
METHODS = ("nearest", "bilinear", "bicubic", "lanczos")
METRICS = ("psnr_y", "ssim_y", "psnr_rgb", "ssim_rgb", "hf_ratio")
IMAGES = 2500
CELLS = IMAGES * len(METHODS) * len(METRICS)
WORKERS = 2
SECONDS_BETWEEN_KILLS = (3.0, 9.0)
AT_WORK = 0.8
"""Of the kills hit a worker that has started; all others any, which may be starting."""
GROWTH = 0.10
"""Of the driver's memory, from the second quarter of a run to its last."""


def test_soak(tmp_path: Path) -> None:
    assert CELLS == 50_000
    rng, moments = np.random.default_rng(0), random.Random(0)
    for number in range(IMAGES):
        write_png(tmp_path / "hr" / f"{number:04}.png", rng.integers(0, 256, (48, 48, 3), dtype=np.uint8))
    began, rounds = time.monotonic(), 0
    while rounds == 0 or time.monotonic() - began < 60 * MINUTES:
        store = tmp_path / f"s{rounds}"
        kills, memory, seconds = one_run(tmp_path / "hr", store, moments)
        check(store)
        quarter = len(memory) // 4
        early, late = median(memory[quarter : 2 * quarter]), median(memory[3 * quarter :])
        print(
            f"\n{CELLS} cells in {seconds:.0f} s with {kills} kills; memory of the driver {early / 2**20:.0f} MiB in"
            f" the second quarter, {late / 2**20:.0f} MiB in the last"
        )
        assert kills > seconds / SECONDS_BETWEEN_KILLS[1] / 2
        assert late <= (1 + GROWTH) * early
        rounds += 1


def one_run(hr: Path, store: Path, moments: random.Random) -> tuple[int, list[int], float]:
    """Fill a store while workers are killed; how many were, the driver's memory over time (bytes), and seconds."""
    words = ["run", "classic-x4-float", "--dataset", f"D={hr}", "--store", str(store), "--workers", str(WORKERS)]
    words += [part for name in METHODS for part in ("--method", name)]
    words += [part for name in METRICS for part in ("--metric", name)]
    kills, memory, over = 0, [], threading.Event()
    start = time.monotonic()
    with subprocess.Popen(
        [sys.executable, "-m", "asasr_bench.bench.cli.main", *words, "--no-report"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as driver:

        def watch() -> None:
            while not over.wait(1.0):
                if (store / "objects").exists() and driver.poll() is None:
                    memory.append(resident(driver.pid))

        watcher = threading.Thread(target=watch)
        watcher.start()
        while driver.poll() is None:
            time.sleep(moments.uniform(*SECONDS_BETWEEN_KILLS))
            workers = chores.workers_of(driver.pid)
            if moments.random() < AT_WORK:  # on a busy machine a start takes longer than the time between kills
                workers = [pid for pid in workers if seconds_used(pid) > 1.0]
            if workers:
                os.kill(moments.choice(workers), signal.SIGKILL)
                kills += 1
        over.set()
        watcher.join()
        assert driver.stderr is not None
        assert driver.returncode == 0, driver.stderr.read()
    return kills, memory, time.monotonic() - start


def resident(pid: int) -> int:
    """Memory of a process in bytes; 0 once it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def seconds_used(pid: int) -> float:
    """Of the processor, by a process; about 0.6 are those of its start."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def check(store: Path) -> None:
    """Every cell is there once, with a value that is measured on an image that is there."""
    with sqlite3.connect(store / "store.sqlite") as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("SELECT count(*), count(finished) FROM runs").fetchone() == (1, 1)
        for table, rows in (
            ("cells", CELLS),
            ("scores", CELLS),
            ("outputs", CELLS // len(METRICS)),
            ("inputs", IMAGES),
        ):
            assert database.execute(f"SELECT count(*) FROM {table}").fetchone() == (rows,), table
        assert database.execute("SELECT count(*) FROM cells WHERE status = 'done'").fetchone() == (CELLS,)
    with open_store(store) as opened:
        assert opened.scores()["value"].notna().all()
        assert stored.named(store) == opened.objects.known()
        for digest in random.Random(0).sample(sorted(stored.restored(store)), 200):
            opened.objects.get(digest)
