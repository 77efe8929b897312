"""Bootstrap intervals of a large leaderboard."""

from __future__ import annotations

import time

import numpy as np
import pytest
from asasr_bench.bench.statistics import bootstrap_cis

pytestmark = pytest.mark.benchmark


def test_intervals_of_a_hundred_methods_on_a_thousand_images() -> None:
    values = np.random.default_rng(0).normal(27, 3, (100, 1000))
    start = time.perf_counter()
    bounds = bootstrap_cis(values, resamples=10_000)
    seconds = time.perf_counter() - start
    print(f"\n10,000 resamples of 100 methods x 1,000 images: {seconds:.2f} s")
    assert bounds.shape == (100, 2)
    assert seconds < 5
