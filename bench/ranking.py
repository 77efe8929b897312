"""Average ranks of methods over metrics and datasets, with intervals over images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .metrics.metric import Metric
from .statistics import LEVEL, resampling_weights

Floats = NDArray[np.float64]
COLUMNS = ["protocol", "dataset", "method", "rank", "low", "high"]
_RESAMPLES = 1_000


def per_image(scores: pd.DataFrame, metric: Metric) -> pd.DataFrame:
    """What is compared of one metric's cells (``Metric.compared``), images by methods; NaN where a method has none.

    Seeds are averaged within an image.
    """
    values = pd.Series(metric.compared(scores["value"].to_numpy(dtype=np.float64)), index=scores.index)
    return values.groupby([scores["image"], scores["method"]]).mean().unstack("method")


def ranks(values: Floats, metric: Metric) -> Floats:
    """Ranks along the last axis at printed precision: 1 is best, equal values share their mean rank, NaN stays NaN."""
    own = np.round(metric.losses(values), metric.digits)
    better = (own[..., None, :] < own[..., :, None]).sum(-1)
    equal = (own[..., None, :] == own[..., :, None]).sum(-1)
    return np.where(np.isnan(own), np.nan, better + (equal + 1) / 2)


def average_ranks(scores: pd.DataFrame, means: pd.DataFrame, metrics: Sequence[Metric]) -> pd.DataFrame:
    """Mean rank over metrics for each dataset, and over datasets (dataset '').

    Only methods with values of all of a dataset's ranking metrics on all images take part there, and only those that
    take part everywhere in the overall rank. Intervals: percentile bootstrap over images; the same resampled images
    serve all methods and metrics. Values of sets that are not means of images keep their rank in it; where there are no
    others, ``low`` and ``high`` are NaN.

    Args:
        scores: cells, with the names of datasets as in ``means``.
        means: rows of ``Board.scores``.
    """
    ranking = {metric.id: metric for metric in metrics if metric.direction != "none"}
    rows: list[tuple[object, ...]] = []
    for protocol, ours in means[means["metric"].isin(ranking)].groupby("protocol", sort=False):
        parts = {}
        for dataset, part in ours.groupby("dataset", sort=False):
            cells = scores[(scores["protocol"] == protocol) & (scores["dataset"] == dataset)]
            parts[str(dataset)] = _of_dataset(part, cells, ranking)
        for dataset, (methods, point, draws) in parts.items():
            rows += _rows(str(protocol), dataset, methods, point, draws)
        if len(parts) > 1:
            rows += _rows(str(protocol), "", *_overall(list(parts.values())))
    return pd.DataFrame(rows, columns=COLUMNS)


Ranked = tuple[list[str], Floats, Floats]
"""Methods, their mean ranks ``[methods]``, and those of resampled sets ``[R, methods]``."""


def _of_dataset(means: pd.DataFrame, cells: pd.DataFrame, ranking: Mapping[str, Metric]) -> Ranked:
    here = [id for id in ranking if id in set(means["metric"])]
    images = means.groupby("metric")["n"].max()
    complete = means[means["value"].notna() & (means["n"] == means["metric"].map(images))]
    counts = complete.groupby("method", sort=False)["metric"].nunique()
    methods = [str(name) for name in counts.index[counts == len(here)]]
    table = complete.pivot(index="method", columns="metric", values="value").reindex(index=methods, columns=here)
    points = (
        np.stack([ranks(table[id].to_numpy(dtype=np.float64), ranking[id]) for id in here]) if here else np.empty(0)
    )
    if not methods:
        return [], np.empty(0), np.empty((_RESAMPLES, 0))
    samples = [None if ranking[id].combine is not None else _resampled(cells, methods, ranking[id]) for id in here]
    if all(values is None for values in samples):
        return methods, points.mean(0), np.full((_RESAMPLES, len(methods)), np.nan)
    drawn = [
        np.broadcast_to(point, (_RESAMPLES, len(methods))) if values is None else ranks(values, ranking[id])
        for id, point, values in zip(here, points, samples, strict=True)
    ]
    return methods, points.mean(0), np.mean(drawn, axis=0)


def _resampled(cells: pd.DataFrame, methods: Sequence[str], metric: Metric) -> Floats | None:
    """The metric's value of resampled sets, ``[R, methods]``; None where there are too few images or some infinite."""
    ours = cells[(cells["metric"] == metric.id) & cells["method"].isin(methods)]
    values = per_image(ours, metric).reindex(columns=list(methods)).dropna().to_numpy(dtype=np.float64)
    if len(values) < 2 or not np.isfinite(values).all():
        return None
    return resampled(values, _RESAMPLES)


def resampled(values: Floats, resamples: int) -> Floats:
    """Means of resampled sets, the same for all methods: ``[images, methods]`` to ``[R, methods]``."""
    means: Floats = resampling_weights(len(values), resamples) @ values / len(values)
    return means


def _overall(parts: Sequence[Ranked]) -> Ranked:
    everywhere = [name for name in parts[0][0] if all(name in methods for methods, _, _ in parts)]
    places = [[methods.index(name) for name in everywhere] for methods, _, _ in parts]
    point = np.mean([own[place] for (_, own, _), place in zip(parts, places, strict=True)], axis=0)
    draws = np.mean([own[:, place] for (_, _, own), place in zip(parts, places, strict=True)], axis=0)
    return everywhere, np.atleast_1d(point), draws


def _rows(protocol: str, dataset: str, methods: list[str], point: Floats, draws: Floats) -> list[tuple[object, ...]]:
    if not methods:
        return []
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return [(protocol, dataset, name, *map(float, numbers))
            for name, *numbers in zip(methods, point, low, high, strict=True)]  # fmt: skip
