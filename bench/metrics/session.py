"""Metrics that are objects of a Python session, found by ``session:ID`` for as long as a run of this process lasts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from ...methods.user_code.references import ObjectReference
from ...methods.user_code.session import PREFIX, object_identity
from .metric import Metric, MetricError
from .third_party import identified, of_function

_METRICS: dict[str, Metric] = {}
"""Those of the run that is going on, by their references."""


@contextmanager
def session_metrics(metrics: Mapping[str, Metric]) -> Iterator[None]:
    """Let metrics be found by ``session:ID`` in the block."""
    before = dict(_METRICS)
    _METRICS.update({f"{PREFIX}{id}": metric for id, metric in metrics.items()})
    try:
        yield
    finally:
        _METRICS.clear()
        _METRICS.update(before)


def session_metric(text: str) -> Metric:
    """The metric of a reference.

    Raises:
        MetricError: no run with it is going on.
    """
    if text not in _METRICS:
        raise MetricError(
            f"'{text}' was an object in somebody's Python; give that object to evaluate, or its code as FILE.py:NAME"
        )
    return _METRICS[text]


def metric_of(value: object, name: str = "") -> Metric:
    """The metric that an object is: a ``Metric``, or a function of SR and HR with a mapping ``card``.

    Raises:
        MetricError: it is neither.
    """
    metric = value if isinstance(value, Metric) else of_function(value)
    if name:
        metric = replace(metric, card=replace(metric.card, id=name, title=name))
    identity = object_identity(metric.measure if isinstance(value, Metric) else value)
    return replace(identified(metric, identity), code=ObjectReference(f"{PREFIX}{metric.id}"))
