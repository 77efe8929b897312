"""Arrange a board as one grid per dataset and protocol: methods as rows, metrics as columns, marks on the best."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import isfinite, isinf, isnan, nan
from typing import Any, Literal

import pandas as pd

from .board import Board, images_text
from .column import Column
from .notes import clusters, devices, left_out, of_statistics, records, row_notes

Mark = Literal["best", "second", ""]

_LONG = 1e6
"""Beyond this, decimals of a score mean nothing; a network that diverged gives 6e59."""
TEST = "a simultaneous sign-flip test over images (model confidence set, 5 %) cannot tell it from the best"
"""What the sign ≈ says."""
_COSTS = (
    ("Parameters", "parameters"), ("Steps", "steps"), ("MACs (G) at {} LQ", "macs"),
    ("Activations (M)", "activations"), ("Time", "seconds"), ("Memory", "memory"),
)  # fmt: skip
"""Headings, with the LQ size at which was counted, and names."""


@dataclass(frozen=True)
class SeedSpread:
    """How a value differs from seed to seed."""

    count: int
    """Seeds."""
    std: float
    """Sample standard deviation over seeds of the set's value."""
    best: float
    """Value of the best seed; a table that shows it instead of the mean flatters."""
    text: str
    """The deviation as printed."""


@dataclass(frozen=True)
class Cell:
    """One number, or a word in its place."""

    text: str
    value: float
    low: str = ""
    high: str = ""
    n: int = 0
    partial: bool = False
    """Measured on fewer images than others; marks are of those that all have."""
    mark: Mark = ""
    tied: bool = False
    """A test cannot tell it from the best."""
    disputed: bool = False
    """Published, and another source says something else."""
    share: str = ""
    """How far it goes from the floor to the ceiling, where the metric has both."""
    seeds: SeedSpread | None = None
    """Where the method was run with several."""


@dataclass(frozen=True)
class Row:
    """One method, or what one source says of it."""

    method: str
    family: str
    cells: tuple[Cell, ...]
    parameters: str = ""
    seconds: str = ""
    memory: str = ""
    steps: str = ""
    macs: str = ""
    activations: str = ""
    notes: tuple[str, ...] = ()
    """What a reader of its numbers must know; the first begins with the sign after its name, where it has one."""
    sign: str = ""
    """After the method's name: what of it is not part of its identity stands in a note."""
    source: int = 0
    """Number of the note that names its source; 0: it was measured here."""


