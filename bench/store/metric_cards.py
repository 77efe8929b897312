"""The card of a metric in a store, with which the store can be read where the metric is not installed."""

from __future__ import annotations

from dataclasses import replace

from ..metrics.card import MetricCard
from ..metrics.metric import Metric


def card_of(metric: Metric, known: MetricCard | None = None) -> MetricCard:
    """The card of a metric with the version of its implementation on this machine.

    Args:
        metric: the metric.
        known: card in the store; if the weights are missing on this machine, its version is kept.
    """
    version = metric.card.version
    if not metric.missing():
        version = metric.implementation
    elif known is not None and known.version.startswith(version):
        version = known.version
    of_set = metric.of_set is not None
    return replace(metric.card, version=version, combined=of_set, payload=of_set or metric.card.payload)
