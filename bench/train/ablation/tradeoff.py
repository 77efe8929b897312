"""Arms as curves over sampling steps: how far one lies from another at equal distortion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...analysis.per_image import per_image
from ...analysis.sets import left_out, pseudo_values
from ...analysis.statistics import interval
from ...metrics.metric import Metric

Floats = NDArray[np.float64]
_POINTS = 33


@dataclass(frozen=True)
class Gap:
    """How much worse (positive) or better (negative) an arm's second metric is where the first is equal."""

    dataset: str
    protocol: str
    arm: str
    reference: str
    x: str
    y: str
    overlap: float
    """Share of the reference's range of ``x`` that both curves cover; 0: they cannot be compared."""
    gap: float
    """Mean over that range, in units of ``y``, of its size where 0 is best; below 0 the arm is better."""
    low: float
    high: float
    """95 % interval over images, by the pseudo-values of a jackknife."""


def gaps(
    scores: pd.DataFrame, curves: Mapping[str, Sequence[str]], reference: str, x: Metric, ys: Sequence[Metric]
) -> list[Gap]:
    """Compare every curve with the reference's, on the images that all have.

    Args:
        curves: arm to its methods in order of steps.
        x, ys: metrics of images; values of whole sets are no mean over images.
    """
    found = []
    for (protocol, dataset), part in scores.dropna(subset=["value"]).groupby(["protocol", "dataset"], sort=False):
        tables = {
            metric.id: per_image(part[part["metric"] == metric.id], metric)
            for metric in (x, *ys)
            if metric.id in set(part["metric"])
        }
        for y in ys:
            if x.id not in tables or y.id not in tables:
                continue
            for arm, methods in curves.items():
                names = [*curves[reference], *methods]
                if arm == reference or not all(name in tables[id].columns for id in (x.id, y.id) for name in names):
                    continue
                own, theirs = (_drawn(tables, x, y, list(one)) for one in (methods, curves[reference]))
                if own is None or theirs is None:
                    continue
                values = np.array([_gap(*pair) for pair in zip(own, theirs, strict=True)])
                low, high = interval(pseudo_values(values[0, 0], values[1:, 0]))
                found.append(Gap(str(dataset), str(protocol), arm, reference, x.id, y.id, float(values[0, 1]),
                                 float(values[0, 0]), low, high))  # fmt: skip
    return found


def _drawn(tables: Mapping[str, pd.DataFrame], x: Metric, y: Metric, methods: list[str]) -> Floats | None:
    """Points ``[1 + N, methods, 2]``: the whole set, then those that lack an image each; losses of both metrics."""
    images = tables[x.id].dropna().index.intersection(tables[y.id].dropna().index)
    if len(images) < 2:
        return None
    sets = np.concatenate([np.ones((1, len(images))), left_out(len(images))])
    columns = []
    for metric in (x, y):
        values = tables[metric.id].loc[images, methods].to_numpy(dtype=np.float64)
        columns.append(metric.card.losses(sets @ values / sets.sum(1, keepdims=True)))
    return np.stack(columns, axis=-1)


def _gap(own: Floats, theirs: Floats) -> tuple[float, float]:
    """Mean vertical distance over the shared range of the first coordinate, and that range's share of ``theirs``."""
    own, theirs = own[np.argsort(own[:, 0])], theirs[np.argsort(theirs[:, 0])]
    low, high = max(own[0, 0], theirs[0, 0]), min(own[-1, 0], theirs[-1, 0])
    span = theirs[-1, 0] - theirs[0, 0]
    if high < low or span <= 0:
        return float("nan"), 0.0
    at = np.linspace(low, high, _POINTS)
    distance = np.interp(at, own[:, 0], own[:, 1]) - np.interp(at, theirs[:, 0], theirs[:, 1])
    return float(distance.mean()), float((high - low) / span)
