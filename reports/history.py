"""Values over many stores, as Markdown and JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import isfinite

from .drift import number, signed, versions
from .escaping import markdown

_BARS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True)
class Step:
    """A value took another level."""

    at: int
    """Place of the first store at the new level."""
    before: float
    """Mean of the level before."""
    after: float
    changed: tuple[str, ...]
    """Of input, method output, measurement, missing, other images; the most frequent first."""
    details: tuple[str, ...]
    packages: Mapping[str, tuple[str, str]]
    """Package to versions before and after."""


@dataclass(frozen=True)
class Series:
    """One metric of one method on one dataset, over all stores."""

    protocol: str
    dataset: str
    method: str
    metric: str
    values: tuple[float | None, ...]
    """None where a store has none."""
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class HistoryReport:
    """All series, in order of time."""

    stores: tuple[str, ...]
    started: tuple[str, ...]
    series: tuple[Series, ...]

    @property
    def steps(self) -> int:
        """Steps of all series together."""
        return sum(len(series.steps) for series in self.series)


def sparkline(values: tuple[float | None, ...]) -> str:
    """One sign for each value, · where there is none."""
    finite = [value for value in values if value is not None and isfinite(value)]
    low, high = (min(finite), max(finite)) if finite else (0.0, 0.0)

    def sign(value: float | None) -> str:
        if value is None or not isfinite(value):
            return "·"
        return _BARS[3] if high == low else _BARS[round((value - low) / (high - low) * (len(_BARS) - 1))]

    return "".join(map(sign, values))


def to_markdown(report: HistoryReport) -> str:
    """Steps first, then every series."""
    lines = ["# History", "", f"{len(report.stores)} stores, {len(report.series)} series, {report.steps} steps.", ""]
    if report.steps:
        lines += [
            "| Store | Begun | Series | Before | After | Difference | Changed | What is known |",
            "|---|---|---|---:|---:|---:|---|---|",
        ]
    for series in report.series:
        for step in series.steps:
            explanation = "; ".join([*step.details, *([versions(step.packages)] if step.packages else [])])
            lines.append(
                f"| {markdown(report.stores[step.at])} | {report.started[step.at]} | {markdown(label(series))} |"
                f" {number(step.before)} | {number(step.after)} | {signed(step.after - step.before)} |"
                f" {', '.join(step.changed)} | {markdown(explanation)} |"
            )
    lines += ["", "| Series | Course | First | Last |", "|---|---|---:|---:|"]
    for series in report.series:
        present = [value for value in series.values if value is not None]
        lines.append(
            f"| {markdown(label(series))} | {sparkline(series.values)} | {number(present[0])} | {number(present[-1])} |"
        )
    return "\n".join([*lines, ""])


def to_json(report: HistoryReport) -> str:
    """Everything; values that are not finite as text."""
    content = asdict(report)
    for series in content["series"]:
        series["values"] = [v if v is None or isfinite(v) else str(v) for v in series["values"]]
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def label(series: Series) -> str:
    """Where a series belongs."""
    return f"{series.dataset}, {series.method}, {series.metric} ({series.protocol})"
