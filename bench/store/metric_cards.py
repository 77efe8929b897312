"""What a store keeps of each metric, so that it can be read where the metric is not installed."""

from __future__ import annotations

from ..metrics.card import MetricCard
from ..metrics.metric import Metric


def card_of(metric: Metric, known: MetricCard | None = None) -> MetricCard:
    """The card of a metric as it measures here.

    Args:
        known: what the store has; its version stays where the weights that tell it are missing here.
    """
    version = metric.version
    if not metric.missing():
        version = metric.implementation
    elif known is not None and known.version.startswith(version):
        version = known.version
    return MetricCard(
        id=metric.id,
        title=metric.title,
        unit=metric.unit,
        digits=metric.digits,
        direction=metric.direction,
        note=metric.note,
        range=metric.range,
        needs=metric.needs,
        combined=metric.combine is not None,
        payload=metric.payload is not None,
        bounded=metric.bounded,
        tolerance=metric.tolerance,
        version=version,
    )
