"""Which results of a store a reader is shown, in which order, and under which names."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ...datasets.names import did_you_mean, name_problem
from ..metrics.registry import stored_id
from .images import StoreError


@dataclass(frozen=True)
class Selection:
    """Part of a store under the names of its readers; the default is all of it under its own names.

    Every reader sees what was chosen alone: ranks and marks are those among the chosen methods and metrics.
    """

    methods: tuple[str, ...] = ()
    """As the store calls them; empty: all."""
    metrics: tuple[str, ...] = ()
    """Ids; empty: all."""
    datasets: tuple[str, ...] = ()
    """Empty: all."""
    as_given: bool = False
    """Rows, columns and tables stand in the order in which they are named here, and those that are not in that of the
    specs; otherwise only methods do."""
    names: Mapping[str, str] = field(default_factory=dict)
    """What readers call a method, by what the store calls it."""

    def shown(self, method: str) -> str:
        """What readers call a method of the store."""
        return self.names.get(method, method)


EVERYTHING = Selection()


def narrow(connection: sqlite3.Connection, selection: Selection, root: Path) -> None:
    """Make a reader's connection one of the chosen results alone: views stand before the tables that have more.

    Args:
        connection: of a reader; the views of ``current`` read what is chosen from now on.
        selection: what is chosen.
        root: the store, for errors.

    Raises:
        StoreError: the store has no such method, metric or dataset, or two methods would have one name.
    """
    if selection == EVERYTHING:
        return
    methods = _column(connection, "SELECT DISTINCT method FROM outputs ORDER BY method")
    datasets = _column(connection, "SELECT DISTINCT dataset FROM outputs ORDER BY dataset")
    metrics = _column(connection, "SELECT DISTINCT metric FROM cells ORDER BY metric")
    ids = tuple(stored_id(id, metrics) for id in selection.metrics)
    for word, wanted, known in (
        ("method", (*selection.methods, *selection.names), methods),
        ("dataset", selection.datasets, datasets),
        ("metric", ids, metrics),
    ):
        for name in wanted:
            if name not in known:
                raise StoreError(f"{root}: has no {word} '{name}'{did_you_mean(name, known)}")
    _require_own_names(selection, selection.methods or methods, root)
    _choose(connection, "methods", ((name, selection.shown(name)) for name in selection.methods or methods))
    _choose(connection, "datasets", ((name, name) for name in selection.datasets or datasets))
    _choose(connection, "metrics", ((id, id) for id in ids or metrics))
    joined = "JOIN chosen_methods n ON n.name = t.method JOIN chosen_datasets d ON d.name = t.dataset"
    _hide(connection, "outputs", joined, method="n.shown")
    _hide(connection, "cells", "JOIN chosen_metrics n ON n.name = t.metric")
    _hide(connection, "methods", "JOIN chosen_methods n ON n.name = t.name", name="n.shown")


def _require_own_names(selection: Selection, methods: Iterable[str], root: Path) -> None:
    owners: dict[str, str] = {}
    for method in dict.fromkeys(methods):
        name = selection.shown(method)
        if problem := name_problem(name):
            raise StoreError(f"{root}: the name of '{method}' {problem}; give it another one")
        if name in owners:
            raise StoreError(f"{root}: '{owners[name]}' and '{method}' would both be called '{name}'")
        owners[name] = method


def _column(connection: sqlite3.Connection, query: str) -> list[str]:
    return [str(row[0]) for row in connection.execute(query)]


def _choose(connection: sqlite3.Connection, what: str, rows: Iterable[tuple[str, str]]) -> None:
    connection.execute(f"CREATE TEMP TABLE chosen_{what} (name TEXT PRIMARY KEY, shown TEXT) WITHOUT ROWID")
    connection.executemany(f"INSERT OR IGNORE INTO chosen_{what} VALUES (?, ?)", rows)


def _hide(connection: sqlite3.Connection, table: str, join: str, **other: str) -> None:
    """Put a view before a table: of names without a schema SQLite looks for temporary ones first."""
    columns = [str(row[1]) for row in connection.execute(f"PRAGMA main.table_info({table})")]
    shown = ", ".join(f"{other.get(column, f't.{column}')} AS {column}" for column in columns)
    connection.execute(f"CREATE TEMP VIEW {table} AS SELECT {shown} FROM main.{table} t {join}")
