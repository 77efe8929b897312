"""Choose the settings of a planned study on one set of images, and compute its planned tests on the other sets."""

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
    """Difference between two families on one set, at one number of steps, in one metric."""

    first: str
    second: str
    equal: str
    curve: str
    dataset: str
    steps: int
    metric: str
    direction: str
    """Direction of the metric: which sign is better."""
    first_point: str = ""
    second_point: str = ""
    """Name of one point, or of two points and their mixture."""
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
    """P-value of the sign-flip permutation test over photos; NaN if the test is not made."""
    p_plan: float = nan
    """P-value corrected (Holm) over all tests of the plan, also those that are not made."""
    outcome: str = TESTED
    """``tested``, ``not reached`` (the second family has no point at the first's distortion) or ``not made``."""
    reason: str = ""
    """Why the test is not made."""


class Scores:
    """Values of photos at each point; seeds of training and of sampling are averaged within a photo."""

    def __init__(self, frame: pd.DataFrame, metrics: Mapping[str, Metric]) -> None:
        self.frame, self.metrics = frame, metrics
        self._tables: dict[tuple[str, str], pd.DataFrame] = {}

    @property
    def datasets(self) -> list[str]:
        """Names of the sets."""
        return list(dict.fromkeys(self.frame["dataset"]))

    def seeds(self, point: Point) -> int:
        """Number of training seeds of a point."""
        return int(self.frame.loc[self.frame["point"] == point.name, "training_seed"].nunique())

    def table(self, dataset: str, metric: str) -> pd.DataFrame:
        """Values with a row for each photo and a column for each point."""
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
        """Values ``[N]`` of the photos at a point, in the order of the photos' names."""
        values: Floats = self.table(dataset, metric)[point.name].to_numpy(dtype=np.float64)
        return values