@dataclass(frozen=True)
class Grid:
    """One dataset under one protocol."""

    dataset: str
    protocol: str
    lq: str
    """Where LQ comes from, in words."""
    images: int
    whole: int
    """Images of the whole set."""
    tested: bool
    """There are images enough for the marks of paired tests."""
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    """Measured ones, then published ones."""
    sources: tuple[str, ...] = ()
    """Of published rows; the first has number 1."""
    remarks: tuple[str, ...] = ()
    """What is left out of it, and devices that differ, in sentences."""
    lq_size: str = ""
    """LQ size at which operations were counted; '': none were."""

    @property
    def costs(self) -> tuple[tuple[str, str], ...]:
        """Headings and names of the costs that any of its methods has."""
        return tuple(
            (head.format(self.lq_size), name) for head, name in _COSTS if any(getattr(row, name) for row in self.rows)
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of some columns, of percentages in parentheses, and of some rows must know."""
        notes = [f"{column.title}: {column.note}." for column in self.columns if column.note]
        if any(cell.share for row in self.rows for cell in row.cells):
            notes.append(f"In parentheses: how far from {FLOOR} (0 %) to HR itself (100 %).")
        notes += [note for row in self.rows for note in row.notes]
        return (*notes, *of_statistics(self.columns, self.images, self.tested), *self.remarks)

    @property
    def size(self) -> str:
        """How many images, of how many, and whether that suffices for tests."""
        return images_text(self.images, self.whole) + ("" if self.tested else ", too few for significance tests")


def grids(board: Board) -> tuple[Grid, ...]:
    """Every dataset and protocol of a board, never two protocols in one grid; arranged once for all formats."""
    if not board.arranged:
        board.arranged.extend(_grids(board))
    return tuple(board.arranged)


def _grids(board: Board) -> Iterator[Grid]:
    metrics: dict[str, Column] = {str(row["metric"]): Column(**row) for row in records(board.metrics)}
    cards = {row["method"]: row for row in records(board.methods)}
    seeds = {(row["protocol"], row["dataset"], row["method"], row["metric"]): row for row in records(board.seeds)}
    costs = {(row["protocol"], row["dataset"], row["method"]): row for row in records(board.costs)}
    for (protocol, dataset), scores_of_set in board.scores.groupby(["protocol", "dataset"], sort=False):
        images = int(scores_of_set["n"].max())
        rivals = scores_of_set[
            [cards[method]["family"] != "reference" for method in scores_of_set["method"]]
        ]  # HR itself wins nothing
        columns = tuple(
            _compared(column, rivals) for id, column in metrics.items() if id in set(scores_of_set["metric"])
        )
        marks = {column.metric: _marks(rivals[rivals["metric"] == column.metric], column) for column in columns}
        bounds = {
            column.metric: _bounds(scores_of_set[scores_of_set["metric"] == column.metric], cards) for column in columns
        }
        lost = board.problems
        lost = lost[(lost["protocol"] == protocol) & (lost["dataset"] == dataset)]
        rows = []
        for method, scores in scores_of_set.groupby("method", sort=False):
            by_metric = {row["metric"]: row for row in records(scores)}
            cells = tuple(
                _with_share(
                    _with_seeds(
                        _cell(lost, by_metric, column, str(method), images, marks[column.metric]),
                        seeds.get((protocol, dataset, method, column.metric)),
                        column.digits,
                    ),
                    str(method),
                    bounds[column.metric],
                )
                for column in columns
            )
            card, cost = cards[method], costs.get((protocol, dataset, method), {})
            steps = "" if pd.isna(card["steps"]) else str(int(card["steps"]))
            notes, sign = row_notes(str(method), card, by_metric, {column.metric: column.title for column in columns})
            seconds, memory = _seconds(cost.get("seconds", nan)), _bytes(cost.get("memory", nan))
            macs, activations = _in(1e9, cost.get("macs", nan)), _in(1e6, cost.get("activations", nan))
            rows.append(
                Row(
                    str(method),
                    card["family"],
                    cells,
                    _count(card["parameters"]),
                    seconds,
                    memory,
                    steps,
                    macs,
                    activations,
                    notes,
                    sign,
                )
            )
        place = str(protocol), str(dataset)
        sources, claims = _published(board, *place, columns)
        lq = _origin(board.rules.get(place, ""))
        lq_size = next((str(costs[key]["lq_size"]) for key in costs if key[:2] == place), "")
        whole, tested = board.whole.get(place, images), place not in board.untested
        remarks = (*clusters(board, place, images), *left_out(board, *place), *devices(board, *place))
        yield Grid(
            str(dataset), str(protocol), lq, images, whole, tested, columns, (*rows, *claims), sources, remarks, lq_size
        )


def _published(
    board: Board, protocol: str, dataset: str, columns: tuple[Column, ...]
) -> tuple[tuple[str, ...], list[Row]]:
    """Sources and rows of what others published, all sources of a method together; none is ranked."""
    frame = board.published
    claims_of_set = frame[(frame["protocol"] == protocol) & (frame["dataset"] == dataset)]
    claims_of_set = claims_of_set[claims_of_set["metric"].isin([column.metric for column in columns])]
    sources = list(claims_of_set["source"].unique())
    order = {str(method): rank for rank, method in enumerate(claims_of_set["method"].unique())}
    claims_of_set = claims_of_set.sort_values("method", key=lambda methods: methods.map(order), kind="stable")
    rows = []
    for (method, source), claims in claims_of_set.groupby(["method", "source"], sort=False):
        by_metric = {str(row["metric"]): row for row in records(claims)}
        cells = tuple(_claim(by_metric.get(column.metric), column) for column in columns)
        rows.append(Row(str(method), "published", cells, source=1 + sources.index(source)))
    return tuple(board.sources[source] for source in sources), rows


def _claim(row: dict[str, Any] | None, column: Column) -> Cell:
    if row is None:
        return Cell("–", float("nan"))
    value = float(row["value"])
    return Cell(number(value, column.digits), value, disputed=bool(row["disputed"]))


FLOOR = "bicubic"
"""The method that shows what LQ is worth."""


def _bounds(scores: pd.DataFrame, cards: dict[Any, dict[str, Any]]) -> tuple[str, float, float] | None:
    """Name of the ceiling (HR itself), values of floor and ceiling; None where a metric has not both."""
    values = dict(zip(scores["method"], scores["value"], strict=True))
    ceiling = [str(method) for method in values if cards[method]["family"] == "reference"]
    if not ceiling or FLOOR not in values:
        return None
    low, high = float(values[FLOOR]), float(values[ceiling[0]])
    return None if not isfinite(low) or not isfinite(high) or low == high else (ceiling[0], low, high)


def _with_seeds(cell: Cell, row: dict[str, Any] | None, digits: int) -> Cell:
    if row is None or isnan(cell.value):
        return cell
    std = float(row["std"])
    return replace(cell, seeds=SeedSpread(int(row["seeds"]), std, float(row["best"]), number(std, digits)))


def _with_share(cell: Cell, method: str, bounds: tuple[str, float, float] | None) -> Cell:
    if bounds is None or not isfinite(cell.value) or method in (bounds[0], FLOOR):
        return cell
    _, low, high = bounds
    return replace(cell, share=f"{number(100 * (cell.value - low) / (high - low), 0)} %")


def _origin(rule: str) -> str:
    return "LQ files" if rule in ("", "files") else f"LQ by {rule}"


def _compared(column: Column, rivals: pd.DataFrame) -> Column:
    """The column with the images and methods of its comparison."""
    scores = rivals[rivals["metric"] == column.metric]
    not_compared = scores["shared"].isna() & scores["value"].notna()
    return replace(
        column,
        compared=int(scores["shared_n"].max()) if len(scores) else 0,
        left_out=tuple(str(name) for name in scores["method"][not_compared]),
    )


def _marks(scores: pd.DataFrame, column: Column) -> dict[str, Mark]:
    """Best and second best at printed precision, by the images that all compared methods have."""
    if column.direction == "none":
        return {}
    printed = scores.dropna(subset=["shared"]).set_index("method")["shared"].round(column.digits)
    if column.direction == "zero":
        printed = printed.abs()
    ranks = printed.rank(method="dense", ascending=column.direction != "higher")
    words: dict[int, Mark] = {1: "best", 2: "second"}
    return {str(method): words.get(int(rank), "") for method, rank in ranks.items()}


def _cell(
    lost: pd.DataFrame,
    scores: dict[str, dict[str, Any]],
    column: Column,
    method: str,
    images: int,
    marks: dict[str, Mark],
) -> Cell:
    if column.metric not in scores:
        return Cell("–", float("nan"))
    score = scores[column.metric]
    value, n = float(score["value"]), int(score["n"])
    if isnan(value):
        return Cell(_status(lost, method, column.metric), value)
    text, low, high = (number(float(score[name]), column.digits) for name in ("value", "ci_low", "ci_high"))
    return Cell(text, value, low, high, n, n < images, marks.get(method, ""), bool(score.get("tied", False)))


def _status(lost: pd.DataFrame, method: str, metric: str) -> str:
    """Why a method has no value of a metric: what most of its images met, as a whole or in this metric."""
    problems = lost[(lost["method"] == method) & lost["metric"].isin(["", metric])]
    counts = problems.groupby("status")["count"].sum()
    return str(counts.idxmax()) if len(counts) else "–"


def number(value: float, digits: int) -> str:
    """Fixed decimals, as a power of ten where they would fill the page; ∞ for equal images, nothing for NaN."""
    if isnan(value):
        return ""
    if isinf(value):
        return "∞" if value > 0 else "-∞"
    return f"{value:.2e}" if abs(value) >= _LONG else f"{value:z.{digits}f}"  # z: no -0.00


def between(low: float, high: float, digits: int, sign: str = "") -> str:
    """An interval as text such as ``1.2 to 1.4``, – if a bound is NaN.

    Args:
        low: lower bound.
        high: upper bound.
        digits: decimals.
        sign: '+' also shows the sign of positive bounds.
    """
    if isnan(low) or isnan(high):
        return "–"
    return f"{low:{sign}z.{digits}f} to {high:{sign}z.{digits}f}"


def _count(value: object) -> str:
    if pd.isna(value):  # type: ignore[call-overload]
        return ""
    count = int(value)  # type: ignore[call-overload]
    return f"{count / 1e6:.2f} M" if count >= 1e5 else f"{count / 1e3:.1f} k"


def _in(unit: float, value: float) -> str:
    if pd.isna(value):
        return ""
    return f"{value / unit:.2f}" if value >= unit else f"{value / unit:.3g}"


def _seconds(value: float) -> str:
    if pd.isna(value):
        return ""
    return f"{value * 1000:.1f} ms" if value < 1 else f"{value:.2f} s"


def _bytes(value: float) -> str:
    if pd.isna(value):
        return ""
    if value < 2**20:
        return "< 1 MiB"
    return f"{value / 2**20:.0f} MiB" if value < 2**30 else f"{value / 2**30:.2f} GiB"
