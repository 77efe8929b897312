"""Methods under stronger and stronger degradation: curves over the strength, and SEAL's rates over all cases.

SEAL: Zhang et al., "SEAL: a framework for systematic evaluation of real-world super-resolution", ICLR 2024. There, the
cases are centres of clusters of degradations, and the acceptance and excellence lines are two networks trained for each
case. Here the cases form a grid, and the lines are two methods of the store.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ...datasets.degradation.severity import KIND, Severity, parse_severity
from ...datasets.errors import UsageError
from ..metrics.card import MetricCard
from ..metrics.registry import metrics_of
from ..store.store import Store
from .statistics import Floats, intervals, resampled

FACTORS = ("blur", "noise", "jpeg", "scale")
LEAST_GAP = {"psnr_y": 0.1, "psnr_rgb": 0.1, "ssim_y": 0.01, "ssim_rgb": 0.01}
"""Smallest distance between the two lines by metric, 0 for others. A case with a smaller distance is left out, as in
SEAL's script."""
_RESAMPLES = 2000
_PERCENTILES = (2.5, 97.5)


class SeverityStoreError(UsageError, ValueError):
    """The store has not the cases, methods or metrics that were asked for."""


class NoRatesError(SeverityStoreError):
    """A metric has no rates with the two lines; others may have some."""


@dataclass(frozen=True, order=True)
class Case:
    """One combination of strengths of degradations."""

    scale: float
    blur: float
    noise: float
    jpeg: float
    """JPEG quality; infinite without JPEG compression."""

    @staticmethod
    def of(scale: float, severity: Severity) -> Case:
        """The case of a scale and a severity."""
        return Case(scale, severity.blur, severity.noise, np.inf if severity.jpeg is None else severity.jpeg)

    def strength(self, factor: str) -> float:
        """Strength of one degradation; higher is more degraded."""
        value: float = getattr(self, factor)
        return -value if factor == "jpeg" else value

    def label(self, factor: str) -> str:
        """Strength of one degradation as the labels of axes show it."""
        value = getattr(self, factor)
        return "none" if value == np.inf else f"{value:g}"


@dataclass(frozen=True)
class CaseValues:
    """Values of every method in every case, on one dataset under one protocol."""

    dataset: str
    """Name of the dataset without the case."""
    protocol: str
    card: MetricCard
    cases: tuple[Case, ...]
    """Cases, the mildest first."""
    images: tuple[str, ...]
    """Images that every method has in every case."""
    methods: dict[str, Floats]
    """Values ``[images, cases]`` of each method (``MetricCard.compared``); seeds are averaged."""


@dataclass(frozen=True)
class Rates:
    """SEAL's rates of a method over the cases whose two lines differ."""

    method: str
    cases: int
    left_out: int
    """Cases in which the excellence line is not above the acceptance line."""
    acceptance: float
    """Share of cases in which the method is at or above the acceptance line (AR)."""
    acceptance_low: float
    acceptance_high: float
    """95 % interval: percentiles of resampled sets of images."""
    relative: float
    """Mean relative performance ratio (RPR): sigmoid((x - a) / (e - a)); .5 at the acceptance line a, .73 at the
    excellence line e."""
    relative_low: float
    relative_high: float
    accepted: float
    """Mean RPR of the cases at or above the acceptance line; NaN if there are none."""
    unaccepted: float
    """Mean RPR of the other cases."""
    spread: float
    """Distance between the quartiles of RPR over cases (IQR)."""


@dataclass(frozen=True)
class SeverityCurve:
    """Values of one method over the strengths of one degradation, with the other degradations at their mildest."""

    method: str
    means: Floats
    """Means over images ``[strengths]``."""
    low: Floats
    high: Floats
    """95 % interval of the change from the mildest strength, paired by image and placed around the means; NaN for too
    few images. (The interval of a mean would mostly show how photos differ, not the effect of the degradation.)"""


def case_values(store: Store, metric_ids: Sequence[str] = ()) -> Iterator[CaseValues]:
    """Values of a store in cases of severity, by dataset, protocol and metric.

    Args:
        store: an open store.
        metric_ids: ids of metrics in the order of the results; empty: all metrics that have a mean over images.

    Raises:
        SeverityStoreError: the store has no cases, no values of a metric, or no image with values in all cases.
    """
    scores = _scores(store)
    known = metrics_of(map(str, scores["metric"].unique()), store.metrics())
    for id in metric_ids:
        if id not in known:
            raise SeverityStoreError(f"{store.root}: has no values of metric '{id}' (it has: {', '.join(known)})")
    order = list(dict.fromkeys(map(str, scores["method"])))
    for (base, protocol), part in scores.groupby(["base", "protocol"], sort=False):
        for id in metric_ids or [id for id, metric in known.items() if metric.of_set is None]:
            rows = part[part["metric"] == id]
            if rows.empty:
                continue
            card = known[id].card
            table = rows.assign(value=card.compared(rows["value"].to_numpy(dtype=np.float64))).pivot_table(
                index="image", columns=["method", "case"], values="value", aggfunc="mean"
            )
            cases = tuple(sorted(set(rows["case"]), key=lambda case: [case.strength(factor) for factor in FACTORS]))
            names = [name for name in order if all((name, case) in table.columns for case in cases)]
            complete = table[[(name, case) for name in names for case in cases]].dropna()
            if complete.empty:
                raise SeverityStoreError(f"{store.root}: {base}, {id}: no image has values in all cases; run again")
            yield CaseValues(
                str(base),
                str(protocol),
                card,
                cases,
                tuple(map(str, complete.index)),
                {name: complete[[(name, case) for case in cases]].to_numpy() for name in names},
            )


