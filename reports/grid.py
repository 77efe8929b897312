"""Arrange a board as one grid per dataset and protocol: methods as rows, metrics as columns, marks on the best."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import isinf, isnan
from typing import Any, Literal

import pandas as pd

from .board import Board

Mark = Literal["best", "second", ""]

ARROWS = {"higher": "↑", "lower": "↓", "one": "→ 1", "none": ""}
"""What a heading says of a metric's direction."""


@dataclass(frozen=True)
class Column:
    """One metric."""

    metric: str
    title: str
    unit: str
    digits: int
    direction: str

    @property
    def heading(self) -> str:
        """Title, unit and the direction in which it is better."""
        unit = f" [{self.unit}]" if self.unit else ""
        return f"{self.title}{unit} {ARROWS[self.direction]}".rstrip()


@dataclass(frozen=True)
class Cell:
    """One number, or a word in its place."""

    text: str
    value: float
    low: str = ""
    high: str = ""
    n: int = 0
    partial: bool = False
    """Measured on fewer images than others: not ranked."""
    mark: Mark = ""
    tied: bool = False
    """A paired test cannot tell it from the best."""
    share: str = ""
    """How far it goes from the floor to the ceiling, where the metric has both."""


@dataclass(frozen=True)
class Row:
    """One method."""

    method: str
    family: str
    cells: tuple[Cell, ...]
    parameters: str
    seconds: str
    memory: str


@dataclass(frozen=True)
class Grid:
    """One dataset under one protocol."""

    dataset: str
    protocol: str
    lq: str
    """Where LQ comes from, in words."""
    images: int
    tested: bool
    """There are images enough for the marks of paired tests."""
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]

    @property
    def note(self) -> str:
        """What percentages in parentheses mean, where there are any."""
        if not any(cell.share for row in self.rows for cell in row.cells):
            return ""
        return f"In parentheses: how far from {FLOOR} (0 %) to HR itself (100 %)."

    @property
    def size(self) -> str:
        """How many images, and whether that suffices for tests."""
        return f"{self.images} images" + ("" if self.tested else ", too few for significance tests")


def grids(board: Board) -> Iterator[Grid]:
    """Every dataset and protocol of a board, never two protocols in one grid."""
    metrics: dict[str, Column] = {str(row["metric"]): Column(**row) for row in _records(board.metrics)}
    costs = {row["method"]: row for row in _records(board.methods)}
    for (protocol, dataset), part in board.scores.groupby(["protocol", "dataset"], sort=False):
        columns = tuple(column for id, column in metrics.items() if id in set(part["metric"]))
        images = int(part["n"].max())
        ranked = part[[costs[method]["family"] != "reference" for method in part["method"]]]  # HR itself wins nothing
        marks = {column.metric: _marks(ranked[ranked["metric"] == column.metric], column, images) for column in columns}
        bounds = {column.metric: _bounds(part[part["metric"] == column.metric], costs) for column in columns}
        rows = []
        for method, scores in part.groupby("method", sort=False):
            by_metric = {row["metric"]: row for row in _records(scores)}
            cells = tuple(
                _with_share(
                    _cell(board, by_metric, column, str(dataset), str(method), images, marks[column.metric]),
                    str(method),
                    bounds[column.metric],
                )
                for column in columns
            )
            cost = costs[method]
            rows.append(Row(str(method), cost["family"], cells, _count(cost["parameters"]), _seconds(cost["seconds"]),
                            _bytes(cost["memory"])))  # fmt: skip
        lq = _origin(board.rules.get((str(protocol), str(dataset)), ""))
        tested = (str(protocol), str(dataset)) not in board.untested
        yield Grid(str(dataset), str(protocol), lq, images, tested, columns, tuple(rows))


FLOOR = "bicubic"
"""The method that shows what LQ is worth."""


def _bounds(scores: pd.DataFrame, costs: dict[Any, dict[str, Any]]) -> tuple[str, float, float] | None:
    """Name of the ceiling (HR itself), values of floor and ceiling; None where a metric has not both."""
    values = dict(zip(scores["method"], scores["value"], strict=True))
    ceiling = [str(method) for method in values if costs[method]["family"] == "reference"]
    if not ceiling or FLOOR not in values:
        return None
    low, high = float(values[FLOOR]), float(values[ceiling[0]])
    return None if isnan(low) or isnan(high) or low == high else (ceiling[0], low, high)


def _with_share(cell: Cell, method: str, bounds: tuple[str, float, float] | None) -> Cell:
    if bounds is None or isnan(cell.value) or method in (bounds[0], FLOOR):
        return cell
    _, low, high = bounds
    return replace(cell, share=f"{100 * (cell.value - low) / (high - low):.0f} %")


def _origin(rule: str) -> str:
    return "LQ files" if rule in ("", "files") else f"LQ by {rule}"


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def _marks(scores: pd.DataFrame, column: Column, images: int) -> dict[str, Mark]:
    """Best and second best at printed precision, among methods measured on all images."""
    if column.direction == "none":
        return {}
    full = scores[(scores["n"] == images) & scores["value"].notna()]
    printed = full.set_index("method")["value"].round(column.digits)
    if column.direction == "one":
        printed = (printed - 1).abs().round(column.digits)
    ranks = printed.rank(method="dense", ascending=column.direction != "higher")
    words: dict[int, Mark] = {1: "best", 2: "second"}
    return {str(method): words.get(int(rank), "") for method, rank in ranks.items()}


def _cell(
    board: Board,
    scores: dict[str, dict[str, Any]],
    column: Column,
    dataset: str,
    method: str,
    images: int,
    marks: dict[str, Mark],
) -> Cell:
    if column.metric not in scores:
        return Cell("–", float("nan"))
    score = scores[column.metric]
    value, n = float(score["value"]), int(score["n"])
    if isnan(value):
        return Cell(_status(board.problems, dataset, method), value)
    text, low, high = (number(float(score[name]), column.digits) for name in ("value", "ci_low", "ci_high"))
    return Cell(text, value, low, high, n, n < images, marks.get(method, ""), bool(score.get("tied", False)))


def _status(problems: pd.DataFrame, dataset: str, method: str) -> str:
    found = problems[(problems["dataset"] == dataset) & (problems["method"] == method)]["status"]
    return str(found.iloc[0]) if len(found) else "–"


def number(value: float, digits: int) -> str:
    """Fixed decimals; ∞ for the PSNR of equal images, nothing for NaN."""
    if isnan(value):
        return ""
    return ("∞" if value > 0 else "-∞") if isinf(value) else f"{value:.{digits}f}"


def _count(value: object) -> str:
    if pd.isna(value):  # type: ignore[call-overload]
        return ""
    count = int(value)  # type: ignore[call-overload]
    return f"{count / 1e6:.2f} M" if count >= 1e5 else f"{count / 1e3:.1f} k"


def _seconds(value: float) -> str:
    if pd.isna(value):
        return ""
    return f"{value * 1000:.1f} ms" if value < 1 else f"{value:.2f} s"


def _bytes(value: float) -> str:
    if pd.isna(value):
        return ""
    return f"{value / 2**20:.0f} MiB" if value < 2**30 else f"{value / 2**30:.2f} GiB"
