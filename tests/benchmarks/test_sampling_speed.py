"""Sampling by tile size: images a second and peak memory, on the shipped small prior."""

from __future__ import annotations

import multiprocessing
import resource
import time

import pytest
import torch
from asasr_bench.methods.registry import load_method

SIDE = 512
STEPS = 2


def _measure(tile: int, pipe) -> None:
    """In a process of its own, so that the peak is this tile's alone."""
    reference = {"id": "asasr:small-prior", "sampling": {"steps": STEPS, "tile": tile, "overlap": 32}}
    method = load_method(reference)
    method.restore(torch.rand(1, 3, 16, 16), 4, [0])
    idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    sr = method.restore(torch.rand(1, 3, SIDE // 4, SIDE // 4, generator=torch.Generator().manual_seed(0)), 4, [0])
    seconds = time.perf_counter() - start
    pipe.send((seconds, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - idle) / 1024, sr))


@pytest.mark.benchmark
def test_smaller_tiles_take_less_memory() -> None:
    """An image of 512x512 whole and in tiles: tiles bound the memory and cost what they compute twice."""
    found = {}
    context = multiprocessing.get_context("spawn")
    for tile in (SIDE, 256, 128):
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=_measure, args=(tile, sender))
        process.start()
        found[tile] = receiver.recv()
        process.join()
    for tile, (seconds, memory, _) in found.items():
        image = 28 * seconds / STEPS
        print(f"tile {tile}: {STEPS / seconds:.2f} steps/s, {image:.1f} s an image of 28 steps, {memory:.0f} MiB")
    assert found[128][1] < 0.5 * found[SIDE][1]
    assert found[128][0] < 4 * found[SIDE][0]
