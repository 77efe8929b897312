"""Two methods on the images that both restored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .metrics.metric import Metric, all_metrics
from .statistics import Paired, holm, paired
from .store import open_store

_SIGNIFICANT = 0.05


class ComparisonError(ValueError):
    """Nothing to compare; the message says what the store has."""


@dataclass(frozen=True)
class Comparison:
    """One metric on one dataset under one protocol."""

    dataset: str
    protocol: str
    metric: str
    digits: int
    result: Paired
    p: float
    """Adjusted for all rows of the comparison."""
    better: str
    """The method that is better by the metric's direction; ``-`` where the test cannot tell."""


def compare_methods(
    root: Path, first: str, second: str, *, metrics: Sequence[str] | None = None, datasets: Sequence[str] | None = None
) -> list[Comparison]:
    """Paired comparisons of two methods of a store; seeds are averaged within an image.

    Metrics whose best value is 1 are compared by their distance from it.

    Raises:
        ComparisonError: a method, metric or dataset that the store does not have for both.
        StoreError: no store there.
    """
    with open_store(root) as store:
        scores = store.scores().dropna(subset=["value"])
    for name in (first, second):
        if name not in set(scores["method"]):
            known = ", ".join(sorted(scores["method"].unique())) or "none"
            raise ComparisonError(f"{root}: has no scores of '{name}' (methods with scores: {known})")
    known_metrics = all_metrics()
    wanted = scores[scores["metric"].isin(metrics or known_metrics) & scores["metric"].isin(known_metrics)]
    if datasets:
        wanted = wanted[wanted["dataset"].isin(datasets)]
    found = []
    place = ["protocol", "scale", "dataset", "metric"]
    for (protocol, _, dataset, id), group in wanted.groupby(place, sort=False):
        metric = known_metrics[str(id)]
        means = group.groupby(["method", "image"])["value"].mean()
        a, b = (means.get(name) for name in (first, second))
        if a is None or b is None:
            continue
        images = a.index.intersection(b.index)
        one, other = (loss_of(series.loc[images].to_numpy(), metric) for series in (a, b))
        if len(images) > 1 and np.isfinite(one).all() and np.isfinite(other).all():
            found.append((str(dataset), str(protocol), metric, paired(one, other)))
    if not found:
        raise ComparisonError(
            f"{root}: '{first}' and '{second}' share no two images with finite scores of these metrics"
        )
    adjusted = holm([result.p for *_, result in found])
    return [
        Comparison(dataset, protocol, metric.id, metric.digits, result, float(p),
                   better_of(first, second, metric, result, float(p)))
        for (dataset, protocol, metric, result), p in zip(found, adjusted, strict=True)
    ]  # fmt: skip


def loss_of(values: np.ndarray, metric: Metric) -> np.ndarray:
    """What is compared: the values, or their distance from 1 where that is best."""
    return np.abs(values - 1) if metric.direction == "one" else values


def better_of(first: str, second: str, metric: Metric, result: Paired, p: float) -> str:
    """The better one by the metric's direction; ``-`` where the test cannot tell."""
    if p >= _SIGNIFICANT or metric.direction == "none":
        return "-"
    return first if (result.difference > 0) == (metric.direction == "higher") else second
