"""Sampling by tile size: images a second and peak memory, on the shipped small prior."""

from __future__ import annotations

import gc
import time
from typing import Any

import pytest
import torch
from asasr_bench.bench.execute.cost import Meter
from asasr_bench.methods.registry import resolve

pytestmark = pytest.mark.benchmark

SIDE, STEPS = 512, 2
FASTER = {"bf16": 1.1, "no": 1.0}
"""By precision: images a second with the channels innermost, for each of the order that weights are stored in."""


@pytest.mark.parametrize("precision", FASTER)
def test_channels_innermost_are_faster(precision: str) -> None:
    """On a processor, in seconds of one thread; both in turn, so that what else it does strikes both."""
    torch.set_num_threads(1)
    lq, seconds = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)), {}
    reference = {"id": "asasr:small-prior", "sampling": {"steps": STEPS, "precision": precision}}
    methods: dict[str, Any] = {order: resolve(reference).load("cpu") for order in ("stored", "innermost")}
    methods["stored"]._model.backbone.network.to(memory_format=torch.contiguous_format)
    for _ in range(5):
        for order, method in methods.items():
            start = time.process_time()
            method.restore(lq, 4, [0])
            seconds[order] = min(seconds.get(order, float("inf")), time.process_time() - start)
    each = {order: 1000 * spent / STEPS for order, spent in seconds.items()}
    ratio = each["stored"] / each["innermost"]
    print(f"\n{precision}: {each['stored']:.0f} ms a step of 256x256, channels innermost {each['innermost']:.0f} ms:"
          f" {ratio:.2f} times")  # fmt: skip
    assert ratio >= FASTER[precision]


def test_smaller_tiles_take_less_memory() -> None:
    """An image of 512x512 in tiles and whole: tiles bound the memory and cost what they compute twice."""
    lq = torch.rand(1, 3, SIDE // 4, SIDE // 4, generator=torch.Generator().manual_seed(0))
    memory, seconds = {}, {}
    for tile in (128, 256, SIDE):
        method: Any = resolve(
            {"id": "asasr:small-prior", "sampling": {"steps": STEPS, "tile": tile, "overlap": 32}}
        ).load("cpu")
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
