"""What a second worker gives, and what Ray costs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asasr_bench import evaluate
from asasr_bench.bench.execute.executors.local import LocalProcesses
from asasr_bench.bench.execute.executors.ray_actors import RayActors, RayOptions
from asasr_bench.datasets.images import write_png
from benchmark_results import keep

pytestmark = pytest.mark.benchmark

TIMES = 1.8
WAYS = (1, 1), (2, 1), (1, 2)
"""Workers and the threads of each."""
METRICS = ("psnr_y", "ssim_y", "psnr_rgb", "ssim_rgb", "hf_ratio")


def noise(folder: Path, images: int, size: int) -> Path:
    rng = np.random.default_rng(0)
    for number in range(images):
        write_png(folder / f"{number:03}.png", rng.integers(0, 256, (size, size, 3), dtype=np.uint8))
    return folder


def test_two_workers_against_one(tmp_path: Path) -> None:
    """A network of one thread, and of two in one worker; starting and loading cancel between few images and many."""
    few, many = 4, 164
    seconds = {}
    for workers, threads in WAYS:
        for count in (few, many):
            hr = noise(tmp_path / f"hr{count}", count, 320)
            start = time.perf_counter()
            subprocess.run(
                [sys.executable, "-m", "asasr_bench.bench.cli.main", "run", "classic-x4-float", "--dataset", f"D={hr}",
                 "--method", "compact-gan", "--metric", "psnr_y", "--workers", str(workers), "--device", "cpu",
                 "--threads", str(threads), "--store", tmp_path / f"{workers}-{threads}-{count}", "--no-report"],
                env={**os.environ, "OMP_NUM_THREADS": "1"}, check=True, stdout=subprocess.DEVNULL,
            )  # fmt: skip
            seconds[workers, threads, count] = time.perf_counter() - start
    each = {way: (seconds[*way, many] - seconds[*way, few]) / (many - few) for way in WAYS}
    alone, two_workers, two_threads = (each[way] for way in WAYS)
    keep("two_workers_against_one", ratio=alone / two_workers, seconds_an_image=alone, load=os.getloadavg()[0],
         seconds_with_two_threads=two_threads, seconds_with_two_workers=two_workers)  # fmt: skip
    assert alone / two_workers >= TIMES
    assert two_workers < two_threads  # so that more workers are what a long run is told to take


@pytest.mark.parametrize("shared", [False, True])
def test_ray_costs_little_for_each_cell(tmp_path: Path, shared: bool) -> None:
    """The same cells here and by one Ray worker; starting Ray cancels between few images and many."""
    pytest.importorskip("ray", reason="ray is not installed")
    few, many = 10, 90
    places: dict[str, dict[str, Any]] = {"here": {}, "ray": {"executor": "ray", "cluster": {"shared": shared}}}
    seconds = {}
    for count in (few, many):
        hr = noise(tmp_path / f"hr{count}", count, 128)
        for place, options in places.items():
            start = time.perf_counter()
            evaluate("classic-x4-float", tmp_path / f"{place}{count}", datasets=[f"D={hr}"], methods=["lanczos"],
                     metrics=list(METRICS), workers=1, device="cpu", **options)  # fmt: skip
            seconds[place, count] = time.perf_counter() - start
    cells = (many - few) * len(METRICS)
    each = {place: 1000 * (seconds[place, many] - seconds[place, few]) / cells for place in places}
    print(f"\n{each['here']:.2f} ms a cell here, {each['ray']:.2f} ms by a Ray worker"
          f" {'through files' if shared else 'with pixels that travel'}; load {os.getloadavg()[0]:.1f} on"
          f" {os.cpu_count()} cores")  # fmt: skip


def test_the_way_to_a_worker_and_back() -> None:
    """What an executor itself takes for an item: 100 kB there and back, and nothing done with them."""
    pytest.importorskip("ray", reason="ray is not installed")
    content, count = bytes(100_000), 500
    with RayActors(1, "cpu", RayOptions(address="local")) as actors:
        for name, executor in {"a process": LocalProcesses(1), "a Ray actor": actors}.items():
            results = executor.map(bytes, [content] * (count + 1))
            next(results)  # has started
            start = time.perf_counter()
            assert sum(1 for _ in results) == count
            print(f"\n{name}: {1000 * (time.perf_counter() - start) / count:.2f} ms an item;"
                  f" load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")  # fmt: skip
