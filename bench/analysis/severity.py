"""How methods hold out as degradations grow: curves over their strength, and SEAL's rates over all cases.

SEAL: Zhang et al., "SEAL: a framework for systematic evaluation of real-world super-resolution", ICLR 2024. Its cases
are centres of clusters of degradations and its lines are two networks trained for each of them; here cases are those of
a grid, and two methods of the store are the lines.
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
"""By metric: cases whose lines are nearer than this say nothing and are left out, as in SEAL's script; others: 0."""
_RESAMPLES = 2000
_PERCENTILES = (2.5, 97.5)


class SeverityStoreError(UsageError, ValueError):
    """A store without what is asked of its severities."""


@dataclass(frozen=True, order=True)
class Case:
    """One combination of strengths."""

    scale: float
    blur: float
    noise: float
    jpeg: float
    """Quality; infinite where there is no JPEG."""

    @staticmethod
    def of(scale: float, severity: Severity) -> Case:
        """From what names LQ images."""
        return Case(scale, severity.blur, severity.noise, np.inf if severity.jpeg is None else severity.jpeg)

    def strength(self, factor: str) -> float:
        """Greater is worse."""
        value: float = getattr(self, factor)
        return -value if factor == "jpeg" else value

    def label(self, factor: str) -> str:
        """As axes show it."""
        value = getattr(self, factor)
        return "none" if value == np.inf else f"{value:g}"


@dataclass(frozen=True)
class CaseValues:
    """Values of every method in every case, on one dataset under one protocol."""

    dataset: str
    """Its name without the cases."""
    protocol: str
    card: MetricCard
    cases: tuple[Case, ...]
    """The mildest first."""
    images: tuple[str, ...]
    """Those that every method has in every case."""
    methods: dict[str, Floats]
    """``[images, cases]``, seeds averaged, as sets take them (``MetricCard.compared``)."""


@dataclass(frozen=True)
class Rates:
    """What SEAL tells of a method, over the cases whose lines can be told apart."""

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
    """Mean relative performance (RPR): sigmoid((x - a) / (e - a)); .5 at the acceptance line, .73 at the other."""
    relative_low: float
    relative_high: float
    accepted: float
    """RPR of the cases at or above the acceptance line; NaN without any."""
    unaccepted: float
    """RPR of the others."""
    spread: float
    """Distance of the quartiles of RPR over cases (IQR)."""


@dataclass(frozen=True)
class SeverityCurve:
    """One method over the strength of one degradation, the others at their mildest."""

    method: str
    means: Floats
    """``[strengths]``."""
    low: Floats
    high: Floats
    """95 % interval of the change since the mildest strength, image by image, about the means; NaN where images are too
    few. (Most of the interval of a mean is how photos differ, which says nothing of the degradation.)"""


def case_values(store: Store, metric_ids: Sequence[str] = ()) -> Iterator[CaseValues]:
    """By dataset, protocol and metric, what a store has of cases of severity.

    Args:
        metric_ids: in their order; empty: all but those that have no mean over images.

    Raises:
        SeverityStoreError: no such case, an unknown metric, or no image that all methods have in all cases.
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
    """Cells with a value of outputs whose LQ has a severity, with their case and the dataset's name without it."""
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
    """SEAL's rates of every method but the two lines.

    Args:
        values: of one metric.
        acceptance: the method at or above which a case is accepted.
        excellence: the method that is better than it.

    Raises:
        SeverityStoreError: a line that is no method here, a metric without a direction, or no case in which the lines
            can be told apart.
    """
    card = values.card
    for name in (acceptance, excellence):
        if name not in values.methods:
            raise SeverityStoreError(
                f"{values.dataset}: no method '{name}' has all cases (those that have: {', '.join(values.methods)})"
            )
    if card.direction in ("none", "one"):
        raise SeverityStoreError(f"metric '{card.id}' ranks nobody, so that no case is accepted by it; leave it out")
    goodness = {name: -card.losses(table) for name, table in values.methods.items()}
    line, top = goodness[acceptance].mean(0), goodness[excellence].mean(0)
    kept = (top - line >= LEAST_GAP.get(card.id, 0)) & (top > line)
    if not kept.any():
        raise SeverityStoreError(
            f"{values.dataset}, {card.id}: '{excellence}' is above '{acceptance}' in no case; choose other lines"
        )
    draws = {name: resampled(table[:, kept], _RESAMPLES) for name, table in goodness.items()}
    found = []
    for name, table in goodness.items():
        if name in (acceptance, excellence):
            continue
        value = table.mean(0)[kept]
        relative = relative_performance(value, line[kept], top[kept])
        accepted = value >= line[kept]
        drawn = relative_performance(draws[name], draws[acceptance], draws[excellence])
        ranges = (
            np.percentile((draws[name] >= draws[acceptance]).mean(1), _PERCENTILES),
            np.percentile(
                [row[told].mean() for row, told in zip(drawn, ~np.isnan(drawn), strict=True) if told.any()],
                _PERCENTILES,
            ),
        )
        found.append(
            Rates(
                name,
                int(kept.sum()),
                int((~kept).sum()),
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
    return found


def relative_performance(value: Floats, acceptance: Floats, excellence: Floats) -> Floats:
    """SEAL's relative performance ratio: a logistic function of where a value lies between the two lines.

    NaN where the lines have no distance, or are the other way round.
    """
    from scipy.special import expit

    gap = excellence - acceptance
    return np.asarray(np.where(gap > 0, expit((value - acceptance) / np.where(gap > 0, gap, 1)), np.nan))


def curves_over(values: CaseValues, factor: str) -> tuple[tuple[str, ...], list[SeverityCurve]]:
    """Labels of the strengths of one degradation, and every method over them, the others at their mildest."""
    others = [other for other in FACTORS if other != factor]
    mildest = {other: min(case.strength(other) for case in values.cases) for other in others}
    chosen = [
        place
        for place, case in enumerate(values.cases)
        if all(case.strength(other) == mildest[other] for other in others)
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
    """The degradations that have several strengths."""
    return tuple(factor for factor in FACTORS if len({getattr(case, factor) for case in values.cases}) > 1)
