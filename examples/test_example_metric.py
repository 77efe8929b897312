"""What holds for every image: HR itself has the best value, and blur lowers it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from asasr_bench.bench.metrics.metric_input import MetricInput
from asasr_bench.bench.metrics.registry import get_metric
from asasr_bench.bench.protocols import get_protocol

METRIC = {"object": f"{Path(__file__).with_name('example_metric.py')}:ExampleMetric", "args": {"step": 1}}
HR = np.random.default_rng(0).integers(0, 256, (32, 32, 3)).astype(np.uint8)


def value(sr: np.ndarray) -> float:
    image = MetricInput(sr, HR, get_protocol("osediff-512", 4))
    return get_metric(METRIC).measure([image], "cpu")[0].value


def test_hr_is_as_sharp_as_itself() -> None:
    assert value(HR) == 1


def test_blur_lowers_it() -> None:
    blurred = (HR.astype(int) + np.roll(HR, 1, axis=0)) // 2
    assert value(blurred.astype(np.uint8)) < 0.9
