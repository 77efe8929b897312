"""The tables of a board as data: one line for each method as CSV, everything that they show as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import isfinite, nan
from typing import Any

import pandas as pd

from ..board import Board
from ..grid import Cell, Grid, Row, grids
from ..notes import problems, records
from ..provenance import provenance_lines
from ..tables import csv_text

_COSTS = ("seconds", "memory", "macs", "activations", "lq_size")


def to_wide_csv(board: Board) -> str:
    """One line for each method under each protocol, one column for each dataset and metric, at full precision.

    Columns are ``DATASET/METRIC``; ``.../std`` and ``.../best_seed`` beside it where methods have several seeds, and
    ``DATASET/seconds``, ``DATASET/memory`` (bytes), ``DATASET/macs``, ``DATASET/activations`` and ``DATASET/lq_size``
    (at which both were counted).
    """
    cards = board.methods.set_index("method")
    lines: dict[tuple[str, str], dict[str, Any]] = {}
    columns: dict[str, None] = {}
    costs = {(row["protocol"], row["dataset"], row["method"]): row for row in records(board.costs)}
    for grid in grids(board):
        for row in grid.rows:
            if row.source:
                continue
            line = lines.setdefault(
                (grid.protocol, row.method),
                {
                    "protocol": grid.protocol,
                    "method": row.method,
                    "family": row.family,
                    "parameters": cards.loc[row.method, "parameters"],
                },
            )
            for column, cell in zip(grid.columns, row.cells, strict=True):
                place = f"{grid.dataset}/{column.metric}"
                line[place] = cell.value
                if cell.seeds is not None:
                    line |= {f"{place}/std": cell.seeds.std, f"{place}/best_seed": cell.seeds.best}
            cost = costs.get((grid.protocol, grid.dataset, row.method), {})
            line |= {f"{grid.dataset}/{name}": cost.get(name, float("nan")) for name in _COSTS}
        columns |= dict.fromkeys(_columns(grid))
    present = {name for line in lines.values() for name in line}
    order = ["protocol", "method", "family", "parameters", *(name for name in columns if name in present)]
    frame = pd.DataFrame(list(lines.values()), columns=order)
    whole = ("/memory", "/macs", "/activations")
    return csv_text(frame.astype({name: "Int64" for name in order if name.endswith(whole)}))


def _columns(grid: Grid) -> list[str]:
    """Names of what a dataset may have, in order."""
    scores = [f"{grid.dataset}/{column.metric}{end}" for column in grid.columns for end in ("", "/std", "/best_seed")]
    return [*scores, *(f"{grid.dataset}/{name}" for name in _COSTS)]


def to_json(board: Board) -> str:
    """What the tables show, as JSON: ``tables`` by dataset and protocol, ``ranks``, ``problems`` and ``provenance``.

    A number that JSON cannot hold is null where there is none, and the text "inf" where it is infinite.
    """
    ranks = [{name: _plain(value) for name, value in row.items()} for row in records(board.ranks)]
    content = {
        "title": board.title,
        "tables": [_table(grid, board) for grid in grids(board)],
        "ranks": ranks,
        "problems": [
            {"status": problem.status, "count": problem.count, "place": list(problem.place), "message": problem.message}
            for problem in problems(board)
        ],
        "provenance": dict(provenance_lines(board)),
    }
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _table(grid: Grid, board: Board) -> dict[str, Any]:
    columns = [
        {
            "metric": column.metric,
            "title": column.title,
            "unit": column.unit,
            "digits": column.digits,
            "direction": column.direction,
        }
        for column in grid.columns
    ]
    scores = board.scores[(board.scores["protocol"] == grid.protocol) & (board.scores["dataset"] == grid.dataset)]
    bounds = {(row["method"], row["metric"]): (row["ci_low"], row["ci_high"]) for row in records(scores)}
    return {
        "protocol": grid.protocol,
        "dataset": grid.dataset,
        "images": grid.images,
        "set_images": grid.whole,
        "lq": grid.lq,
        "metrics": columns,
        "methods": [_method(row, grid, board, bounds) for row in grid.rows],
        "notes": list(grid.notes),
    }


def _method(
    row: Row, grid: Grid, board: Board, bounds: Mapping[tuple[str, str], tuple[float, float]]
) -> dict[str, Any]:
    values = {
        column.metric: _value(cell, *bounds.get((row.method, column.metric), (nan, nan)))
        for column, cell in zip(grid.columns, row.cells, strict=True)
    }
    if row.source:
        return {"method": row.method, "source": grid.sources[row.source - 1], "values": values}
    cards, costs = board.methods, board.costs
    (card,) = records(cards[cards["method"] == row.method])
    cost = records(
        costs[
            (costs["method"] == row.method) & (costs["dataset"] == grid.dataset) & (costs["protocol"] == grid.protocol)
        ]
    )
    costs_of_method = {name: _plain(cost[0][name]) if cost else None for name in (*_COSTS, "devices")}
    description = {name: _plain(card[name]) for name in ("family", "parameters", "steps")}
    return {"method": row.method, **description, **costs_of_method, "values": values}


def _value(cell: Cell, low: float, high: float) -> dict[str, Any]:
    """A value with its interval and marks; why there is none, where there is none."""
    if cell.value != cell.value:
        return {"value": None, "status": cell.text if cell.text != "–" else "not measured"}
    content: dict[str, Any] = {"value": _plain(cell.value)}
    if cell.n:
        content |= {"ci_low": _plain(low), "ci_high": _plain(high), "n": cell.n, "mark": cell.mark, "tied": cell.tied}
    if cell.seeds is not None:
        content["seeds"] = {"count": cell.seeds.count, "std": _plain(cell.seeds.std), "best": _plain(cell.seeds.best)}
    return content


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    if value is None or value is pd.NA or (isinstance(value, float) and value != value):
        return None
    if isinstance(value, str | int | bool):
        return value
    number = float(value)
    return (int(number) if number.is_integer() and abs(number) < 2**53 else number) if isfinite(number) else str(number)
