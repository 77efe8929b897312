"""What a store keeps of each metric, so that it can be read where the metric is not installed."""

from __future__ import annotations

from dataclasses import replace

from ..metrics.card import MetricCard
from ..metrics.metric import Metric


def card_of(metric: Metric, known: MetricCard | None = None) -> MetricCard:
    """The card of a metric as it measures here.

    Args:
        known: what the store has; its version stays where the weights that tell it are missing here.
    """
    version = metric.card.version
    if not metric.missing():
        version = metric.implementation
    elif known is not None and known.version.startswith(version):
        version = known.version
    of_set = metric.of_set is not None
    return replace(metric.card, version=version, combined=of_set, payload=of_set or metric.card.payload)
