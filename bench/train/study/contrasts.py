"""From scores to choices and tests: the frontier of the prior, settings chosen on one set, contrasts on the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isnan, nan, sqrt

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from ...analysis.curves import partner
from ...analysis.per_image import per_image
from ...analysis.sets import left_out, pseudo_values
from ...analysis.statistics import holm, interval, permutation_p
from ...metrics.metric import Metric
from ...metrics.registry import get_metric
from .points import Point, Setting, points_of
from .spec import PRIOR, Contrast, Study

Floats = NDArray[np.float64]
POWER = 0.8
TESTED, NOT_REACHED, NOT_MADE = "tested", "not reached", "not made"
"""Outcomes of a planned test."""


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
    first_point: str = ""
    second_point: str = ""
    """One point, or the mixture of two."""
    evaluations: int = 0
    second_evaluations: float = nan
    photos: int = 0
    training_seeds: int = 0
    difference: float = nan
    """Mean over photos of first minus second."""
    low: float = nan
    high: float = nan
    """95 % interval over photos."""
    smallest: float = nan
    """The smallest difference that the set can show: two-sided 5 %, power 80 %, before any correction."""
    p: float = nan
    """Sign-flip permutation test over photos; NaN where it is not made."""
    p_plan: float = nan
    """Corrected (Holm) over all tests of the plan, also those that are not made."""
    outcome: str = TESTED
    """``tested``, ``not reached`` (the second has no point of the first's distortion) or ``not made``."""
    reason: str = ""
    """Why a test is not made."""


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
        if metric not in self.metrics:
            return False
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


def choice_marks(study: Study, settings: Sequence[Setting], scores: Scores) -> list[tuple[Setting, float]]:
    """What the choice goes by: of each setting the mean standardised difference from the prior at equal distortion.

    The differences are averaged over the metrics of ``chosen_by``, the tested steps and the sets of the choice; each is
    divided by its standard error, and below 0 is better. Infinite where a setting leaves the prior's range of
    distortion; a setting without scores is left out.
    """
    marks: list[tuple[Setting, float]] = []
    curve = [point for point in points_of(study, settings[0]) if not point.blend]
    x = study.measurement.metrics[0]
    for setting in settings:
        if setting.family == PRIOR:
            continue
        own: list[float] = []
        for dataset in study.measurement.choice:
            usable = [point for point in curve if scores.has(dataset, x, [point])]
            for point in (Point(setting, steps) for steps in study.tested_steps):
                for id in study.measurement.chosen_by:
                    if not scores.has(dataset, id, [point, *usable]):
                        continue
                    gap = _against(scores, dataset, x, id, point, usable)
                    if gap is None:
                        own.append(np.inf)
                        continue
                    error = max(float(gap[0].std(ddof=1)) / sqrt(len(gap[0])), 1e-12)
                    sign = -1.0 if scores.metrics[id].card.direction == "higher" else 1.0
                    own.append(sign * float(gap[0].mean()) / error)
        if own:
            marks.append((setting, float(np.mean(own))))
    return marks


def chosen_settings(study: Study, settings: Sequence[Setting], scores: Scores) -> dict[str, Setting]:
    """Of each family the setting with the least mark; a family without scores is left out."""
    best: dict[str, tuple[float, Setting]] = {PRIOR: (0.0, settings[0])}
    for setting, mark in choice_marks(study, settings, scores):
        if setting.family not in best or mark < best[setting.family][0]:
            best[setting.family] = mark, setting
    return {family: setting for family, (_, setting) in best.items()}


def contrasts(study: Study, chosen: Mapping[str, Setting], scores: Scores) -> list[Difference]:
    """All tests of the plan, corrected together; those that the scores do not allow count in the correction.

    A test that is not made has the corrected weight of one with p = 1, so that leaving work out never helps another.
    """
    planned = [
        difference
        for dataset in study.measurement.report for contrast in study.contrasts for steps in study.tested_steps
        for difference in compared(study, contrast, chosen, scores, dataset, steps)
    ]  # fmt: skip
    adjusted = holm([1.0 if isnan(one.p) else one.p for one in planned])
    return [one if isnan(one.p) else replace(one, p_plan=float(p)) for one, p in zip(planned, adjusted, strict=True)]


def explored(study: Study, chosen: Mapping[str, Setting], scores: Scores) -> list[Difference]:
    """What no test of the plan asks, where it was measured, without correction: findings to be tested anew.

    Families that the plan does not compare with the prior are compared with it; those that it does also with arms that
    have no value of beta, the controls. Some families have one seed of sampling: give scores of that seed alone.
    """
    planned = {(one.first, one.second) for one in study.contrasts}
    compared_ones = dict.fromkeys(one.first for one in study.contrasts)
    controls = [name for name, arm in study.arms.items() if not arm.betas]
    pairs = [(family, PRIOR) for family in chosen if family != PRIOR] + [
        (family, control) for family in compared_ones for control in controls if family != control
    ]
    return [
        difference
        for dataset in study.measurement.report for pair in pairs if pair not in planned
        for equal in ("distortion", "evaluations") for steps in study.tested_steps
        for difference in compared(study, Contrast(first=pair[0], second=pair[1], equal=equal), chosen, scores, dataset,
                                   steps)
        if difference.outcome == TESTED
    ]  # fmt: skip


def compared(
    study: Study, contrast: Contrast, chosen: Mapping[str, Setting], scores: Scores, dataset: str, steps: int
) -> Iterator[Difference]:
    """One contrast on one set at one number of steps, in every metric."""
    x, *ys = study.measurement.metrics
    for id in ys if contrast.equal == "distortion" else (x, *ys):
        direction = get_metric(id).card.direction
        empty = Difference(
            contrast.first, contrast.second, contrast.equal, contrast.curve, dataset, steps, id, direction,
            outcome=NOT_MADE,
        )  # fmt: skip
        families = [name for name in (contrast.first, contrast.second) if name not in chosen]
        if families:
            yield replace(empty, reason=f"nothing was measured of {' and '.join(families)}")
            continue
        point, curve = Point(chosen[contrast.first], steps), _curve(study, contrast, chosen[contrast.second])
        empty = replace(empty, first_point=point.name, evaluations=point.evaluations)
        needed = [point] if contrast.equal == "distortion" else [point, _as_costly(curve, point)]
        missing = [one.name for one in needed if not _measured(scores, dataset, (x, id), one)]
        if missing:
            yield replace(empty, reason=f"not measured: {', '.join(missing)}")
        elif contrast.equal == "evaluations":
            values = scores.values(dataset, id, point) - scores.values(dataset, id, needed[1])
            yield _tested(empty, scores, point, values, needed[1].name, needed[1].evaluations)
        else:
            yield _at_equal_distortion(empty, scores, point, curve, x)


def _at_equal_distortion(empty: Difference, scores: Scores, point: Point, curve: Sequence[Point], x: str) -> Difference:
    """The test against a curve of which points may be missing: only between neighbours of the whole curve."""
    there = [one for one in curve if _measured(scores, empty.dataset, (x, empty.metric), one)]
    missing = ", ".join(one.name for one in curve if one not in there)
    gap = _against(scores, empty.dataset, x, empty.metric, point, there) if there else None
    if gap is None and not missing:
        return replace(empty, outcome=NOT_REACHED, reason=f"no point of {empty.second} has this {x}")
    if gap is None:
        return replace(empty, reason=f"not measured: {missing}")
    low, high = there[gap[1][0]], there[gap[1][1]]
    if missing and abs(curve.index(low) - curve.index(high)) > 1:
        return replace(empty, reason=f"not measured: {missing}")
    share = gap[1][2]
    cost = (1 - share) * low.evaluations + share * high.evaluations
    return _tested(empty, scores, point, gap[0], f"{low.name} to {high.name}, {share:.2f}", cost)


def _tested(
    empty: Difference, scores: Scores, point: Point, values: Floats, second: str, evaluations: float
) -> Difference:
    low, high = interval(values)
    return replace(
        empty, outcome=TESTED, second_point=second, second_evaluations=evaluations, photos=len(values),
        training_seeds=scores.seeds(point), difference=float(values.mean()), low=low, high=high,
        smallest=smallest_difference(values), p=permutation_p(values),
    )  # fmt: skip


def _measured(scores: Scores, dataset: str, metrics: Sequence[str], point: Point) -> bool:
    return all(scores.has(dataset, id, [point]) for id in metrics)


def _as_costly(curve: Sequence[Point], point: Point) -> Point:
    """The point of a curve whose evaluations are nearest; of two the cheaper."""
    return min(curve, key=lambda one: (abs(one.evaluations - point.evaluations), one.evaluations))


def _against(
    scores: Scores, dataset: str, x: str, id: str, point: Point, curve: Sequence[Point]
) -> tuple[Floats, tuple[int, int, float]] | None:
    def both(one: Point) -> tuple[Floats, Floats]:
        return scores.values(dataset, x, one), scores.values(dataset, id, one)

    return at_equal_distortion(both(point), [both(one) for one in curve])


def _curve(study: Study, contrast: Contrast, setting: Setting) -> list[Point]:
    """Points of the second side in order: by steps, or from one sample to the mean of several."""
    points = sorted(points_of(study, setting), key=lambda one: (one.blend, one.steps))
    if contrast.curve == "steps":
        return [one for one in points if not one.blend]
    return [one for one in points if one.blend or one.steps == study.frontier.blend_steps]
