"""Comparison of two perception-distortion curves of a store at equal distortion.

A curve is one model at several values of a setting: the methods ``NAME-2``, ``NAME-8``, ``NAME-28`` are its points.
Single points of two curves say little, since a model that gives up fidelity gains in other metrics for nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...datasets.names import did_you_mean
from ..metrics.metric import Metric, Payload
from ..metrics.registry import metrics_of, stored_id
from ..store.records import Place
from ..store.store import open_store
from .clusters import Clusters, clusters_of
from .compare import ComparisonError, better_of
from .per_image import names_with_scales, per_image, places_of
from .sets import combine, paired_sets
from .statistics import Paired, holm, paired

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Partner:
    """The mixture of two neighbouring points of a curve that has a given mean distortion."""

    low: int
    """Index of the point with less distortion."""
    high: int
    """Index of the point with more distortion."""
    share: float
    """Share of ``high`` in [0, 1]: a method that restores this share of the images with ``high`` and the others with
    ``low`` has the expected values of the mixture."""

    def values(self, curve: Sequence[Floats]) -> Floats:
        """Values of images for the mixture, from the values at each point of the curve."""
        mixed: Floats = (1 - self.share) * curve[self.low] + self.share * curve[self.high]
        return mixed


def partner(distortions: Sequence[float], target: float) -> Partner | None:
    """The mixture of two points of a curve with the mean distortion ``target``; None if the curve does not reach it."""
    order = np.argsort(distortions)
    means = np.asarray(distortions, dtype=np.float64)[order]
    if len(means) < 2 or not means[0] <= target <= means[-1]:
        return None
    above = min(max(int(np.searchsorted(means, target)), 1), len(means) - 1)
    width = means[above] - means[above - 1]
    share = 0.0 if width == 0 else float((target - means[above - 1]) / width)
    return Partner(int(order[above - 1]), int(order[above]), share)


@dataclass(frozen=True)
class CurveComparison:
    """One point of the first curve against the second curve at the same mean distortion."""

    dataset: str
    protocol: str
    metric: str
    digits: int
    point: str
    distortion: float
    result: Paired | None
    """None if the second curve does not reach the point's distortion."""
    p: float
    """P-value adjusted for all points of the comparison."""
    better: str


def compare_curves(
    root: Path,
    first: str,
    second: str,
    *,
    distortion: str,
    metrics: Sequence[str] | None = None,
    datasets: Sequence[str] | None = None,
) -> list[CurveComparison]:
    """Compare every point of one curve with the other curve at the mean distortion of the point, image by image.

    Values of whole sets (mIoU, AP, FID) are compared by their pseudo-values, on the straight line between two
    neighbouring points.

    Args:
        root: folder of the store.
        first: name of the first curve, without the setting's value.
        second: name of the second curve.
        distortion: id of the metric in which the curves are made equal, such as ``psnr_y``.
        metrics: ids of the metrics to compare; default: all metrics of the store.
        datasets: names of datasets; default: all datasets of the store.

    Raises:
        ComparisonError: the store has no such curve or metric.
        StoreError: the folder is not a store.
    """
    with open_store(root) as store:
        scores = store.scores()
        shown = names_with_scales(scores)
        scores = scores[scores["status"] == "done"]
        known = metrics_of(scores["metric"].unique(), store.metrics())
        distortion = stored_id(distortion, known)
        payloads = {id: dict(store.payloads(id)) for id, metric in known.items() if metric.of_set is not None}
        clusters = clusters_of(store)
    for name in (first, second):
        if len(_points(scores, name)) < 2:
            raise ComparisonError(f"{root}: has no curve '{name}': no two methods named {name}-NUMBER with scores")
    chosen = [stored_id(id, known) for id in metrics or known]
    for id in (distortion, *chosen):
        if id not in known:
            raise ComparisonError(f"{root}: has no scores of '{id}'{did_you_mean(id, known)}")
    if known[distortion].of_set is not None:
        raise ComparisonError(f"'{distortion}' is a value of whole sets; curves are made equal in a metric of images")
    compared_ids = [id for id in known if id in chosen and id != distortion]
    if datasets:
        scores = scores[scores["dataset"].isin(datasets)]
    names = {name: _points(scores, name) for name in (first, second)}
    compared = []
    for (protocol, scale, dataset), part in scores.groupby(["protocol", "scale", "dataset"], sort=False):
        name = shown[protocol, scale, dataset]
        tables = {
            str(id): per_image(group, known[str(id)])
            for id, group in part.groupby("metric", sort=False)
            if id in (*compared_ids, distortion)
        }
        for id in compared_ids:
            if id not in tables or distortion not in tables:
                continue
            if known[id].of_set is None:
                results = _compare(tables, names, first, second, known[id], distortion, str(dataset), clusters)
            else:
                rows = part[part["metric"] == id]
                groups = clusters.of(str(dataset), rows["image"].unique())
                results = _compare_sets(rows, payloads[id], tables[distortion], names, first, second, known[id], groups)
            compared += [(name, str(protocol), known[id], *result_of_point) for result_of_point in results]
    adjusted = holm([np.nan if result is None else result.p for *_, result in compared])
    return [
        CurveComparison(
            dataset,
            protocol,
            metric.id,
            metric.card.digits,
            point,
            mean,
            result,
            float(p),
            "-" if result is None else better_of(first, second, metric, result, float(p)),
        )
        for (dataset, protocol, metric, point, mean, result), p in zip(compared, adjusted, strict=True)
    ]


