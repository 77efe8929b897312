"""Average ranks of a board, arranged as one table for each protocol."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isnan

from .board import Board
from .notes import INCOMPLETE


@dataclass(frozen=True)
class RankCell:
    """An average rank with its interval, '' where it has none; '–' where a method was not measured completely."""

    text: str
    value: float
    interval: str
    best: bool


@dataclass(frozen=True)
class RankRow:
    """One method."""

    method: str
    family: str
    cells: tuple[RankCell, ...]
    sign: str = ""
    """After the method's name, as in the tables of datasets."""


@dataclass(frozen=True)
class RankGrid:
    """One protocol: a column for all datasets together where there are several, then one for each."""

    protocol: str
    columns: tuple[str, ...]
    rows: tuple[RankRow, ...]
    """The best first; none where fewer than two methods can be ranked."""
    notes: tuple[str, ...] = ()
    """Which metrics and methods are not in it."""


def rank_grids(board: Board) -> Iterator[RankGrid]:
    """Every protocol with two or more methods that are ranked, or that something keeps from being ranked."""
    families = dict(zip(board.methods["method"], board.methods["family"], strict=True))
    signs = dict.fromkeys(board.methods["method"][board.methods["incomplete"] != ""], INCOMPLETE)
    ranked = [str(name) for name in board.ranks["protocol"]]
    for protocol in dict.fromkeys([*ranked, *(name for name, notes in board.rank_notes.items() if notes)]):
        ranks = board.ranks[board.ranks["protocol"] == protocol]
        notes = tuple(board.rank_notes.get(protocol, ()))
        datasets = list(dict.fromkeys(str(name) for name in ranks["dataset"]))
        datasets.sort(key=lambda name: name != "")  # all together first; the sort is stable
        methods = list(dict.fromkeys(str(name) for name in ranks["method"]))
        columns = (ranks[name] for name in ("dataset", "method", "rank", "low", "high"))
        rank_by_cell = {
            (str(row[0]), str(row[1])): (float(row[2]), float(row[3]), float(row[4]))
            for row in zip(*columns, strict=True)
        }
        if len(methods) < 2:
            if notes and board.scores[board.scores["protocol"] == protocol]["method"].nunique() > 1:
                yield RankGrid(protocol, (), (), notes)
            continue
        best_ranks = {
            name: min(rank for (dataset, _), (rank, *_) in rank_by_cell.items() if dataset == name) for name in datasets
        }
        rows = [
            RankRow(
                name,
                str(families[name]),
                tuple(_cell(rank_by_cell.get((dataset, name)), best_ranks[dataset]) for dataset in datasets),
                signs.get(name, ""),
            )
            for name in methods
        ]
        rows.sort(key=lambda row: (row.cells[0].value != row.cells[0].value, row.cells[0].value))
        yield RankGrid(protocol, tuple(name or "All datasets" for name in datasets), tuple(rows), notes)


def _cell(numbers: tuple[float, float, float] | None, best_rank: float) -> RankCell:
    if numbers is None:
        return RankCell("–", float("nan"), "", False)
    rank, low, high = numbers
    interval = "" if isnan(low) else f"{low:.1f} to {high:.1f}"
    return RankCell(f"{rank:.1f}", rank, interval, rank == best_rank)
