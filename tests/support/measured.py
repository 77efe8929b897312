"""A metric's value of an image, as a worker measures it alone."""

from __future__ import annotations

from asasr_bench.bench.metrics.metric import Metric
from asasr_bench.bench.metrics.metric_input import MetricInput


def measured(metric: Metric, image: MetricInput) -> float:
    """The value; an error of the metric is raised."""
    (score,) = metric.measure([image], "cpu")
    return score.value
