"""Metrics that are objects of a Python session, with the reference ``session:ID`` during a run of this process."""

from __future__ import annotations

from dataclasses import replace

from ...methods.user_code.references import ObjectReference
from ...methods.user_code.session import PREFIX, SessionObjects, object_identity
from .metric import Metric, MetricError
from .third_party import identified, of_function

SESSION_METRICS: SessionObjects[Metric] = SessionObjects(MetricError)
"""Metrics of the run that is going on."""


def metric_of(value: object, name: str = "") -> Metric:
    """The metric of an object: a ``Metric``, or a function of SR and HR with a mapping ``card``.

    Raises:
        MetricError: the object is neither.
    """
    metric = value if isinstance(value, Metric) else of_function(value)
    if name:
        metric = replace(metric, card=replace(metric.card, id=name, title=name))
    identity = object_identity(metric.measure if isinstance(value, Metric) else value)
    return replace(identified(metric, identity), code=ObjectReference(f"{PREFIX}{metric.id}"))
