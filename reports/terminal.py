"""The board in a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from .board import Board
from .grid import Cell, grids


def to_terminal(board: Board) -> Iterator[Table]:
    """One table per dataset and protocol, best bold, second underlined; fits 80 columns for a few metrics."""
    for grid in grids(board):
        table = Table(
            title=f"{escape(grid.dataset)}  [dim]{escape(grid.protocol)}, {escape(grid.lq)}, {grid.size}[/]",
            title_justify="left",
            caption=escape(" ".join(grid.notes)) or None,
            caption_justify="left",
            box=SIMPLE_HEAD,
            pad_edge=False,
        )
        table.add_column("method", no_wrap=True)
        for column in grid.columns:
            table.add_column(escape(column.heading), justify="right")
        table.add_column("time", justify="right", style="dim", no_wrap=True)
        table.add_column("memory", justify="right", style="dim", no_wrap=True)
        for row in grid.rows:
            table.add_row(escape(row.method), *map(_cell, row.cells), row.seconds, row.memory)
        yield table


def _cell(cell: Cell) -> str:
    share = f" ({cell.share})" if cell.share else ""
    text = escape(cell.text) + ("≈" if cell.tied else "") + share + (f" (n={cell.n})" if cell.partial else "")
    return {"best": f"[bold]{text}[/]", "second": f"[underline]{text}[/]"}.get(cell.mark, text)
