"""The board in a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.markup import escape as escape_markup
from rich.table import Table
from rich.text import Text

from .escaping import plain

if TYPE_CHECKING:
    from .board import Board
    from .grid import Cell, Grid

_SPACE = 3
"""Between columns."""


def escape(text: object) -> str:
    """One line of somebody's text for a table of Rich: neither markup nor a command to the terminal."""
    return escape_markup(plain(text))


@dataclass(frozen=True)
class _Column:
    heading: str
    cells: list[str]
    """As markup."""
    style: str = ""

    @property
    def width(self) -> int:
        """Headings wrap between words, cells do not."""
        return max(cell_len(text) for text in (*self.heading.split(), *(Text.from_markup(c).plain for c in self.cells)))


def to_terminal(board: Board, width: int = 80) -> Iterator[Table | Text]:
    """Tables per dataset and protocol, best bold, second underlined, and the notes below them.

    No value is cut to fit ``width`` characters. Columns that do not fit beside others follow in a table of their own.
    """
    from .grid import grids  # pandas is for those who print a board, and not for every list

    for grid in grids(board):
        names = _Column("method", [escape(row.method + row.sign) for row in grid.rows])
        groups = _beside(_columns(grid), width - 2 - names.width)  # a space at either end
        for number, columns in enumerate(groups):
            title = f"{escape(grid.dataset)}  [dim]{escape(grid.protocol)}, {escape(grid.lq)}, {grid.size}[/]"
            table = Table(
                title=title if number == 0 else None,
                title_justify="left",
                box=SIMPLE_HEAD,
                pad_edge=False,
            )
            table.add_column(names.heading, no_wrap=True)
            for column in columns:
                table.add_column(escape(column.heading), justify="right", style=column.style, width=column.width)
            for cells in zip(names.cells, *(column.cells for column in columns), strict=True):
                table.add_row(*cells)
            yield table
        if grid.notes:  # no caption, which would be as narrow as the last of several tables
            yield Text(plain(" ".join(grid.notes)) + "\n", style="table.caption")


def _columns(grid: Grid) -> list[_Column]:
    metrics = [
        _Column(column.heading, [_cell(row.cells[index]) for row in grid.rows])
        for index, column in enumerate(grid.columns)
    ]
    times, memories = [row.seconds for row in grid.rows], [row.memory for row in grid.rows]
    return [*metrics, _Column("time", times, "dim"), _Column("memory", memories, "dim")]


def _beside(columns: Sequence[_Column], room: int) -> list[list[_Column]]:
    groups: list[list[_Column]] = [[]]
    remaining = room
    for column in columns:
        if groups[-1] and column.width + _SPACE > remaining:
            groups.append([])
            remaining = room
        groups[-1].append(column)
        remaining -= column.width + _SPACE
    return groups


def _cell(cell: Cell) -> str:
    share = f" ({cell.share})" if cell.share else ""
    text = escape(cell.text) + ("≈" if cell.tied else "") + share + (f" (n={cell.n})" if cell.partial else "")
    return {"best": f"[bold]{text}[/]", "second": f"[underline]{text}[/]"}.get(cell.mark, text)
