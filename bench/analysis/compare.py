"""Paired comparison of two methods on the images that both restored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...datasets.errors import BenchError
from ...datasets.names import did_you_mean
from ..metrics.card import Floats
from ..metrics.metric import Metric, Payload
from ..metrics.registry import metrics_of, stored_id
from ..store.records import Place
from ..store.store import open_store
from .clusters import Clusters, clusters_of
from .equivalence import Equivalence, equivalence
from .per_image import names_with_scales, per_image, places_of
from .power import smallest_difference, units_needed
from .sets import combine, paired_sets
from .statistics import SIGNIFICANT, Paired, holm, paired

if TYPE_CHECKING:
    import pandas as pd


class ComparisonError(BenchError, ValueError):
    """The store has not the scores that a comparison needs; the message says what it has."""


@dataclass(frozen=True)
class Comparison:
    """Comparison of two methods in one metric on one dataset under one protocol."""

    dataset: str
    """With the scale, such as ``Set5 x2``, where the store has several, as in tables."""
    protocol: str
    metric: str
    digits: int
    result: Paired
    p: float
    """Adjusted for all rows of the comparison."""
    wins: float
    """Share of images on which the first method is better; a tie counts half."""
    better: str
    """The method that is better by the metric's direction; ``-`` if the difference is not significant."""
    units: int
    """Number of images, or of clusters of images: the sample size of intervals and tests."""
    smallest: float
    """The true difference that a set of this size finds with a power of 80 % (before the correction); NaN: too few
    images."""
    needed: float
    """Number of images or clusters that find the measured difference, if it is the true one, with a power of 80 %."""
    equivalence: Equivalence | None = None
    """Result of the test of equivalence; None if no margin was given."""


def compare_methods(
    root: Path,
    first: str,
    second: str,
    *,
    metrics: Sequence[str] | None = None,
    datasets: Sequence[str] | None = None,
    margins: Mapping[str, float] | None = None,
    clusters: Mapping[str, Any] | None = None,
) -> list[Comparison]:
    """Paired comparisons of two methods of a store; seeds are averaged within an image.

    Metrics whose best value is 0 are compared by their absolute values (``MetricCard.compared``).

    Args:
        root: folder of the store.
        first: name of the first method.
        second: name of the second method.
        metrics: ids of metrics; default: all metrics of the store.
        datasets: names of datasets; default: all datasets of the store.
        margins: for a metric the largest difference that counts as none, in its unit; it is tested for equivalence.
        clusters: for a dataset its rule of clusters, as in specs; replaces the rules of specs and cards.

    Raises:
        ComparisonError: the store has no scores of a method, metric or dataset, or none that both methods share.
        StoreError: the folder is not a store.
    """
    with open_store(root) as store:
        scores = store.scores()
        names = names_with_scales(scores)
        scores = scores[scores["status"] == "done"]
        known_metrics = metrics_of(scores["metric"], store.metrics())
        payloads = {id: dict(store.payloads(id)) for id, metric in known_metrics.items() if metric.of_set is not None}
        groups = clusters_of(store, clusters)
    allowed = {stored_id(id, known_metrics): margin for id, margin in (margins or {}).items()}
    unknown = [id for id in allowed if id not in known_metrics]
    if unknown:
        raise ComparisonError(
            f"{root}: has no values of metric '{unknown[0]}'{did_you_mean(unknown[0], known_metrics)}"
        )
    if first == second:
        raise ComparisonError(f"'{first}' is compared with itself; name two methods")
    for name in (first, second):
        if name not in set(scores["method"]):
            known = sorted(map(str, scores["method"].unique()))
            raise ComparisonError(f"{root}: has no scores of '{name}'{did_you_mean(name, known)}")
    ids = [stored_id(id, known_metrics) for id in metrics or known_metrics]
    if absent := [id for id in ids if id not in known_metrics]:
        raise ComparisonError(f"{root}: has no values of metric '{absent[0]}'{did_you_mean(absent[0], known_metrics)}")
    selected = scores[scores["metric"].isin(ids)]
    known_datasets = sorted(map(str, scores["dataset"].unique()))
    if strange := [name for name in datasets or () if name not in known_datasets]:
        raise ComparisonError(
            f"{root}: has no scores of dataset '{strange[0]}'{did_you_mean(strange[0], known_datasets)}"
        )
    if datasets:
        selected = selected[selected["dataset"].isin(datasets)]
    results: list[tuple[str, str, Metric, Paired, Floats]] = []
    place = ["protocol", "scale", "dataset", "metric"]
    for (protocol, scale, dataset, id), group in selected.groupby(place, sort=False):
        shown = names[protocol, scale, dataset]
        metric = known_metrics[str(id)]
        if metric.of_set is not None:
            set_result = _sets(group, payloads[metric.id], metric, first, second, groups)
            if set_result is not None:
                results.append((shown, str(protocol), metric, *set_result))
            continue
        shared = per_image(group, metric).reindex(columns=[first, second]).dropna()
        first_values, second_values = (shared[name].to_numpy() for name in (first, second))
        images = [str(name) for name in shared.index]
        if len(shared) > 1 and np.isfinite(first_values).all() and np.isfinite(second_values).all():
            units = [groups.units(str(dataset), images, values) for values in (first_values, second_values)]
            if len(units[0]) > 1:
                result = replace(
                    paired(*units),
                    n=len(shared),
                    wins=float(((first_values > second_values) + 0.5 * (first_values == second_values)).mean()),
                )
                results.append((shown, str(protocol), metric, result, units[0] - units[1]))
    if not results:
        raise ComparisonError(
            f"{root}: '{first}' and '{second}' share no two images (or clusters of them) with finite scores of these"
            " metrics"
        )
    adjusted = holm([result.p for *_, result, _ in results])
    rows = []
    for (dataset, protocol, metric, result, differences), p in zip(results, adjusted, strict=True):
        spread, margin = float(differences.std(ddof=1)), allowed.get(metric.id)
        rows.append(
            Comparison(
                dataset,
                protocol,
                metric.id,
                metric.card.digits,
                result,
                float(p),
                _wins(result, metric),
                better_of(first, second, metric, result, float(p)),
                differences.size,
                smallest_difference(spread, differences.size),
                units_needed(result.difference, spread),
                None if margin is None else equivalence(differences, margin),
            )
        )
    return rows


