"""Two methods on the images that both restored."""

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
from .per_image import per_image, places_of
from .power import smallest_difference, units_needed
from .sets import combine, paired_sets
from .statistics import SIGNIFICANT, Paired, holm, paired

if TYPE_CHECKING:
    import pandas as pd


class ComparisonError(BenchError, ValueError):
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
    wins: float
    """Share of images on which the first method is better; a tie counts half."""
    better: str
    """The method that is better by the metric's direction; ``-`` where the test cannot tell."""
    units: int
    """What intervals and tests count: images, or clusters of them."""
    smallest: float
    """The true difference that such a set would show in 80 % of cases (before the correction); NaN: too few images."""
    needed: float
    """Images or clusters with which the difference that was measured, were it the true one, would be found in 80 %."""
    equivalence: Equivalence | None = None
    """Where a margin was given."""


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

    Metrics whose best value is 0 are compared by their size (``Metric.compared``).

    Args:
        root: folder of the store.
        first, second: methods.
        metrics: ids; default: all.
        datasets: default: all.
        margins: by metric, differences that count as none; each is tested for equivalence.
        clusters: by dataset, as in specs; in place of what specs and cards say.

    Raises:
        ComparisonError: a method, metric or dataset that the store does not have for both.
        StoreError: no store there.
    """
    with open_store(root) as store:
        scores = store.scores()
        scores = scores[scores["status"] == "done"]
        known_metrics = metrics_of(scores["metric"], store.metrics())
        payloads = {id: dict(store.payloads(id)) for id, one in known_metrics.items() if one.of_set is not None}
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
    wanted = scores[scores["metric"].isin(ids)]
    there = sorted(map(str, scores["dataset"].unique()))
    if strange := [name for name in datasets or () if name not in there]:
        raise ComparisonError(f"{root}: has no scores of dataset '{strange[0]}'{did_you_mean(strange[0], there)}")
    if datasets:
        wanted = wanted[wanted["dataset"].isin(datasets)]
    found: list[tuple[str, str, Metric, Paired, Floats]] = []
    place = ["protocol", "scale", "dataset", "metric"]
    for (protocol, _, dataset, id), group in wanted.groupby(place, sort=False):
        metric = known_metrics[str(id)]
        if metric.of_set is not None:
            both = _sets(group, payloads[metric.id], metric, first, second, groups)
            if both is not None:
                found.append((str(dataset), str(protocol), metric, *both))
            continue
        shared = per_image(group, metric).reindex(columns=[first, second]).dropna()
        one, other = (shared[name].to_numpy() for name in (first, second))
        images = [str(name) for name in shared.index]
        if len(shared) > 1 and np.isfinite(one).all() and np.isfinite(other).all():
            units = [groups.units(str(dataset), images, values) for values in (one, other)]
            if len(units[0]) > 1:
                result = replace(
                    paired(*units), n=len(shared), wins=float(((one > other) + 0.5 * (one == other)).mean())
                )
                found.append((str(dataset), str(protocol), metric, result, units[0] - units[1]))
    if not found:
        raise ComparisonError(
            f"{root}: '{first}' and '{second}' share no two images (or clusters of them) with finite scores of these"
            " metrics"
        )
    adjusted = holm([result.p for *_, result, _ in found])
    rows = []
    for (dataset, protocol, metric, result, differences), p in zip(found, adjusted, strict=True):
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
    """Two values of the set that both restored, by their pseudo-values; None below two images.

    The share of wins is over images that have a value of their own.
    """
    images = set.intersection(*(set(group["image"][group["method"] == name]) for name in (first, second)))
    values = []
    groups = clusters.of(str(group["dataset"].iloc[0]), images)
    for name in (first, second):
        places = places_of(group[(group["method"] == name) & group["image"].isin(images)])
        values.append(combine(metric, {(at.image, at.seed): payloads[at] for at in places if at in payloads}, groups))
    one, other = values
    if one.images != other.images or one.pseudo.size < 2 or np.isnan(one.pseudo + other.pseudo).any():
        return None
    shared = per_image(group, metric)[[first, second]].dropna()
    a, b = (shared[name].to_numpy() for name in (first, second))
    wins = float(((a > b) + 0.5 * (a == b)).mean()) if len(a) else float("nan")
    return paired_sets(one.pseudo, other.pseudo, len(one.images), wins=wins), one.pseudo - other.pseudo


def _wins(result: Paired, metric: Metric) -> float:
    return result.wins if metric.card.direction in ("higher", "none") else 1 - result.wins


def better_of(first: str, second: str, metric: Metric, result: Paired, p: float) -> str:
    """The better one by the metric's direction; ``-`` where the test cannot tell."""
    if p >= SIGNIFICANT or metric.card.direction == "none":
        return "-"
    return first if (result.difference > 0) == (metric.card.direction == "higher") else second
