"""Distance between two arms, seen as curves over sampling steps, at equal distortion."""

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
    """How much worse (positive) or better (negative) an arm is in metric ``y`` at equal values of metric ``x``."""

    dataset: str
    protocol: str
    arm: str
    reference: str
    x: str
    y: str
    overlap: float
    """Share of the reference's range of ``x`` that both curves cover; 0: the curves cannot be compared."""
    gap: float
    """Mean over that range in units of ``y`` (of absolute values if 0 is the best value); below 0 the arm is better."""
    low: float
    high: float
    """95 % interval over images, by the pseudo-values of a jackknife."""


def gaps(
    scores: pd.DataFrame, curves: Mapping[str, Sequence[str]], reference: str, x: Metric, ys: Sequence[Metric]
) -> list[Gap]:
    """Compare every curve with the reference's curve, on the images that both have.

    Args:
        scores: rows with the columns protocol, dataset, metric, method, image, seed and value.
        curves: for each arm its methods, one for each number of steps.
        reference: arm that the others are compared with; a key of ``curves``.
        x: metric of distortion, of single images.
        ys: metrics that are compared at equal ``x``, of single images: values of whole sets are no mean over images.
    """
    found_gaps = []
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
                curve, reference_curve = (
                    _drawn(tables, x, y, list(names_of_curve)) for names_of_curve in (methods, curves[reference])
                )
                if curve is None or reference_curve is None:
                    continue
                values = np.array([_gap(*pair) for pair in zip(curve, reference_curve, strict=True)])
                low, high = interval(pseudo_values(values[0, 0], values[1:, 0]))
                found_gaps.append(
                    Gap(
                        str(dataset),
                        str(protocol),
                        arm,
                        reference,
                        x.id,
                        y.id,
                        float(values[0, 1]),
                        float(values[0, 0]),
                        low,
                        high,
                    )
                )
    return found_gaps


def _drawn(tables: Mapping[str, pd.DataFrame], x: Metric, y: Metric, methods: list[str]) -> Floats | None:
    """Losses in both metrics ``[1 + N, methods, 2]``: of all N images, then of each set that lacks one image."""
    images = tables[x.id].dropna().index.intersection(tables[y.id].dropna().index)
    if len(images) < 2:
        return None
    sets = np.concatenate([np.ones((1, len(images))), left_out(len(images))])
    columns = []
    for metric in (x, y):
        values = tables[metric.id].loc[images, methods].to_numpy(dtype=np.float64)
        columns.append(metric.card.losses(sets @ values / sets.sum(1, keepdims=True)))
    return np.stack(columns, axis=-1)


def _gap(curve: Floats, reference_curve: Floats) -> tuple[float, float]:
    """Mean vertical distance over the shared range of x, and the share of the reference's range that is shared."""
    curve, reference_curve = curve[np.argsort(curve[:, 0])], reference_curve[np.argsort(reference_curve[:, 0])]
    low, high = max(curve[0, 0], reference_curve[0, 0]), min(curve[-1, 0], reference_curve[-1, 0])
    span = reference_curve[-1, 0] - reference_curve[0, 0]
    if high < low or span <= 0:
        return float("nan"), 0.0
    at = np.linspace(low, high, _POINTS)
    distance = np.interp(at, curve[:, 0], curve[:, 1]) - np.interp(at, reference_curve[:, 0], reference_curve[:, 1])
    return float(distance.mean()), float((high - low) / span)
