"""Find a metric by its id: metrics of this package, of tasks, and of users."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...datasets.names import did_you_mean
from ...methods.user_code.references import ObjectReference, is_object, parse_object
from ...methods.user_code.session import PREFIX as SESSION
from .card import MetricCard
from .faithfulness import FEATURES, JUDGE
from .metric import Metric, MetricError, Score, SetMetric
from .metric_input import MetricInput
from .pyiqa_by_name import PYIQA
from .shipped import shipped_metrics
from .third_party import installed_metric, installed_metrics, metric_from_code


def get_metric(reference: str | Mapping[str, Any] | ObjectReference) -> Metric:
    """The metric of a reference, with its code, to measure with.

    Args:
        reference: an id of ``shipped_metrics``, ``MEASURE:ENGINE`` of a task, ``pyiqa:NAME``, or a user's own metric
            (``third_party``), also as a mapping with arguments (``parse_object``).

    Raises:
        MetricError: no metric has the id, and the message names similar ones; or the metric cannot be used.
    """
    metrics = shipped_metrics()
    if isinstance(reference, str) and reference in metrics:
        return metrics[reference]
    parsed = parse_object(reference, "metric", MetricError)
    text = parsed.text
    if text.startswith(SESSION):
        from .session import SESSION_METRICS

        return SESSION_METRICS.find(text)
    from .tasks.catalogue import is_task_id, measures, task_metric

    if text.startswith(FEATURES):
        from .faithfulness.features import model_metric

        return model_metric(text)
    if text.startswith(JUDGE):
        from .faithfulness.judge import judge_metric

        return judge_metric(text)
    if text.startswith(PYIQA):
        from .pyiqa_by_name.metric import metric_of_library

        return metric_of_library(text)
    if text in metrics:
        raise MetricError(f"metric '{text}': 'args' and 'name' go with code of your own")
    if is_task_id(text):
        return task_metric(parsed)
    try:
        if is_object(text):
            return metric_from_code(parsed)
        if text in installed_metrics():
            return installed_metric(parsed)
    except MetricError as error:
        raise MetricError(f"{error}{did_you_mean(text, measures())}") from error
    known = [*metrics, *measures(), *installed_metrics()]
    raise MetricError(
        f"unknown metric '{text}'{did_you_mean(text, known, 'asasr-bench list metrics')}; also your own: FILE.py:NAME,"
        " module:NAME, judge:FILE.yaml, pyiqa:NAME"
    )


def metrics_of(ids: Iterable[str], cards: Mapping[str, MetricCard] | None = None) -> dict[str, Metric]:
    """The metrics behind values that were stored, in the order in which tables show them: task metrics last.

    Only code of this package and of installed plug-ins is imported, whatever is in the store. A metric that they do not
    know is made from its card, which is enough to show and to compare values.

    Args:
        ids: ids of the metrics.
        cards: cards of the store by id.
    """
    requested = set(ids)
    shipped = shipped_metrics()
    others_sorted = sorted(requested - set(shipped))
    cards = cards or {}
    return {
        id: shipped[id] if id in shipped else _of_card(id, cards.get(id))
        for id in (*(id for id in shipped if id in requested), *others_sorted)
    }


def stored_id(reference: str | Mapping[str, Any], ids: Collection[str]) -> str:
    """The id in a store of a metric that a user names; the user's text if the store has no such metric."""
    parsed = parse_object(reference, "metric", MetricError)
    if parsed.text in ids:
        return parsed.text
    from .tasks.catalogue import is_task_id

    if is_task_id(parsed.text) or is_object(parsed.text) or parsed.text.startswith(JUDGE):
        with contextlib.suppress(MetricError):
            return get_metric(parsed).id
    return parsed.text


def _of_card(id: str, card: MetricCard | None) -> Metric:
    from .tasks.catalogue import is_task_id, task_metric_of_card

    with contextlib.suppress(MetricError):  # an engine or a plug-in that another installation has
        if is_task_id(id):
            return task_metric_of_card(id, card)
        if id in installed_metrics():
            return get_metric(id)
    card = card or MetricCard(id, id, note="neither this installation nor the store knows more of it than its name")
    of_set = None
    if card.combined:
        of_set = SetMetric(lambda payloads: float("nan"), lambda payloads, draws: np.full(len(draws), np.nan))
        unknown = "the value of a set needs the metric's code, which is not installed"
        card = replace(card, note="; ".join(filter(None, (card.note, unknown))))

    def measure(inputs: Sequence[MetricInput], device: str) -> list[Score]:
        raise MetricError(f"metric '{id}' is known from its card alone; its code is not installed")

    return Metric(card, measure, of_set)
