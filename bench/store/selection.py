"""Select the results of a store that a reader sees, their order, and the names of methods."""

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
    """Part of a store, with names of methods for readers; the default is the whole store with its own names.

    Readers see the selected results alone: ranks and marks are those among the selected methods and metrics.
    """

    methods: tuple[str, ...] = ()
    """Names of methods in the store; empty: all."""
    metrics: tuple[str, ...] = ()
    """Ids of metrics; empty: all."""
    datasets: tuple[str, ...] = ()
    """Names of datasets; empty: all."""
    as_given: bool = False
    """Whether rows, columns and tables have the order of this selection, and then that of the specs; otherwise only
    methods have the order of the specs."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Name of a method in the store to its name for readers."""

    def shown(self, method: str) -> str:
        """The name for readers of a method of the store."""
        return self.names.get(method, method)


EVERYTHING = Selection()


def narrow(connection: sqlite3.Connection, selection: Selection, root: Path) -> None:
    """Restrict a reader's connection to the selected results: temporary views take the place of the tables.

    Args:
        connection: connection of a reader; the views of ``current`` read the selected results from now on.
        selection: the selected results.
        root: folder of the store, for messages.

    Raises:
        StoreError: the store has no such method, metric or dataset, or two methods would have the same name.
    """
    if selection == EVERYTHING:
        return
    methods = _column(connection, "SELECT DISTINCT method FROM outputs ORDER BY method")
    datasets = _column(connection, "SELECT DISTINCT dataset FROM outputs ORDER BY dataset")
    metrics = _column(connection, "SELECT DISTINCT metric FROM cells ORDER BY metric")
    ids = tuple(stored_id(id, metrics) for id in selection.metrics)
    for word, requested, known in (
        ("method", (*selection.methods, *selection.names), methods),
        ("dataset", selection.datasets, datasets),
        ("metric", ids, metrics),
    ):
        for name in requested:
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


def _choose(connection: sqlite3.Connection, table: str, rows: Iterable[tuple[str, str]]) -> None:
    connection.execute(f"CREATE TEMP TABLE chosen_{table} (name TEXT PRIMARY KEY, shown TEXT) WITHOUT ROWID")
    connection.executemany(f"INSERT OR IGNORE INTO chosen_{table} VALUES (?, ?)", rows)


def _hide(connection: sqlite3.Connection, table: str, join: str, **replaced: str) -> None:
    """Create a temporary view with the name of a table; SQLite prefers it for names without a schema."""
    columns = [str(row[1]) for row in connection.execute(f"PRAGMA main.table_info({table})")]
    shown = ", ".join(f"{replaced.get(column, f't.{column}')} AS {column}" for column in columns)
    connection.execute(f"CREATE TEMP VIEW {table} AS SELECT {shown} FROM main.{table} t {join}")
