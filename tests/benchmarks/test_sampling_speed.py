"""Sampling by tile size: images a second and peak memory, on the shipped small prior."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable
from functools import partial
from itertools import product
from typing import Any

import pytest
import torch
from asasr_bench.bench.execute.cost import Meter
from asasr_bench.methods.registry import resolve
from benchmark_results import keep
from torch.utils.flop_counter import FlopCounterMode

pytestmark = pytest.mark.benchmark

SIDE, STEPS, ROUNDS = 512, 2, 5
FASTER = {"bf16": 1.15, "no": 1.0}
"""By precision: images a second as a model is loaded, for each of a network as it is stored, whose blocks take new
memory."""
LIMIT = 0.6
"""Least share of the processor's limit that a step reaches."""


def limits(dtype: torch.dtype) -> dict[str, tuple[float, Callable[[], object]]]:
    """Operations and call of what a processor computes fastest: a product of large matrices, and a convolution of many
    channels."""
    side, channels, pixels = 1024, 256, 64
    first, second = torch.rand(2, side, side).to(dtype)
    layer = torch.nn.Conv2d(channels, channels, 3, padding=1).to(dtype=dtype, memory_format=torch.channels_last)
    images = torch.rand(1, channels, pixels, pixels).to(dtype=dtype, memory_format=torch.channels_last)
    return {
        "matrices": (2.0 * side**3, lambda: first @ second),
        "convolution": (18.0 * (channels * pixels) ** 2, lambda: layer(images)),
    }


@pytest.mark.parametrize("precision", FASTER)
def test_a_step_is_near_what_the_processor_can_do(precision: str) -> None:
    """In seconds of one thread; all in turn, so that what else the processor does strikes all."""
    torch.set_num_threads(1)
    lq = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    reference = {"id": "asasr:small-prior", "sampling": {"steps": STEPS, "precision": precision}}
    methods: dict[str, Any] = {way: resolve(reference).load("cpu") for way in ("stored", "loaded")}
    stored = methods["stored"]._model.backbone.network.to(memory_format=torch.contiguous_format)
    for block in stored.modules():
        block.__dict__.pop("forward", None)  # as diffusers computes it
    with FlopCounterMode(display=False) as counted:
        methods["loaded"].restore(lq, 4, [0])
    step = counted.get_total_flops() / STEPS
    known = limits(torch.bfloat16 if precision == "bf16" else torch.float32)
    calls: dict[str, Callable[[], object]] = {way: partial(each.restore, lq, 4, [0]) for way, each in methods.items()}
    calls |= {name: call for name, (_, call) in known.items()}
    seconds = dict.fromkeys(calls, float("inf"))
    with torch.inference_mode():
        for _, (name, call) in product(range(ROUNDS), calls.items()):
            start = time.process_time()
            call()
            seconds[name] = min(seconds[name], time.process_time() - start)
    each = {way: seconds[way] / STEPS for way in methods}
    fastest = {name: operations / seconds[name] for name, (operations, _) in known.items()}
    share = step / each["loaded"] / max(fastest.values())
    keep(f"sampler_step_{'bf16' if precision == 'bf16' else 'float32'}", ratio=each["stored"] / each["loaded"],
         share_of_limit=share, seconds_a_step=each["loaded"], seconds_at_the_limit=step / max(fastest.values()),
         gflop_a_step=step / 1e9, **{f"{name}_gflop_a_second": speed / 1e9 for name, speed in fastest.items()},
         load=os.getloadavg()[0])  # fmt: skip
    assert each["stored"] / each["loaded"] >= FASTER[precision]
    assert share >= LIMIT


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
