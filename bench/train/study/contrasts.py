"""From scores to choices and tests: the frontier of the prior, settings chosen on one set, contrasts on the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan, sqrt

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from ...analysis.curves import partner
from ...analysis.per_image import per_image
from ...analysis.sets import left_out, pseudo_values
from ...analysis.statistics import holm, interval, permutation_p
from ...metrics.metric import Metric
from .points import Point, Setting, points_of
from .spec import PRIOR, Contrast, Study

Floats = NDArray[np.float64]
POWER = 0.8


@dataclass(frozen=True)
class Difference:
    """What one family gives beyond another on one set, at one number of steps, in one metric."""

    first: str
    second: str
    equal: str
    curve: str
    dataset: str
    steps: int
    metric: str
    direction: str
    """Of the metric: which sign is better."""
    first_point: str
    second_point: str
    """One point, or the mixture of two."""
    evaluations: int
    second_evaluations: float
    photos: int
    training_seeds: int
    difference: float
    """Mean over photos of first minus second."""
    low: float
    high: float
    """95 % interval over photos."""
    smallest: float
    """The smallest difference that the set can show: two-sided 5 %, power 80 %, before any correction."""
    p: float
    """Sign-flip permutation test over photos; NaN where the second does not reach the first's distortion."""
    p_plan: float = nan
    """Corrected (Holm) over all tests of the plan."""


class Scores:
    """Values of photos by point; seeds of training and sampling are averaged within a photo."""

    def __init__(self, frame: pd.DataFrame, metrics: Mapping[str, Metric]) -> None:
        self.frame, self.metrics = frame, metrics
        self._tables: dict[tuple[str, str], pd.DataFrame] = {}

    @property
    def datasets(self) -> list[str]:
        """Names of the sets."""
        return list(dict.fromkeys(self.frame["dataset"]))

    def seeds(self, point: Point) -> int:
        """Training seeds of a point."""
        return int(self.frame.loc[self.frame["point"] == point.name, "training_seed"].nunique())

    def table(self, dataset: str, metric: str) -> pd.DataFrame:
        """Photos by points."""
        key = dataset, metric
        if key not in self._tables:
            rows = self.frame[(self.frame["dataset"] == dataset) & (self.frame["metric"] == metric)]
            rows = rows.drop(columns="method").rename(columns={"point": "method"})
            self._tables[key] = per_image(rows.dropna(subset=["value"]), self.metrics[metric])
        return self._tables[key]

    def has(self, dataset: str, metric: str, points: Sequence[Point]) -> bool:
        """Whether all photos of a set have a value of each point."""
        table = self.table(dataset, metric)
        return all(point.name in table.columns and bool(table[point.name].notna().all()) for point in points)

    def values(self, dataset: str, metric: str, point: Point) -> Floats:
        """Of the photos, in order of their names."""
        values: Floats = self.table(dataset, metric)[point.name].to_numpy(dtype=np.float64)
        return values


def at_equal_distortion(
    first: tuple[Floats, Floats], curve: Sequence[tuple[Floats, Floats]]
) -> tuple[Floats, tuple[int, int, float]] | None:
    """Differences of photos from the mixture of a curve's neighbouring points that has the same mean distortion.

    The mixture depends on the set, so photos' differences are the pseudo-values of a jackknife that finds it anew each
    time.

    Args:
        first: distortion and metric of the photos.
        curve: the same of each of its points.

    Returns:
        The differences ``[N]``, whose mean is the difference, and the mixture; None where the curve does not reach.
    """
    size = len(first[0])
    sets = np.concatenate([np.ones((1, size)), left_out(size)])
    weights = sets / sets.sum(1, keepdims=True)
    own_x, own_y = weights @ first[0], weights @ first[1]
    xs, ys = (np.stack([weights @ point[axis] for point in curve], axis=1) for axis in (0, 1))
    whole = partner(xs[0].tolist(), float(own_x[0]))
    if whole is None:
        return None
    gaps = []
    for number in range(len(sets)):
        place = partner(xs[number].tolist(), float(own_x[number])) or whole
        gaps.append(own_y[number] - ((1 - place.share) * ys[number, place.low] + place.share * ys[number, place.high]))
    return pseudo_values(gaps[0], np.asarray(gaps[1:])), (whole.low, whole.high, whole.share)


def smallest_difference(differences: Floats) -> float:
    """What a paired two-sided test at 5 % finds in 4 of 5 sets of so many photos with this spread."""
    count = len(differences)
    if count < 2:
        return nan
    quantiles = special.stdtrit(count - 1, 0.975) + special.stdtrit(count - 1, POWER)
    return float(quantiles * differences.std(ddof=1) / sqrt(count))


