"""Stability of a leaderboard: would other images give the same order? Average ranks on resampled sets of images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..metrics.registry import metrics_of
from ..store.store import open_store
from .clusters import clusters_of
from .contests import Contest
from .leaderboard import ceilings, contests_of, leave_out_infinite, methods_of, outputs_of, scores_of
from .ranks import Ranked, ranked_datasets, rows_of
from .seeds import StabilityError, chosen_metrics
from .statistics import Floats


@dataclass(frozen=True)
class RankStability:
    """The order of the methods on one dataset, and how it changes on resampled sets of images."""

    protocol: str
    dataset: str
    """Name of the dataset; '' for the mean over datasets."""
    methods: tuple[str, ...]
    """Methods, the best average rank first."""
    rank: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    """95 % interval of the rank."""
    first: tuple[float, ...]
    """Share of resampled sets in which the method is the best; tied methods share it."""
    ahead: tuple[float, ...]
    """Share of resampled sets in which the method is ahead of the next one; ties count half. NaN for the last."""
    same_order: float
    """Share of resampled sets in which all methods keep their order."""
    kendall: float
    """Mean of Kendall's tau between the order and the orders on resampled sets."""


def rank_stability(root: Path, *, metrics: Sequence[str] | None = None) -> list[RankStability]:
    """How stable the average ranks of a store are under resampling of images (or of clusters of them).

    Args:
        root: folder of the store.
        metrics: ids of the metrics that count; default: all metrics of the store.

    Raises:
        StabilityError: no two methods are ranked on enough images, or the store has no values of a metric.
        StoreError: the folder is not a store.
    """
    with open_store(root) as store:
        scores, outputs = scores_of(store), outputs_of(store)
        known = chosen_metrics(root, metrics_of(scores["metric"].unique(), store.metrics()), metrics)
        scores = leave_out_infinite(scores[scores["metric"].isin(list(known))])[0]
        hr_itself = ceilings(methods_of(store, outputs))
        played = contests_of(store, scores, list(known.values()), hr_itself, clusters_of(store))
    rows = list(stability_of(played))
    if not rows:
        raise StabilityError(f"{root}: has no two methods with ranks on five or more images (or clusters of images)")
    return rows


def stability_of(contests: Sequence[Contest]) -> Iterator[RankStability]:
    """Stability of the average ranks of contests; datasets with too few images are left out."""
    for protocol, dataset, part in ranked_datasets(contests):
        if part.draws is not None and len(part.methods) > 1:
            yield _of(protocol, dataset, part, part.draws)


def _of(protocol: str, dataset: str, part: Ranked, draws: Floats) -> RankStability:
    order = np.argsort(part.point, kind="stable")
    methods, point, draws = [part.methods[place] for place in order], part.point[order], draws[:, order]
    bounds = {name: (low, high) for _, _, name, _, low, high in rows_of(protocol, dataset, part)}
    best = draws == draws.min(1, keepdims=True)
    first = (best / best.sum(1, keepdims=True)).mean(0)
    ahead = np.append(_before(draws[:, :-1], draws[:, 1:]).mean(0), np.nan)
    above = np.triu_indices(len(methods), 1)
    signs = np.sign(draws[:, above[1]] - draws[:, above[0]])
    expected = np.sign(point[above[1]] - point[above[0]])
    return RankStability(
        protocol,
        dataset,
        tuple(methods),
        tuple(map(float, point)),
        tuple(bounds[name][0] for name in methods),
        tuple(bounds[name][1] for name in methods),
        tuple(map(float, first)),
        tuple(map(float, ahead)),
        float((signs == expected).all(1).mean()),
        float((signs * expected).mean()),
    )


def _before(first: Floats, second: Floats) -> Floats:
    """1 where the first rank is better, a half where both are equal, else 0."""
    halves: Floats = (first < second) + 0.5 * (first == second)
    return halves
