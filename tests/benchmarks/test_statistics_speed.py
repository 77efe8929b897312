"""Intervals, tests and resampled means of a large leaderboard."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable

import numpy as np
import pytest
from asasr_bench.bench.analysis.confidence_set import confidence_p
from asasr_bench.bench.analysis.statistics import intervals, resampled

pytestmark = pytest.mark.benchmark

SIZES = [
    ("intervals of 100 methods on 1,000 images", intervals, (100, 1_000), 0.1),
    ("confidence set of 20 methods on 1,000 images", confidence_p, (1_000, 20), 0.5),
    ("confidence set of 20 methods on 20,000 images", confidence_p, (20_000, 20), 20.0),
    (
        "1,000 resampled means of 20 methods on 20,000 images",
        lambda values: resampled(values, 1_000),
        (20_000, 20),
        5.0,
    ),
]


@pytest.mark.parametrize(("what", "work", "shape", "most"), SIZES, ids=[size[0] for size in SIZES])
def test_speed_and_memory(what: str, work: Callable[..., object], shape: tuple[int, int], most: float) -> None:
    values = np.random.default_rng(0).normal(27, 3, shape)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    work(values)
    seconds = time.process_time() - start
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"\n{what}: {seconds:.2f} s of a core, {grown:.0f} MiB more")
    assert seconds < most
    assert grown < 400