def chosen_settings(study: Study, settings: Sequence[Setting], scores: Scores) -> dict[str, Setting]:
    """Of each family the setting with the least standardised differences from the prior at equal distortion.

    The differences are averaged over the metrics of ``chosen_by``, the tested steps and the sets of the choice; each is
    divided by its standard error. Settings that leave the prior's range of distortion are not chosen where others do
    not; a setting whose family has no scores is left out.
    """
    chosen: dict[str, tuple[float, Setting]] = {}
    curve = [one for one in points_of(study, settings[0]) if not one.blend]
    x = study.measurement.metrics[0]
    for setting in settings:
        if setting.family == PRIOR:
            chosen[PRIOR] = 0.0, setting
            continue
        marks: list[float] = []
        for dataset in study.measurement.choice:
            usable = [point for point in curve if scores.has(dataset, x, [point])]
            for point in (Point(setting, steps) for steps in study.tested_steps):
                for id in study.measurement.chosen_by:
                    if id not in scores.metrics or not scores.has(dataset, id, [point, *usable]):
                        continue
                    found = _against(scores, dataset, x, id, point, usable)
                    if found is None:
                        marks.append(np.inf)
                        continue
                    error = max(float(found[0].std(ddof=1)) / sqrt(len(found[0])), 1e-12)
                    sign = -1.0 if scores.metrics[id].card.direction == "higher" else 1.0
                    marks.append(sign * float(found[0].mean()) / error)
        if marks:
            mark = float(np.mean(marks))
            best = chosen.get(setting.family)
            if best is None or mark < best[0]:
                chosen[setting.family] = mark, setting
    return {family: setting for family, (_, setting) in chosen.items()}


def contrasts(study: Study, chosen: Mapping[str, Setting], scores: Scores) -> list[Difference]:
    """All tests of the plan that the scores allow, corrected together."""
    found: list[Difference] = []
    for dataset in study.measurement.report:
        for contrast in study.contrasts:
            if contrast.first in chosen and contrast.second in chosen:
                for steps in study.tested_steps:
                    found += _compared(study, contrast, chosen, scores, dataset, steps)
    adjusted = holm([one.p for one in found])
    return [Difference(**{**one.__dict__, "p_plan": float(p)}) for one, p in zip(found, adjusted, strict=True)]


def _compared(
    study: Study, contrast: Contrast, chosen: Mapping[str, Setting], scores: Scores, dataset: str, steps: int
) -> list[Difference]:
    x, *ys = study.measurement.metrics
    point = Point(chosen[contrast.first], steps)
    curve = [one for one in _curve(study, contrast, chosen[contrast.second]) if scores.has(dataset, x, [one])]
    if not curve or not scores.has(dataset, x, [point]):
        return []
    rows = []
    for id in ys if contrast.equal == "distortion" else (x, *ys):
        if id not in scores.metrics or not scores.has(dataset, id, [point, *curve]):
            continue  # the metric is unavailable here, or a point has no scores
        differences, second, cost = _difference(contrast, scores, dataset, x, id, point, curve)
        there = differences is not None
        values = differences if differences is not None else np.full(1, nan)
        low, high = interval(values) if there else (nan, nan)
        rows.append(
            Difference(
                contrast.first, contrast.second, contrast.equal, contrast.curve, dataset, steps, id,
                scores.metrics[id].card.direction,
                point.name, second, point.evaluations, cost, len(scores.table(dataset, id)), scores.seeds(point),
                float(values.mean()), low, high, smallest_difference(values) if there else nan,
                permutation_p(values) if there else nan,
            )
        )  # fmt: skip
    return rows


def _difference(
    contrast: Contrast, scores: Scores, dataset: str, x: str, id: str, point: Point, curve: Sequence[Point]
) -> tuple[Floats | None, str, float]:
    """Differences of photos, what the second side is, and its evaluations."""
    if contrast.equal == "evaluations":
        other = min(curve, key=lambda one: (abs(one.evaluations - point.evaluations), one.evaluations))
        return scores.values(dataset, id, point) - scores.values(dataset, id, other), other.name, other.evaluations
    found = _against(scores, dataset, x, id, point, curve)
    if found is None:
        return None, "not reached", nan
    low, high, share = found[1]
    cost = (1 - share) * curve[low].evaluations + share * curve[high].evaluations
    return found[0], f"{curve[low].name} to {curve[high].name}, {share:.2f}", cost


def _against(
    scores: Scores, dataset: str, x: str, id: str, point: Point, curve: Sequence[Point]
) -> tuple[Floats, tuple[int, int, float]] | None:
    def both(one: Point) -> tuple[Floats, Floats]:
        return scores.values(dataset, x, one), scores.values(dataset, id, one)

    return at_equal_distortion(both(point), [both(one) for one in curve])


def _curve(study: Study, contrast: Contrast, setting: Setting) -> list[Point]:
    """Points of the second side: by steps, or the one sample, its blends with the mean of several, and that mean."""
    points = list(points_of(study, setting))
    if contrast.curve == "steps":
        return [one for one in points if not one.blend]
    return [one for one in points if one.blend or one.steps == study.frontier.blend_steps]
