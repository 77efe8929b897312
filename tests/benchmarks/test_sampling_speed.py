"""Sampling by tile size: images a second and peak memory, on the shipped small prior."""

from __future__ import annotations

import gc

import pytest
import torch
from asasr_bench.bench.execute.cost import Meter
from asasr_bench.methods.registry import load_method

pytestmark = pytest.mark.benchmark

SIDE, STEPS = 512, 2


def test_smaller_tiles_take_less_memory() -> None:
    """An image of 512x512 in tiles and whole: tiles bound the memory and cost what they compute twice."""
    lq = torch.rand(1, 3, SIDE // 4, SIDE // 4, generator=torch.Generator().manual_seed(0))
    memory, seconds = {}, {}
    for tile in (128, 256, SIDE):
        method = load_method({"id": "asasr:small-prior", "sampling": {"steps": STEPS, "tile": tile, "overlap": 32}})
        method.restore(torch.rand(1, 3, 16, 16), 4, [0])
        gc.collect()
        with torch.inference_mode(), Meter("cpu") as meter:
            method.restore(lq, 4, [0])
        assert meter.memory is not None
        memory[tile], seconds[tile] = meter.memory, meter.seconds
        print(f"\ntile {tile}: {STEPS / meter.seconds:.2f} steps/s, {28 * meter.seconds / STEPS:.1f} s an image of 28"
              f" steps, {meter.memory / 2**20:.0f} MiB", end="")  # fmt: skip
    assert memory[128] < 0.5 * memory[SIDE]
    assert seconds[128] < 4 * seconds[SIDE]
