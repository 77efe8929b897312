"""Average ranks of methods over metrics and datasets, with intervals over images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ...reports.board import RANK_COLUMNS
from ..metrics.metric import Metric
from .statistics import FEWEST, LEVEL, Floats, resampled

if TYPE_CHECKING:
    from .contests import Contest

_RESAMPLES = 1_000
_LEAST_RANKED = 0.5
"""Share of a dataset's metrics that a ranked method has at least. A method with fewer is not ranked, since the metrics
that it lacks would then not count for any method."""


def ranks(values: Floats, metric: Metric) -> Floats:
    """Ranks along the last axis at printed precision: 1 is best, equal values share their mean rank, NaN stays NaN."""
    losses = np.round(metric.card.losses(values), metric.card.digits)
    better = (losses[..., None, :] < losses[..., :, None]).sum(-1)
    equal = (losses[..., None, :] == losses[..., :, None]).sum(-1)
    return np.where(np.isnan(losses), np.nan, better + (equal + 1) / 2)


@dataclass(frozen=True)
class Ranking:
    """Average ranks of all protocols."""

    rows: pd.DataFrame
    """``RANK_COLUMNS``; dataset '' is the mean over datasets."""
    notes: Mapping[str, tuple[str, ...]]
    """By protocol, sentences that say which metrics and methods of which datasets are not in the ranks."""


@dataclass(frozen=True)
class Ranked:
    """Mean ranks of the methods of one dataset, or over all datasets."""

    methods: tuple[str, ...]
    point: Floats
    """Mean ranks ``[methods]``."""
    draws: Floats | None
    """Mean ranks ``[R, methods]`` on R resampled sets of images; None for too few images."""


def average_ranks(contests: Sequence[Contest]) -> Ranking:
    """Mean rank over metrics for each dataset, and over datasets (dataset '').

    On a dataset, a method is ranked if it has at least half of the dataset's metrics. The metrics that all ranked
    methods have count, each on the images that all compared methods have. The overall rank has only the methods that
    are ranked on every dataset.

    Intervals: percentile bootstrap over images, with the same resampled images for all methods and metrics, widened to
    contain the rank itself, since resampling moves ranks towards the middle. The rank in a metric with fewer than five
    images or with infinite values is not resampled; if that is so for all metrics, ``low`` and ``high`` are NaN.
    """
    rows = [row for place in ranked_datasets(contests) for row in rows_of(*place)]
    notes: dict[str, tuple[str, ...]] = {}
    for protocol, dataset, of_dataset in _places(contests):
        notes[protocol] = (*notes.get(protocol, ()), *_left_out(dataset, of_dataset, *_that_all_have(of_dataset)))
    return Ranking(pd.DataFrame(rows, columns=RANK_COLUMNS), notes)


def ranked_datasets(contests: Sequence[Contest]) -> Iterator[tuple[str, str, Ranked]]:
    """Protocol, dataset and ranks; after several datasets of a protocol comes '' with the ranks over all of them."""
    parts: dict[str, dict[str, Ranked]] = {}
    for protocol, dataset, of_dataset in _places(contests):
        methods, chosen = _that_all_have(of_dataset)
        parts.setdefault(protocol, {})
        if chosen:
            parts[protocol][dataset] = _of_dataset(methods, chosen)
    for protocol, by_dataset in parts.items():
        yield from ((protocol, dataset, part) for dataset, part in by_dataset.items())
        if len(by_dataset) > 1:
            yield protocol, "", _overall(list(by_dataset.values()))


def _places(contests: Sequence[Contest]) -> Iterator[tuple[str, str, list[Contest]]]:
    """The contests of each protocol and dataset that rank methods."""
    ranking = [contest for contest in contests if contest.metric.card.direction != "none"]
    for protocol in dict.fromkeys(contest.protocol for contest in ranking):
        of_protocol = [contest for contest in ranking if contest.protocol == protocol]
        for dataset in dict.fromkeys(contest.dataset for contest in of_protocol):
            yield protocol, dataset, [contest for contest in of_protocol if contest.dataset == dataset]


def _that_all_have(contests: Sequence[Contest]) -> tuple[tuple[str, ...], list[Contest]]:
    """The methods of a dataset that are ranked, and the metrics by which they are."""
    with_values = [contest for contest in contests if contest.methods]
    names = dict.fromkeys(name for contest in with_values for name in contest.methods)
    counts = {name: sum(name in contest.methods for contest in with_values) for name in names}
    methods = tuple(name for name, count in counts.items() if count >= _LEAST_RANKED * len(with_values))
    return methods, [contest for contest in with_values if set(methods) <= set(contest.methods)] if methods else []


def _left_out(
    dataset: str, contests: Sequence[Contest], methods: Sequence[str], chosen: Sequence[Contest]
) -> Iterator[str]:
    with_values = [contest for contest in contests if contest.methods]
    for contest in contests:
        if contest in with_values and contest not in chosen:
            lacking = [name for name in methods if name not in contest.methods]
            title = contest.metric.card.title
            yield f"{dataset}: {title} is not in the ranks; it lacks values of {', '.join(lacking)}."
        elif contest not in with_values:
            yield f"{dataset}: {contest.metric.card.title} is not in the ranks; no method has values of it."
    for name in dict.fromkeys(entry.method for contest in contests for entry in contest.entries):
        count = sum(name in contest.methods for contest in with_values)
        if name not in methods and any(name in (*contest.methods, *contest.left_out) for contest in with_values):
            yield f"{dataset}: {name} is not ranked; it has {count} of {len(with_values)} metrics on enough images."


def _of_dataset(methods: tuple[str, ...], contests: Sequence[Contest]) -> Ranked:
    points, drawn = [], []
    for contest in contests:
        columns = [contest.methods.index(name) for name in methods]
        point = ranks(contest.values[columns], contest.metric)
        units = contest.units[:, columns]
        points.append(point)
        enough = len(units) >= FEWEST and bool(np.isfinite(units).all())
        drawn.append(ranks(resampled(units, _RESAMPLES), contest.metric) if enough else None)
    if all(ranks_drawn is None for ranks_drawn in drawn):
        return Ranked(methods, np.mean(points, axis=0), None)
    draws = [
        point[None] if ranks_drawn is None else ranks_drawn for point, ranks_drawn in zip(points, drawn, strict=True)
    ]
    return Ranked(methods, np.mean(points, axis=0), np.mean(np.broadcast_arrays(*draws), axis=0))


def _overall(parts: Sequence[Ranked]) -> Ranked:
    everywhere = tuple(name for name in parts[0].methods if all(name in part.methods for part in parts))
    places = [[part.methods.index(name) for name in everywhere] for part in parts]
    point = np.mean([part.point[place] for part, place in zip(parts, places, strict=True)], axis=0)
    if any(part.draws is None for part in parts):
        return Ranked(everywhere, point, None)
    draws = [part.draws[:, place] for part, place in zip(parts, places, strict=True) if part.draws is not None]
    return Ranked(everywhere, point, np.mean(draws, axis=0))


def rows_of(protocol: str, dataset: str, part: Ranked) -> Iterator[tuple[str, str, str, float, float, float]]:
    """Rows with the columns ``RANK_COLUMNS``."""
    low = high = np.full(len(part.methods), np.nan)
    if part.draws is not None and part.methods:
        low, high = np.quantile(part.draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
        low, high = np.minimum(low, part.point), np.maximum(high, part.point)
    for name, *numbers in zip(part.methods, part.point, low, high, strict=True):
        rank, *bounds = map(float, numbers)
        yield protocol, dataset, name, rank, bounds[0], bounds[1]
