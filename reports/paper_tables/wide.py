"""One table for each protocol: methods as rows, datasets as groups of columns with their metrics below."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..board import Board
from ..column import ARROWS, Column
from ..grid import Cell, Grid, Row, grids
from .fit import Fit, ems, fit, fits


@dataclass(frozen=True)
class WideRow:
    """One method, or what one source says of it, on all datasets."""

    method: str
    sign: str
    """After the method's name: what of it is not part of its identity stands in a note."""
    source: int
    """Number of the entry of ``sources``; 0: it was measured here."""
    cells: tuple[Cell, ...]
    """In the order of the columns of all groups."""


@dataclass(frozen=True)
class Group:
    """One dataset."""

    dataset: str
    images: int
    columns: tuple[Column, ...]
    first: int
    """Number of its first column in the table; the methods' column has number 1."""

    @property
    def last(self) -> int:
        """Number of its last column."""
        return self.first + len(self.columns) - 1


@dataclass(frozen=True)
class Block:
    """As many datasets as stand side by side in the width of a page."""

    groups: tuple[Group, ...]
    rows: tuple[WideRow, ...]
    fit: Fit


@dataclass(frozen=True)
class WideTable:
    """All datasets of one protocol."""

    protocol: str
    blocks: tuple[Block, ...]
    """Below each other."""
    sources: tuple[str, ...]
    """Of published rows; the first has number 1."""
    notes: tuple[str, ...]
    """What a reader must know, each with its dataset where there are several."""
    tied: bool
    """Some value cannot be told from the best."""
    disputed: bool
    """Sources of some published value contradict each other."""
    seeds: tuple[int, ...]
    """Numbers of seeds of the methods that have several."""

    @property
    def rows(self) -> tuple[WideRow, ...]:
        """Every method with the cells of all blocks."""
        rows: dict[tuple[str, int], WideRow] = {}
        for block in self.blocks:
            for row in block.rows:
                earlier = rows.get((row.method, row.source))
                cells = (*(earlier.cells if earlier else ()), *row.cells)
                rows[row.method, row.source] = WideRow(row.method, row.sign, row.source, cells)
        return tuple(rows.values())

    @property
    def groups(self) -> tuple[Group, ...]:
        """Every dataset."""
        return tuple(group for block in self.blocks for group in block.groups)

    @property
    def environment(self) -> str:
        """``table``, or ``table*`` where a block needs both columns of a page."""
        return max(block.fit.environment for block in self.blocks)

    @property
    def scaled(self) -> bool:
        """Whether a block needs package graphicx."""
        return any(block.fit.scaled for block in self.blocks)


def wide_tables(board: Board) -> Iterator[WideTable]:
    """Every protocol of a board, never two in one table."""
    by_protocol: dict[str, list[Grid]] = {}
    for grid in grids(board):
        by_protocol.setdefault(grid.protocol, []).append(grid)
    for protocol, tables in by_protocol.items():
        sources = tuple(dict.fromkeys(source for grid in tables for source in grid.sources))
        notes = [f"{grid.dataset}: {note}" if len(tables) > 1 else note for grid in tables for note in grid.notes]
        cells = [cell for grid in tables for row in grid.rows for cell in row.cells]
        counts = {cell.seeds.count for cell in cells if cell.seeds is not None}
        names = _methods(tables, [str(name) for name in board.methods["method"]], sources)
        yield WideTable(
            protocol,
            tuple(_blocks(tables, names, sources)),
            sources,
            tuple(notes),
            any(cell.tied for cell in cells),
            any(cell.disputed for cell in cells),
            tuple(sorted(counts)),
        )


def _methods(tables: Sequence[Grid], order: Sequence[str], sources: Sequence[str]) -> list[tuple[str, int]]:
    """Methods and numbers of their sources: measured ones in the order of tables, then published ones."""
    keys = dict.fromkeys(_key(row, grid, sources) for grid in tables for row in grid.rows)
    places = {name: place for place, name in enumerate(order)}
    return sorted(keys, key=lambda key: (key[1] > 0, places.get(key[0], 0) if key[1] == 0 else 0))


def _key(row: Row, grid: Grid, sources: Sequence[str]) -> tuple[str, int]:
    return row.method, 1 + sources.index(grid.sources[row.source - 1]) if row.source else 0


def _blocks(tables: Sequence[Grid], names: Sequence[tuple[str, int]], sources: Sequence[str]) -> Iterator[Block]:
    """Datasets in their order, in as few blocks as the width of a page allows."""
    in_block: list[Grid] = []
    for grid in tables:
        if in_block and not fits(_widths(_block([*in_block, grid], names, sources))):
            yield _block(in_block, names, sources)
            in_block = []
        in_block.append(grid)
    yield _block(in_block, names, sources)


def _block(tables: Sequence[Grid], names: Sequence[tuple[str, int]], sources: Sequence[str]) -> Block:
    groups, first = [], 2
    for grid in tables:
        groups.append(Group(grid.dataset, grid.images, grid.columns, first))
        first += len(grid.columns)
    by_key = [{_key(row, grid, sources): row for row in grid.rows} for grid in tables]
    rows = []
    for key in names:
        method_rows = [rows_of.get(key) for rows_of in by_key]
        cells = [
            cell
            for grid, row in zip(tables, method_rows, strict=True)
            for cell in (row.cells if row else [Cell("–", float("nan"))] * len(grid.columns))
        ]
        if any(cell.text != "–" for cell in cells) or key[1] == 0:
            sign = next((row.sign for row in method_rows if row), "")
            rows.append(WideRow(key[0], sign, key[1], tuple(cells)))
    block = Block(tuple(groups), tuple(rows), Fit("table", "", scaled=False))
    return Block(block.groups, block.rows, fit(_widths(block)))


def _widths(block: Block) -> list[list[float]]:
    """Widths of the cells of each column."""
    columns = [[ems("Method"), *(ems(row.method, row.sign or str(row.source or "")) for row in block.rows)]]
    titles = [column for group in block.groups for column in group.columns]
    for place, column in enumerate(titles):
        columns.append([_heading(column), *(_cell(row.cells[place]) for row in block.rows)])
    for group in block.groups:  # LaTeX gives the last column what a dataset's name needs beyond its metrics
        below = columns[group.first - 1 : group.last]
        widths = [max(cells) for cells in below]
        below[-1].append(widths[-1] + max(0.0, ems(group.dataset) - sum(widths)))
    return columns


def fit_of(grid: Grid) -> Fit:
    """The fit of one dataset's table, with its costs."""
    columns = [[ems("Method"), *(ems(row.method, row.sign or str(row.source or "")) for row in grid.rows)]]
    for place, column in enumerate(grid.columns):
        counts = [ems(f" (n={cell.n})") if cell.partial else 0.0 for cell in (row.cells[place] for row in grid.rows)]
        cells = [_cell(row.cells[place]) for row in grid.rows]
        columns.append([_heading(column), *map(sum, zip(cells, counts, strict=True))])
    columns += [
        [ems(text) for text in (heading, *(getattr(row, name) for row in grid.rows))] for heading, name in grid.costs
    ]
    return fit(columns)


def _heading(column: Column) -> float:
    return ems(f"{column.title}{ARROWS[column.direction]}")


def _cell(cell: Cell) -> float:
    """Width of a cell with its marks."""
    script = (f"±{cell.seeds.text}" if cell.seeds else "") + (f"n={cell.n}" if cell.partial else "")
    share = f" ({cell.share})" if cell.share else ""
    return ems(cell.text, script + "≈" * (cell.tied + cell.disputed), bold=True) + ems(share)
