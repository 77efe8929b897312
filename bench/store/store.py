"""The store: one SQLite file and a folder of images, from which every table and figure is regenerated."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..metrics.card import MetricCard
from .images import Objects, StoreError
from .open_database import DATABASE, SCHEMA_VERSION, acquire_lock, open_to_read, open_to_write
from .provenance import Provenance
from .read_rows import StoreReader
from .records import OutputRecord, Place, SetImage
from .selection import EVERYTHING, Selection, narrow
from .write_rows import insert_metric, insert_output, insert_set

__all__ = ["SCHEMA_VERSION", "Store", "open_store"]


class Store(StoreReader):
    """An open store. Use ``open_store``; a single process may write at a time, and any number may read."""

    def __init__(
        self, root: Path, connection: sqlite3.Connection, lock: int | None, selection: Selection = EVERYTHING
    ) -> None:
        super().__init__(root, connection)
        self.selection = selection
        self.objects = Objects(root / "objects")
        self._lock = lock

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the database and release the lock of the writer."""
        self._connection.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def begin_run(self, started: str, spec: Mapping[str, Any], provenance: Provenance) -> int:
        """Record a run and return its number; ``started`` is ISO 8601 in UTC."""
        with self.transaction() as database:
            cursor = database.execute(
                "INSERT INTO runs (started, spec, provenance) VALUES (?, ?, ?)",
                (started, json.dumps(spec, sort_keys=True), json.dumps(asdict(provenance), sort_keys=True)),
            )
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def finish_run(self, run: int, finished: str) -> None:
        """Mark a run as ended."""
        with self.transaction() as database:
            database.execute("UPDATE runs SET finished = ? WHERE id = ?", (finished, run))

    def add_method(self, name: str, card: Mapping[str, Any], weights: str, identity: str = "") -> None:
        """Record a method; counted parameters are kept for the same weights, counted operations for the same identity.

        Args:
            name: name of the method.
            card: family, version, parameters and other fields of ``StoredMethod``.
            weights: digest of its weight files; '' if it has none.
            identity: digest of everything except the image that determines its pixels; '' if it is not known.
        """
        with self.transaction() as database:
            if card.get("parameters") is None:
                row = database.execute(
                    "SELECT json_extract(card, '$.parameters') FROM methods WHERE name = ? AND weights = ?",
                    (name, weights),
                ).fetchone()
                card = {**card, "parameters": None if row is None else row[0]}
            row = database.execute(
                "SELECT json_extract(card, '$.operations') FROM methods"
                " WHERE name = ? AND weights = ? AND identity = ?",
                (name, weights, identity),
            ).fetchone()
            if row is not None and row[0] is not None:
                card = {**card, "operations": {**json.loads(row[0]), **card.get("operations", {})}}
            database.execute(
                "INSERT OR REPLACE INTO methods (name, card, weights, identity) VALUES (?, ?, ?, ?)",
                (name, json.dumps(card, sort_keys=True), weights, identity),
            )

    def add_metrics(self, cards: Iterable[MetricCard]) -> None:
        """Record the metrics of a run; values of former versions are out of date from now on."""
        with self.transaction() as database:
            for card in cards:
                insert_metric(database, card)

    def add_set(self, protocol: str, scale: float, images: Iterable[SetImage], run: int) -> None:
        """Record all images of the datasets of a run; outputs of other images are out of date from now on.

        Rows of an image with LQ in another form (a Y plane) are kept if HR and the LQ rule are the same.

        Args:
            protocol: name of the protocol.
            scale: scale factor.
            images: all images of all datasets of the run.
            run: number of the run.
        """
        with self.transaction() as database:
            insert_set(database, protocol, scale, images, run)

    def want(self, restorations: Iterable[tuple[Place, str]]) -> None:
        """Record the restoration keys that a run plans; outputs with other keys are out of date until replaced."""
        with self.transaction() as database:
            database.executemany(
                "UPDATE outputs SET wanted = ? WHERE protocol = ? AND scale = ? AND dataset = ? AND image = ?"
                " AND method = ? AND seed = ?",
                ((key, *place) for place, key in restorations),
            )

    def add_inputs(self, rows: Iterable[tuple[str, str, str | None]]) -> None:
        """Record (input key, LQ digest, reference digest) rows."""
        with self.transaction() as database:
            database.executemany("INSERT OR REPLACE INTO inputs VALUES (?, ?, ?)", rows)

    def commit(self, outputs: Iterable[OutputRecord], run: int) -> None:
        """Write finished outputs with their cells in one transaction."""
        with self.transaction() as database:
            for output in outputs:
                insert_output(database, output, run)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """The database for writing: either all changes in the block are kept, or none."""
        try:
            with self._connection:
                yield self._connection
        except sqlite3.Error as error:
            raise StoreError(
                f"{self.root}: cannot write the store ({error}); what was stored before is kept"
            ) from error


def open_store(root: Path | str, *, write: bool = False, selection: Selection = EVERYTHING) -> Store:
    """Open a store for reading, or for writing (the store is made if it is missing).

    A store of version 4 that is opened for writing is upgraded, and a copy of its database stays beside it. Readers of
    such a store read an upgraded copy; nothing is written.

    Args:
        root: folder of the store.
        write: open the store for writing; a single process may write at a time.
        selection: results that a reader sees; a writer always sees all.

    Raises:
        StoreError: the folder is not a store, is not writable, is being written by another process, is of an unknown
            version, or lacks a selected method, metric or dataset.
    """
    root = Path(root)
    database = root / DATABASE
    if not write and not database.is_file():
        raise StoreError(f"{root}: no store here (no {DATABASE}); give the folder that 'run' wrote")
    lock = None
    try:
        if write:
            root.mkdir(parents=True, exist_ok=True)
            lock = acquire_lock(root)
        connection = open_to_write(database) if write else open_to_read(database)
        if not write:
            narrow(connection, selection, root)
    except BaseException as error:
        if lock is not None:
            os.close(lock)
        if isinstance(error, sqlite3.DatabaseError) and not write:
            raise StoreError(f"{database}: is no store that 'run' wrote, or is damaged ({error})") from error
        if isinstance(error, OSError | sqlite3.Error):
            raise StoreError(f"{root}: cannot open the store ({error}); check the folder's rights and space") from error
        raise
    return Store(root, connection, lock, selection)
