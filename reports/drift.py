"""What a drift check found, as Markdown, JSON and JUnit."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Literal
from xml.etree import ElementTree

from .escaping import markdown, markdown_code, plain, xml

Verdict = Literal["drift", "missing"]

_MOST_ROWS = 200
"""Rows of the Markdown table; the JSON has all."""


@dataclass(frozen=True)
class CellDrift:
    """One cell of the baseline that is not as it was."""

    protocol: str
    scale: float
    dataset: str
    image: str
    method: str
    seed: int
    metric: str
    verdict: Verdict
    before: float
    after: float | None
    """None: the cell is missing."""
    tolerance: float
    changed: tuple[str, ...]
    """Of input, method output, measurement: what changed first in this cell's history."""
    details: tuple[str, ...]
    """What is known of each change, in words."""
    packages: Mapping[str, tuple[str, str]]
    """Package to versions before and after, of the runs that made what changed; '' where it was not installed."""

    @property
    def difference(self) -> float | None:
        """After minus before."""
        return None if self.after is None else self.after - self.before


@dataclass(frozen=True)
class DriftReport:
    """The outcome of one check."""

    baseline: str
    store: str
    compared: int
    """Cells that both have."""
    cells: tuple[CellDrift, ...]
    """Missing ones first, then the greatest difference in tolerances first."""
    extra: tuple[str, ...]
    """Cells of the store that the baseline does not have, counted by dataset, method and metric, in words."""
    within: int
    """Cells whose SR pixels or value changed by no more than the tolerance."""
    packages: Mapping[str, tuple[str, str]]
    """All packages whose versions differ."""

    @property
    def passed(self) -> bool:
        """Nothing drifted, nothing is missing."""
        return not self.cells

    @property
    def verdict(self) -> str:
        """The outcome in one sentence."""
        if self.passed:
            text = f"no drift in {self.compared} cells"
        else:
            drifted = sum(cell.verdict == "drift" for cell in self.cells)
            text = f"{drifted} of {self.compared} cells drifted, {len(self.cells) - drifted} are missing"
        return text + (f"; {self.within} changed within tolerance" if self.within else "")


def to_text(report: DriftReport, limit: int) -> str:
    """For a terminal or a log: ``limit`` cells under what changed, versions, extra cells, and the verdict last."""
    lines, cells = [], report.cells[:limit]
    for head in dict.fromkeys(map(_cause, cells)):
        lines.append(head)
        for cell in cells:
            if _cause(cell) == head:
                after = (
                    "missing" if cell.after is None else f"{number(cell.after)} ({signed(cell.after - cell.before)})"
                )
                lines.append(f"  {place(cell)}, {cell.metric}: {number(cell.before)} → {after}")
    if len(report.cells) > limit:
        lines.append(f"and {len(report.cells) - limit} more cells; --json FILE writes all")
    if report.packages:
        lines.append(f"versions that differ: {versions(report.packages)}")
    lines += [f"not in the baseline: {text}" for text in report.extra]
    return "\n".join([*map(plain, lines), f"{report.store} against {report.baseline}: {report.verdict}", ""])


def _cause(cell: CellDrift) -> str:
    return f"{' and '.join(cell.changed) or 'missing'}: {details_text(cell)}"


def to_markdown(report: DriftReport) -> str:
    """Verdict, table of cells, packages and extra cells."""
    sign = "✅" if report.passed else "❌"
    compared = f"{markdown_code(report.store)} against {markdown_code(report.baseline)}"
    lines = [f"# {sign} Drift check", "", f"{compared}: {report.verdict}.", ""]
    if report.cells:
        lines += [
            "| Cell | Metric | Before | After | Difference | Tolerance | Changed | What is known |",
            "|---|---|---:|---:|---:|---:|---|---|",
        ]
        for cell in report.cells[:_MOST_ROWS]:
            after = "missing" if cell.after is None else number(cell.after)
            difference = "" if cell.difference is None else signed(cell.difference)
            lines.append(
                f"| {markdown(place(cell))} | {markdown(cell.metric)} | {number(cell.before)} | {after} |"
                f" {difference} | {cell.tolerance:g} | {', '.join(cell.changed)} | {markdown(details_text(cell))} |"
            )
        if len(report.cells) > _MOST_ROWS:
            lines.append(f"\n{len(report.cells) - _MOST_ROWS} more cells; the JSON has all.")
        lines.append("")
    if report.packages:
        lines += ["Package versions that differ: " + versions(report.packages) + ".", ""]
    if report.extra:
        lines += ["Not in the baseline:", "", *(f"- {markdown(text)}" for text in report.extra), ""]
    return "\n".join(lines)


def to_json(report: DriftReport) -> str:
    """Everything; values that are not finite as text."""
    content = asdict(report)
    for cell, cell_drift in zip(content["cells"], report.cells, strict=True):
        difference = cell_drift.difference
        for name, value in (("before", cell_drift.before), ("after", cell_drift.after), ("difference", difference)):
            cell[name] = value if value is None or isfinite(value) else str(value)
    content |= {"passed": report.passed, "verdict": report.verdict}
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def to_junit(report: DriftReport, groups: Sequence[tuple[str, str, str, str]]) -> str:
    """One test case for each protocol, dataset, method and metric of the baseline."""
    failures: dict[tuple[str, str, str, str], list[CellDrift]] = {}
    for cell in report.cells:
        failures.setdefault((cell.protocol, cell.dataset, cell.method, cell.metric), []).append(cell)
    suite = ElementTree.Element(
        "testsuite", name="drift", tests=str(len(groups)), failures=str(len(failures)), errors="0"
    )
    for group in groups:
        protocol, dataset, method, metric = group
        case = ElementTree.SubElement(
            suite, "testcase", classname=xml(f"{protocol}.{dataset}.{method}"), name=xml(metric), time="0"
        )
        if cells := failures.get(group):
            changed = sorted({word for cell in cells for word in cell.changed})
            failure = ElementTree.SubElement(
                case, "failure", message=f"{len(cells)} cells; changed: {', '.join(changed)}", type="drift"
            )
            failure.text = xml("\n".join(_line(cell) for cell in cells))
    ElementTree.indent(suite)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(suite, encoding="unicode") + "\n"


def _line(cell: CellDrift) -> str:
    after = "missing" if cell.after is None else f"{number(cell.after)} ({signed(cell.after - cell.before)})"
    return f"{place(cell)}: {number(cell.before)} -> {after}; {', '.join(cell.changed)}: {details_text(cell)}"


def place(cell: CellDrift) -> str:
    """Where a cell stands."""
    seed = f", seed {cell.seed}" if cell.seed else ""
    return f"{cell.dataset}/{cell.image}, {cell.method}{seed} ({cell.protocol})"


def details_text(cell: CellDrift) -> str:
    """Details and package versions."""
    return "; ".join([*cell.details, *([versions(cell.packages)] if cell.packages else [])])


def versions(packages: Mapping[str, tuple[str, str]]) -> str:
    """``numpy 2.0 → 2.1``, separated by commas."""
    return ", ".join(f"{name} {before or 'none'} → {after or 'none'}" for name, (before, after) in packages.items())


def number(value: float) -> str:
    """Six significant digits at most."""
    return f"{value:.6g}"


def signed(value: float) -> str:
    """A difference with its sign."""
    return f"{value:+.3g}"