def _scores(store: Store) -> pd.DataFrame:
    """Cells with a value whose LQ has a severity; adds the columns ``case`` and ``base`` (dataset without its case)."""
    place = ["protocol", "scale", "dataset", "image", "method", "seed"]
    outputs = store.outputs()
    outputs = outputs[outputs["lq_rule"].str.startswith(f"{KIND}:") & (outputs["status"] == "done")]
    if outputs.empty:
        raise SeverityStoreError(
            f"{store.root}: has no cases of severity; run a spec with the key 'severity' (docs/severity.md)"
        )
    scores = store.scores()
    scores = scores[scores["value"].notna()].merge(outputs[[*place, "lq_rule"]], on=place)
    severities = {rule: parse_severity(rule.split(":")[1]) for rule in scores["lq_rule"].unique()}
    pairs = list(zip(scores["scale"], scores["dataset"], scores["lq_rule"], strict=True))
    bases = [str(dataset).removesuffix(f", {severities[rule].title}") for _, dataset, rule in pairs]
    cases = pd.Series([Case.of(scale, severities[rule]) for scale, _, rule in pairs], index=scores.index)
    return scores.assign(case=cases, base=bases)


def rates(values: CaseValues, acceptance: str, excellence: str) -> list[Rates]:
    """SEAL's rates of every method except the two lines.

    Args:
        values: values in one metric.
        acceptance: method of the acceptance line; a case is accepted if a method is at or above it.
        excellence: method of the excellence line, which is better.

    Raises:
        SeverityStoreError: a line is not a method of the store, the metric has no direction, or the lines differ in no
            case.
    """
    card = values.card
    for name in (acceptance, excellence):
        if name not in values.methods:
            raise SeverityStoreError(
                f"{values.dataset}: no method '{name}' has all cases (those that have: {', '.join(values.methods)})"
            )
    if card.direction in ("none", "one"):
        raise NoRatesError(f"metric '{card.id}' has no direction, so no case can be accepted by it; leave it out")
    goodness = {name: -card.losses(table) for name, table in values.methods.items()}
    line, top = goodness[acceptance].mean(0), goodness[excellence].mean(0)
    distinct = (top - line >= LEAST_GAP.get(card.id, 0)) & (top > line)
    if not distinct.any():
        raise NoRatesError(
            f"{values.dataset}, {card.id}: '{excellence}' is above '{acceptance}' in no case; choose other lines"
        )
    draws = {name: resampled(table[:, distinct], _RESAMPLES) for name, table in goodness.items()}
    rows = []
    for name, table in goodness.items():
        if name in (acceptance, excellence):
            continue
        value = table.mean(0)[distinct]
        relative = relative_performance(value, line[distinct], top[distinct])
        accepted = value >= line[distinct]
        drawn = relative_performance(draws[name], draws[acceptance], draws[excellence])
        ranges = (
            np.percentile((draws[name] >= draws[acceptance]).mean(1), _PERCENTILES),
            np.percentile(
                [row[defined].mean() for row, defined in zip(drawn, ~np.isnan(drawn), strict=True) if defined.any()],
                _PERCENTILES,
            ),
        )
        rows.append(
            Rates(
                name,
                int(distinct.sum()),
                int((~distinct).sum()),
                float(accepted.mean()),
                float(ranges[0][0]),
                float(ranges[0][1]),
                float(relative.mean()),
                float(ranges[1][0]),
                float(ranges[1][1]),
                float(relative[accepted].mean()) if accepted.any() else float("nan"),
                float(relative[~accepted].mean()) if not accepted.all() else float("nan"),
                float(np.subtract(*np.percentile(relative, (75, 25)))),
            )
        )
    return rows


def relative_performance(value: Floats, acceptance: Floats, excellence: Floats) -> Floats:
    """SEAL's relative performance ratio: a logistic function of the position of a value between the two lines.

    NaN where the excellence line is not above the acceptance line.
    """
    from scipy.special import expit

    gap = excellence - acceptance
    return np.asarray(np.where(gap > 0, expit((value - acceptance) / np.where(gap > 0, gap, 1)), np.nan))


def curves_over(values: CaseValues, factor: str) -> tuple[tuple[str, ...], list[SeverityCurve]]:
    """Labels of the strengths of one degradation, and each method's curve with the others at their mildest."""
    fixed_factors = [fixed for fixed in FACTORS if fixed != factor]
    mildest = {fixed: min(case.strength(fixed) for case in values.cases) for fixed in fixed_factors}
    chosen = [
        place
        for place, case in enumerate(values.cases)
        if all(case.strength(fixed) == mildest[fixed] for fixed in fixed_factors)
    ]
    chosen.sort(key=lambda place: values.cases[place].strength(factor))
    curves = []
    for name, table in values.methods.items():
        values_here = table[:, chosen]
        means = values_here.mean(0)
        bounds = means[0] + intervals(np.ascontiguousarray((values_here - values_here[:, :1]).T))
        curves.append(SeverityCurve(name, means, bounds[:, 0], bounds[:, 1]))
    return tuple(values.cases[place].label(factor) for place in chosen), curves


def varied(values: CaseValues) -> tuple[str, ...]:
    """Names of the degradations with several strengths."""
    return tuple(factor for factor in FACTORS if len({getattr(case, factor) for case in values.cases}) > 1)