def at_equal_distortion(
    first: tuple[Floats, Floats], curve: Sequence[tuple[Floats, Floats]]
) -> tuple[Floats, tuple[int, int, float]] | None:
    """Differences of photos from the mixture of two neighbouring points of a curve with the same mean distortion.

    The mixture depends on the photos. So the differences are the pseudo-values of a jackknife, which determines the
    mixture again for each set without one photo.

    Args:
        first: distortion ``[N]`` and metric ``[N]`` of the photos.
        curve: distortion and metric of the same photos at each point of the curve.

    Returns:
        The differences ``[N]``, whose mean is the difference of the set, and the mixture: the index of its first and
        its second point, and the share of the second. None if no point of the curve has such a distortion.
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
    """Smallest difference that a paired two-sided test at 5 % finds with a power of 80 %, given the spread of photos.

    Args:
        differences: differences ``[N]`` of the photos, of which the number and the standard deviation count.
    """
    count = len(differences)
    if count < 2:
        return nan
    quantiles = special.stdtrit(count - 1, 0.975) + special.stdtrit(count - 1, POWER)
    return float(quantiles * differences.std(ddof=1) / sqrt(count))


def choice_marks(study: Study, settings: Sequence[Setting], scores: Scores) -> list[tuple[Setting, float]]:
    """Mark of each setting, by which it is chosen: its mean standardised difference from the prior at equal distortion.

    Each difference is divided by its standard error; then the differences are averaged over the metrics of
    ``chosen_by``, the tested steps and the sets of the choice. A mark below 0 is better than the prior. The mark is
    infinite if a setting leaves the prior's range of distortion; a setting without scores has no mark.
    """
    marks: list[tuple[Setting, float]] = []
    curve = [point for point in points_of(study, settings[0]) if not point.blend]
    x = study.measurement.metrics[0]
    for setting in settings:
        if setting.family == PRIOR:
            continue
        standardised: list[float] = []
        for dataset in study.measurement.choice:
            usable = [point for point in curve if scores.has(dataset, x, [point])]
            for point in (Point(setting, steps) for steps in study.tested_steps):
                for id in study.measurement.chosen_by:
                    if not scores.has(dataset, id, [point, *usable]):
                        continue
                    gap = _against(scores, dataset, x, id, point, usable)
                    if gap is None:
                        standardised.append(np.inf)
                        continue
                    error = max(float(gap[0].std(ddof=1)) / sqrt(len(gap[0])), 1e-12)
                    sign = -1.0 if scores.metrics[id].card.direction == "higher" else 1.0
                    standardised.append(sign * float(gap[0].mean()) / error)
        if standardised:
            marks.append((setting, float(np.mean(standardised))))
    return marks


def chosen_settings(study: Study, settings: Sequence[Setting], scores: Scores) -> dict[str, Setting]:
    """The setting with the lowest mark of each family; a family without scores is left out."""
    best: dict[str, tuple[float, Setting]] = {PRIOR: (0.0, settings[0])}
    for setting, mark in choice_marks(study, settings, scores):
        if setting.family not in best or mark < best[setting.family][0]:
            best[setting.family] = mark, setting
    return {family: setting for family, (_, setting) in best.items()}


def contrasts(study: Study, chosen: Mapping[str, Setting], scores: Scores) -> list[Difference]:
    """All tests of the plan, with p-values corrected over the plan.

    A test that the scores do not allow counts in the correction as a test with p = 1, so that leaving work out never
    makes another test significant.
    """
    planned = [
        difference
        for dataset in study.measurement.report
        for contrast in study.contrasts
        for steps in study.tested_steps
        for difference in compared(study, contrast, chosen, scores, dataset, steps)
    ]
    adjusted = holm([1.0 if isnan(difference.p) else difference.p for difference in planned])
    return [
        difference if isnan(difference.p) else replace(difference, p_plan=float(p))
        for difference, p in zip(planned, adjusted, strict=True)
    ]


def explored(study: Study, chosen: Mapping[str, Setting], scores: Scores) -> list[Difference]:
    """Comparisons that are not in the plan, without correction: their findings have to be tested again on new data.

    Every family is compared with the prior, and every family that the plan tests with the controls (arms without a
    value of beta), unless the plan has that contrast. Some families have a single seed of sampling: give scores of that
    seed alone.
    """
    planned = {(contrast.first, contrast.second) for contrast in study.contrasts}
    families_with_test = dict.fromkeys(contrast.first for contrast in study.contrasts)
    controls = [name for name, arm in study.arms.items() if not arm.betas]
    pairs = [(family, PRIOR) for family in chosen if family != PRIOR] + [
        (family, control) for family in families_with_test for control in controls if family != control
    ]
    return [
        difference
        for dataset in study.measurement.report
        for pair in pairs
        if pair not in planned
        for equal in ("distortion", "evaluations")
        for steps in study.tested_steps
        for difference in compared(
            study, Contrast(first=pair[0], second=pair[1], equal=equal), chosen, scores, dataset, steps
        )
        if difference.outcome == TESTED
    ]


def compared(
    study: Study, contrast: Contrast, chosen: Mapping[str, Setting], scores: Scores, dataset: str, steps: int
) -> Iterator[Difference]:
    """One contrast on one set at one number of steps, in every metric.

    Args:
        study: the plan.
        contrast: the two families, and where they are compared.
        chosen: chosen setting of each family.
        scores: values of the photos.
        dataset: name of the set.
        steps: number of sampling steps of the first family's point.
    """
    x, *ys = study.measurement.metrics
    for id in ys if contrast.equal == "distortion" else (x, *ys):
        direction = get_metric(id).card.direction
        empty = Difference(
            contrast.first,
            contrast.second,
            contrast.equal,
            contrast.curve,
            dataset,
            steps,
            id,
            direction,
            outcome=NOT_MADE,
        )
        families = [name for name in (contrast.first, contrast.second) if name not in chosen]
        if families:
            yield replace(empty, reason=f"nothing was measured of {' and '.join(families)}")
            continue
        point, curve = Point(chosen[contrast.first], steps), _curve(study, contrast, chosen[contrast.second])
        empty = replace(empty, first_point=point.name, evaluations=point.evaluations)
        needed = [point] if contrast.equal == "distortion" else [point, _as_costly(curve, point)]
        missing = [
            needed_point.name for needed_point in needed if not _measured(scores, dataset, (x, id), needed_point)
        ]
        if missing:
            yield replace(empty, reason=f"not measured: {', '.join(missing)}")
        elif contrast.equal == "evaluations":
            values = scores.values(dataset, id, point) - scores.values(dataset, id, needed[1])
            yield _tested(empty, scores, point, values, needed[1].name, needed[1].evaluations)
        else:
            yield _at_equal_distortion(empty, scores, point, curve, x)


def _at_equal_distortion(empty: Difference, scores: Scores, point: Point, curve: Sequence[Point], x: str) -> Difference:
    """The test against a curve; if points of the curve are not measured, only between neighbours of the whole curve."""
    measured_points = [
        curve_point for curve_point in curve if _measured(scores, empty.dataset, (x, empty.metric), curve_point)
    ]
    missing = ", ".join(curve_point.name for curve_point in curve if curve_point not in measured_points)
    gap = _against(scores, empty.dataset, x, empty.metric, point, measured_points) if measured_points else None
    if gap is None and not missing:
        return replace(empty, outcome=NOT_REACHED, reason=f"no point of {empty.second} has this {x}")
    if gap is None:
        return replace(empty, reason=f"not measured: {missing}")
    low, high = measured_points[gap[1][0]], measured_points[gap[1][1]]
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
        empty,
        outcome=TESTED,
        second_point=second,
        second_evaluations=evaluations,
        photos=len(values),
        training_seeds=scores.seeds(point),
        difference=float(values.mean()),
        low=low,
        high=high,
        smallest=smallest_difference(values),
        p=permutation_p(values),
    )


def _measured(scores: Scores, dataset: str, metrics: Sequence[str], point: Point) -> bool:
    return all(scores.has(dataset, id, [point]) for id in metrics)


def _as_costly(curve: Sequence[Point], point: Point) -> Point:
    """The point of a curve with the most similar number of evaluations; of two equally near points the cheaper."""
    return min(
        curve, key=lambda curve_point: (abs(curve_point.evaluations - point.evaluations), curve_point.evaluations)
    )


def _against(
    scores: Scores, dataset: str, x: str, id: str, point: Point, curve: Sequence[Point]
) -> tuple[Floats, tuple[int, int, float]] | None:
    def values_of(curve_point: Point) -> tuple[Floats, Floats]:
        return scores.values(dataset, x, curve_point), scores.values(dataset, id, curve_point)

    return at_equal_distortion(values_of(point), [values_of(curve_point) for curve_point in curve])


def _curve(study: Study, contrast: Contrast, setting: Setting) -> list[Point]:
    """Points of the second family in order: by number of steps, or from a single sample to the mean of several."""
    points = sorted(points_of(study, setting), key=lambda curve_point: (curve_point.blend, curve_point.steps))
    if contrast.curve == "steps":
        return [curve_point for curve_point in points if not curve_point.blend]
    return [
        curve_point for curve_point in points if curve_point.blend or curve_point.steps == study.frontier.blend_steps
    ]