def _sets(
    group: pd.DataFrame, payloads: Mapping[Place, Payload], metric: Metric, first: str, second: str, clusters: Clusters
) -> tuple[Paired, Floats] | None:
    """Comparison of two values of a set by their pseudo-values, with the differences; None for fewer than two images.

    The share of wins is over the images that have a value themselves.
    """
    images = set.intersection(*(set(group["image"][group["method"] == name]) for name in (first, second)))
    values = []
    groups = clusters.of(str(group["dataset"].iloc[0]), images)
    for name in (first, second):
        places = places_of(group[(group["method"] == name) & group["image"].isin(images)])
        values.append(combine(metric, {(at.image, at.seed): payloads[at] for at in places if at in payloads}, groups))
    first_value, second_value = values
    if (
        first_value.images != second_value.images
        or first_value.pseudo.size < 2
        or np.isnan(first_value.pseudo + second_value.pseudo).any()
    ):
        return None
    shared = per_image(group, metric)[[first, second]].dropna()
    a, b = (shared[name].to_numpy() for name in (first, second))
    wins = float(((a > b) + 0.5 * (a == b)).mean()) if len(a) else float("nan")
    return paired_sets(
        first_value.pseudo, second_value.pseudo, len(first_value.images), wins=wins
    ), first_value.pseudo - second_value.pseudo


def _wins(result: Paired, metric: Metric) -> float:
    return result.wins if metric.card.direction in ("higher", "none") else 1 - result.wins


def better_of(first: str, second: str, metric: Metric, result: Paired, p: float) -> str:
    """The better of two methods by the metric's direction; ``-`` if the difference is not significant.

    Args:
        first: name of the first method.
        second: name of the second method.
        metric: the metric, which says whether higher or lower is better.
        result: the paired comparison, whose sign counts.
        p: p-value after the correction, in [0, 1].
    """
    if p >= SIGNIFICANT or metric.card.direction == "none":
        return "-"
    return first if (result.difference > 0) == (metric.card.direction == "higher") else second
