"""Remove methods, metrics and datasets from a store, with the images that are no longer needed.

The rows are removed in one transaction, then the files that no row names. A kill between the two leaves unneeded files
behind, which the next call removes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...datasets.names import did_you_mean
from .images import StoreError
from .store import Store

_NAMED = (
    "SELECT sr FROM restorations UNION SELECT lq FROM inputs UNION SELECT reference FROM inputs"
    " UNION SELECT lq FROM outputs UNION SELECT reference FROM outputs"
    " UNION SELECT lq FROM sets UNION SELECT reference FROM sets"
)


@dataclass(frozen=True)
class Doomed:
    """Methods, metrics and datasets to remove from a store."""

    methods: tuple[str, ...] = ()
    """Names of methods whose outputs are removed."""
    metrics: tuple[str, ...] = ()
    """Ids of metrics whose values are removed for all methods."""
    datasets: tuple[str, ...] = ()
    """Names of datasets whose outputs are removed."""


@dataclass(frozen=True)
class Amount:
    """Number of rows to remove."""

    outputs: int
    cells: int
    """Number of values, including those of the outputs."""


def amount(store: Store, doomed: Doomed) -> Amount:
    """How much would be removed; nothing is changed.

    Raises:
        StoreError: the store has no such method, metric or dataset.
    """
    for word, column, names in (("method", "method", doomed.methods), ("dataset", "dataset", doomed.datasets)):
        known = [str(name) for (name,) in store.query(f"SELECT DISTINCT {column} FROM outputs ORDER BY 1")]
        if word == "method":
            known += [str(name) for (name,) in store.query("SELECT name FROM methods") if name not in known]
        _require(store, word, names, known)
    ids = [str(id) for (id,) in store.query("SELECT DISTINCT metric FROM cells UNION SELECT id FROM metrics")]
    _require(store, "metric", doomed.metrics, ids)
    chosen, values = _outputs(doomed)
    (outputs,) = next(store.query(f"SELECT count(*) FROM outputs WHERE {chosen}", values))
    metrics = ", ".join("?" * len(doomed.metrics))
    (cells,) = next(
        store.query(
            f"SELECT count(*) FROM cells WHERE metric IN ({metrics})"
            f" OR output IN (SELECT id FROM outputs WHERE {chosen})",
            (*doomed.metrics, *values),
        )
    )
    return Amount(outputs, cells)


def drop(store: Store, doomed: Doomed) -> int:
    """Remove rows and images from a store that is open for writing; returns the bytes of the removed images.

    Restorations and scores that another output shares stay. Rows that are out of date, which no table shows, are
    removed too.
    """
    with store.transaction() as database:
        chosen, values = _outputs(doomed)
        database.execute(
            "CREATE TEMP TABLE gone_restorations AS SELECT DISTINCT restoration AS key FROM outputs"
            f" WHERE {chosen} AND restoration IS NOT NULL",
            values,
        )
        metrics = ", ".join("?" * len(doomed.metrics))
        database.execute(
            f"CREATE TEMP TABLE gone_scores AS SELECT DISTINCT score AS key FROM cells WHERE score IS NOT NULL AND"
            f" (metric IN ({metrics}) OR output IN (SELECT id FROM outputs WHERE {chosen}))",
            (*doomed.metrics, *values),
        )
        database.execute(f"DELETE FROM cells WHERE metric IN ({metrics})", doomed.metrics)
        database.execute(f"DELETE FROM cells WHERE output IN (SELECT id FROM outputs WHERE {chosen})", values)
        database.execute(f"DELETE FROM outputs WHERE {chosen}", values)
        for table in ("payloads", "scores"):
            database.execute(
                f"DELETE FROM {table} WHERE key IN (SELECT key FROM gone_scores)"
                " AND key NOT IN (SELECT score FROM cells WHERE score IS NOT NULL)"
            )
        database.execute(
            "DELETE FROM restorations WHERE key IN (SELECT key FROM gone_restorations)"
            " AND key NOT IN (SELECT restoration FROM outputs WHERE restoration IS NOT NULL)"
        )
        cards = (("methods", "name", doomed.methods), ("metrics", "id", doomed.metrics))
        for table, column, names in (*cards, ("sets", "dataset", doomed.datasets)):
            database.execute(f"DELETE FROM {table} WHERE {column} IN ({', '.join('?' * len(names))})", names)
        _forget_inputs(database, doomed)
        for table in ("gone_restorations", "gone_scores"):
            database.execute(f"DROP TABLE temp.{table}")
    return sweep(store)


def sweep(store: Store) -> int:
    """Remove the images that no row names; returns their bytes."""
    named = {str(digest) for (digest,) in store.query(_NAMED) if digest}
    freed = 0
    for path in _files(store.objects.root):
        if path.stem not in named:
            freed += path.stat().st_size
            store.objects.remove(path.stem)
    return freed


def _files(root: Path) -> Iterator[Path]:
    yield from (path for path in sorted(root.glob("??/*")) if not path.name.startswith(".") and path.is_file())


def _forget_inputs(database: sqlite3.Connection, doomed: Doomed) -> None:
    """Remove LQ and HR of images that are in no set any more; if no dataset is removed, they stay for later methods."""
    if doomed.datasets:
        database.execute(
            "DELETE FROM inputs WHERE lq NOT IN (SELECT lq FROM sets) AND lq NOT IN (SELECT lq FROM outputs WHERE lq"
            " IS NOT NULL)"
        )


def _outputs(doomed: Doomed) -> tuple[str, tuple[str, ...]]:
    """The SQL condition for the outputs to remove, with its values."""
    methods, datasets = (", ".join("?" * len(names)) for names in (doomed.methods, doomed.datasets))
    return f"(method IN ({methods}) OR dataset IN ({datasets}))", (*doomed.methods, *doomed.datasets)


def _require(store: Store, word: str, names: Sequence[str], known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            raise StoreError(f"{store.root}: has no {word} '{name}'{did_you_mean(name, known)}")