def _compare(
    tables: Mapping[str, pd.DataFrame],
    names: Mapping[str, list[str]],
    first: str,
    second: str,
    metric: Metric,
    distortion: str,
    dataset: str,
    clusters: Clusters,
) -> list[tuple[str, float, Paired | None]]:
    """Each point of the first curve with its mean distortion and the result."""
    methods = [*names[first], *names[second]]
    images = set.intersection(
        *(set(tables[id].reindex(columns=methods).dropna().index) for id in (metric.id, distortion))
    )
    chosen = sorted(images)
    if clusters.count(dataset, chosen) < 2:
        return []
    values = {name: clusters.units(dataset, chosen, tables[metric.id].loc[chosen, name].to_numpy()) for name in methods}
    means = {name: float(tables[distortion].loc[chosen, name].mean()) for name in methods}
    rows: list[tuple[str, float, Paired | None]] = []
    for point in names[first]:
        place = partner([means[name] for name in names[second]], means[point])
        second_values = None if place is None else place.values([values[name] for name in names[second]])
        rows.append((point, means[point], None if second_values is None else paired(values[point], second_values)))
    return rows


def _compare_sets(
    scores: pd.DataFrame,
    payloads: Mapping[Place, Payload],
    distortions: pd.DataFrame,
    names: Mapping[str, list[str]],
    first: str,
    second: str,
    metric: Metric,
    groups: Mapping[str, str] | None,
) -> list[tuple[str, float, Paired | None]]:
    """As ``_compare``, for a metric of whole sets, on the images that all points have."""
    methods = [*names[first], *names[second]]
    complete = set(distortions.reindex(columns=methods).dropna().index)
    rows = scores[scores["method"].isin(methods) & scores["image"].isin(complete)]
    shared = set.intersection(*(set(rows["image"][rows["method"] == name]) for name in methods))
    parts: dict[str, dict[tuple[str, int], Payload]] = {name: {} for name in methods}
    for place in places_of(rows[rows["image"].isin(shared)]):
        if place in payloads:
            parts[place.method][place.image, place.seed] = payloads[place]
    sets = {name: combine(metric, part, groups) for name, part in parts.items()}
    if len({set_value.images for set_value in sets.values()}) > 1 or any(
        set_value.pseudo.size < 2 or np.isnan(set_value.pseudo).any() for set_value in sets.values()
    ):
        return []
    means = {name: float(distortions.loc[sorted(shared), name].mean()) for name in methods}
    values = {name: set_value.pseudo for name, set_value in sets.items()}
    results: list[tuple[str, float, Paired | None]] = []
    for point in names[first]:
        mixture = partner([means[name] for name in names[second]], means[point])
        result = None
        if mixture is not None:
            second_values = mixture.values([values[name] for name in names[second]])
            result = paired_sets(values[point], second_values, len(shared))
        results.append((point, means[point], result))
    return results


def _points(scores: pd.DataFrame, name: str) -> list[str]:
    """Methods that are points of a curve, in the order of the setting's value."""
    matches = (re.fullmatch(rf"{re.escape(name)}-(\d+(?:\.\d+)?)", method) for method in scores["method"].unique())
    return [match[0] for match in sorted((match for match in matches if match), key=lambda match: float(match[1]))]
