"""A board in a notebook: plain tables, with the marks that they have everywhere."""

from __future__ import annotations

from markupsafe import Markup, escape

from .board import Board
from .grid import Cell, grids

_TAGS = {"best": "b", "second": "u"}


def to_notebook(board: Board) -> str:
    """HTML of a board's tables: methods as rows, metrics as columns, the best value bold, the second underlined."""
    fragments = []
    for grid in grids(board):
        head = Markup("").join(Markup("<th>{}</th>").format(column.heading) for column in grid.columns)
        rows = [
            Markup("<tr><th style='text-align:left'>{}</th>{}</tr>").format(
                row.method + row.sign, Markup("").join(map(_cell, row.cells))
            )
            for row in grid.rows
        ]
        title = f"{grid.dataset}: {grid.protocol}, {grid.lq}, {grid.size}"
        fragments.append(
            Markup(
                "<table><caption style='text-align:left'>{}</caption><thead><tr><th></th>{}</tr></thead>{}</table>"
            ).format(title, head, Markup("").join(rows))
        )
        fragments += [Markup("<p>{}</p>").format(note) for note in grid.notes]
    return str(Markup("").join(fragments) or escape("no scores"))


def _cell(cell: Cell) -> Markup:
    text = escape(cell.text)
    if tag := _TAGS.get(cell.mark):
        text = Markup("<{0}>{1}</{0}>").format(Markup(tag), text)
    interval = f"95 % interval: {cell.low} to {cell.high}" if cell.low else ""
    return Markup("<td title='{}'>{}</td>").format(interval, text)
