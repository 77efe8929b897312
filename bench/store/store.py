"""The store: one SQLite file and a folder of images, from which every table and figure is regenerated."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...datasets.names import printable
from ...datasets.scales import parse_scale
from ..metrics.card import MetricCard
from .current import DAMAGED, left_out
from .images import Objects, StoreError
from .open_database import DATABASE, SCHEMA_VERSION, acquire_lock, open_to_read, open_to_write
from .provenance import Provenance
from .records import (
    FailedCell,
    LeftOut,
    OutputRecord,
    Place,
    PlaceState,
    Problem,
    SetImage,
    StoredCell,
    StoredMethod,
    StoredOutput,
    StoredRun,
    StoredSpec,
)
from .selection import EVERYTHING, Selection, narrow
from .stored_values import DamagedRowError, from_text, metric_card, payload
from .write_rows import insert_metric, insert_output, insert_set

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SCHEMA_VERSION", "Store", "open_store"]

_PLACE = "protocol, scale, dataset, image, method, seed"
_PLACES = f"SELECT id, {_PLACE} FROM current_outputs ORDER BY {_PLACE}"
_REASON = "CASE WHEN o.message = '' THEN c.message ELSE o.message END"
_CELLS = "SELECT output, metric, value, status, message, damaged FROM judged_cells WHERE NOT former"
"""What ``current_cells`` is made from: it would check the value of a cell once for each column."""


class Store:
    """An open store. Use ``open_store``; one process writes, any number read."""

    def __init__(
        self, root: Path, connection: sqlite3.Connection, lock: int | None, selection: Selection = EVERYTHING
    ) -> None:
        self.root = root
        self.selection = selection
        self.objects = Objects(root / "objects")
        self._connection = connection
        self._lock = lock

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the database and let the next writer in."""
        self._connection.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    # Writing

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
        """Record what stands behind a method's name; what was counted of it before is kept: parameters with its
        weights, operations with its identity.

        ``identity`` is the digest of what determines its pixels beside the image; '' if it is not known.
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
        """Record what the metrics of a run are; values of former versions are out of date from now on."""
        with self.transaction() as database:
            for card in cards:
                insert_metric(database, card)

    def add_set(self, protocol: str, scale: float, images: Iterable[SetImage], run: int) -> None:
        """Record which images the datasets of a run have, all of each; outputs of others are out of date from now on.

        What is known of an image taken in another way (as a Y plane) is kept while HR and the rule of LQ are the same.
        """
        with self.transaction() as database:
            insert_set(database, protocol, scale, images, run)

    def want(self, restorations: Iterable[tuple[Place, str]]) -> None:
        """Record which restoration keys a run plans; outputs with others are out of date until they are replaced."""
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

    # Reading

    def input_of(self, key: str) -> tuple[str, str | None] | None:
        """Digests of LQ and reference behind an input key."""
        return self._row("SELECT lq, reference FROM inputs WHERE key = ?", (key,))

    def restoration_of(self, key: str) -> str | None:
        """Digest of the SR pixels behind a restoration key."""
        row = self._row("SELECT sr FROM restorations WHERE key = ?", (key,))
        return None if row is None else row[0]

    def has_score(self, key: str) -> bool:
        """Whether a score was measured, and it and what belongs to it are as they were written."""
        return (
            self._row(
                "SELECT 1 FROM scores s LEFT JOIN payloads p ON p.key = s.key WHERE s.key = ?"
                " AND s.checksum = score_checksum(s.key, s.value)"
                " AND (p.key IS NULL OR p.checksum = payload_checksum(p.key, p.dtype, p.shape, p.content))",
                (key,),
            )
            is not None
        )

    def state_of(self, place: Place) -> PlaceState | None:
        """What is recorded for an output."""
        row = self._row(
            "SELECT id, restoration, status, lq, reference FROM outputs WHERE protocol = ? AND scale = ?"
            " AND dataset = ? AND image = ? AND method = ? AND seed = ?",
            place,
        )
        if row is None:
            return None
        number, restoration, status, lq, reference = row
        cells = self.query("SELECT metric, score, status FROM cells WHERE output = ?", (number,))
        return PlaceState(restoration, status, lq, reference, {metric: (score, word) for metric, score, word in cells})

    def outputs_of(self, method: str) -> Iterator[StoredOutput]:
        """Every output under a method's name, out of date or not, without its cells."""
        rows = self.query(
            f"SELECT {_PLACE}, lq, reference, restoration, r.sr, r.run, status, message FROM outputs o"
            " LEFT JOIN restorations r ON r.key = o.restoration WHERE method = ?",
            (method,),
        )
        for row in rows:
            yield StoredOutput(Place(*row[:6]), *row[6:])

    def scores(self) -> pd.DataFrame:
        """Every cell: protocol, scale, dataset, image, method, seed, metric, value (NaN if none), status, message."""
        import pandas as pd

        places = self._frame(_PLACES)
        columns: list[Any] = list(zip(*self.query(_CELLS), strict=True)) or [()] * 6
        # Texts repeat thousands of times: places are read once for each output, the others become codes at once.
        at = pd.Index(places.pop("id")).get_indexer(np.asarray(columns[0], dtype=np.int64))
        current = at >= 0
        at, columns = at[current], [np.asarray(column, dtype=object)[current] for column in columns]
        damaged = np.asarray(columns.pop(), dtype=bool)
        for column, said in zip(columns[2:], (None, "failed", DAMAGED), strict=True):
            column[damaged] = said
        codes, texts = pd.factorize(np.asarray(columns[1], dtype=object), sort=True)
        order = np.lexsort((codes, at))
        frame = places.take(at[order]).reset_index(drop=True)
        frame["metric"] = texts[codes[order]]
        frame["value"] = np.asarray(columns[2], dtype=np.float64)[order]
        for name, column in (("status", columns[3]), ("message", columns[4])):
            codes, texts = pd.factorize(np.asarray(column, dtype=object))
            frame[name] = texts[codes[order]]
        return frame

    def payloads(self, metric: str, images: Collection[str] | None = None) -> Iterator[tuple[Place, NDArray[Any]]]:
        """What a metric stored beside its values, by place; of all images, or of those with these names."""
        rows = self.query(
            "SELECT o.protocol, o.scale, o.dataset, o.image, o.method, o.seed, p.dtype, p.shape, p.content"
            " FROM current_outputs o"
            " JOIN current_cells c ON c.output = o.id JOIN payloads p ON p.key = c.score"
            " WHERE c.metric = ? AND c.status = 'done'"
            + ("" if images is None else " AND o.image IN (SELECT value FROM json_each(?))")
            + " ORDER BY o.protocol, o.scale, o.dataset, o.image, o.method, o.seed",
            (metric,) if images is None else (metric, json.dumps(list(images))),
        )
        for *place, dtype, shape, content in rows:
            with self._reading(f"what {metric} stored for {place[3]} of {place[4]}", "; run again to measure it again"):
                array = payload(dtype, shape, content)
            yield Place(*place), array

    def counts(self) -> dict[tuple[str, str, str], dict[str, int]]:
        """(protocol, dataset, method) to status to number of cells."""
        found: dict[tuple[str, str, str], dict[str, int]] = {}
        for protocol, dataset, method, status, count in self.query(
            "SELECT o.protocol, o.dataset, o.method, c.status, count(*)"
            " FROM current_outputs o JOIN current_cells c ON c.output = o.id"
            " GROUP BY o.protocol, o.dataset, o.method, c.status ORDER BY o.protocol, o.dataset, o.method"
        ):
            found.setdefault((protocol, dataset, method), {})[status] = count
        return found

    def problems(self) -> list[Problem]:
        """Why cells have no value, the most frequent reason first."""
        return [
            Problem(*row)
            for row in self.query(
                f"SELECT c.status, o.dataset, o.method, {_REASON} AS reason, count(*) AS cells"
                " FROM current_outputs o JOIN current_cells c ON c.output = o.id WHERE c.status != 'done'"
                " GROUP BY c.status, o.dataset, o.method, reason ORDER BY c.status, cells DESC, o.dataset, o.method"
            )
        ]

    def failed_cells(self) -> Iterator[FailedCell]:
        """Every failed cell with its error, and the traceback of the user's code where that raised it."""
        for row in self.query(
            f"SELECT o.protocol, o.dataset, o.image, o.method, o.seed, c.metric, {_REASON},"
            " CASE WHEN c.detail = '' THEN o.detail ELSE c.detail END"
            " FROM current_outputs o JOIN current_cells c ON c.output = o.id WHERE c.status = 'failed'"
            " ORDER BY o.protocol, o.dataset, o.image, o.method, o.seed, c.metric"
        ):
            yield FailedCell(*row)

    def outputs(self) -> pd.DataFrame:
        """Every output: how its LQ was made, digests of LQ, reference and SR pixels, seconds, peak memory, device."""
        return self._frame(
            "SELECT o.protocol, o.scale, o.dataset, o.image, o.method, o.seed, o.status, o.message, o.lq_rule, o.lq,"
            " o.reference, r.sr, o.restoration, r.seconds, r.memory, r.device"
            " FROM current_outputs o LEFT JOIN restorations r ON r.key = o.restoration"
            " ORDER BY o.protocol, o.scale, o.dataset, o.image, o.method, o.seed"
        )

    def ledger(self) -> Iterator[StoredOutput]:
        """Every output with its cells and what determined them, as a stream in the order of places and metrics."""
        rows = self.query(
            "SELECT o.id, c.metric, c.score, c.value, c.run, c.status, c.message, o.protocol, o.scale, o.dataset,"
            " o.image, o.method, o.seed, o.lq, o.reference, o.restoration, r.sr, r.run, o.status, o.message"
            " FROM current_outputs o LEFT JOIN current_cells c ON c.output = o.id"
            " LEFT JOIN restorations r ON r.key = o.restoration"
            " ORDER BY o.protocol, o.scale, o.dataset, o.image, o.method, o.seed, c.metric"
        )
        for _, group in groupby(rows, itemgetter(0)):
            whole = list(group)
            lq, reference, restoration, sr, run, status, message = whole[0][13:]
            cells = tuple(StoredCell(*row[1:7]) for row in whole if row[1] is not None)
            place = Place._make(whole[0][7:13])
            yield StoredOutput(place, lq, reference, restoration, sr, run, status, message, cells)

    def work(self) -> tuple[dict[int, dict[str, int]], dict[int, dict[str, int]]]:
        """Who made what readers see: run to protocol to outputs that it restored, and the same for its cells."""
        restored = (
            "SELECT r.run, o.protocol, count(*) FROM current_outputs o JOIN restorations r ON r.key = o.restoration"
            " WHERE o.status = 'done' GROUP BY r.run, o.protocol"
        )
        measured = (
            "SELECT c.run, o.protocol, count(*) FROM current_outputs o JOIN current_cells c ON c.output = o.id"
            " WHERE c.status = 'done' GROUP BY c.run, o.protocol"
        )
        found: tuple[dict[int, dict[str, int]], dict[int, dict[str, int]]] = {}, {}
        for counts, query in zip(found, (restored, measured), strict=True):
            for run, protocol, count in self.query(query):
                counts.setdefault(run, {})[protocol] = count
        return found

    def set_sizes(self) -> dict[tuple[str, float, str], int]:
        """Images of each protocol, scale and dataset as the latest run of it planned them, done or not."""
        rows = self.query(
            "SELECT protocol, scale, dataset, count(DISTINCT image) FROM sets GROUP BY protocol, scale, dataset"
        )
        return {(protocol, scale, dataset): count for protocol, scale, dataset, count in rows}

    def left_out(self) -> list[LeftOut]:
        """What no reader gives, because it is out of date."""
        try:
            return list(left_out(self._connection))
        except sqlite3.DatabaseError as error:
            raise StoreError(f"{self.root}: cannot read the store ({error})") from error

    def metrics(self) -> dict[str, MetricCard]:
        """Metric id to what the store knows of it; no metric's code is needed."""
        found = {}
        for id, version, card in self.query("SELECT id, version, card FROM metrics ORDER BY id"):
            with self._reading(f"the card of metric '{id}'"):
                found[str(id)] = metric_card(id, version, card)
        return found

    def methods(self) -> dict[str, StoredMethod]:
        """What stands behind each method's name, by it."""
        methods = {}
        for name, card, weights, identity in self.query("SELECT name, card, weights, identity FROM methods"):
            with self._reading(f"the card of method '{name}'"):
                methods[str(name)] = from_text(StoredMethod, card, name=name, weights=weights, identity=identity)
        return dict(sorted(methods.items()))

    def runs(self) -> list[StoredRun]:
        """Every run, oldest first."""
        runs = []
        rows = self.query("SELECT id, started, finished, spec, provenance FROM runs ORDER BY id")
        for id, started, finished, spec, provenance in rows:
            with self._reading(f"what is recorded of run {id}"):
                runs.append(
                    StoredRun(id, started, finished, from_text(StoredSpec, spec), from_text(Provenance, provenance))
                )
        return runs

    @contextlib.contextmanager
    def _reading(self, what: str, remedy: str = "") -> Iterator[None]:
        try:
            yield
        except DamagedRowError as error:
            raise StoreError(
                f"{self.root / DATABASE}: {printable(what)} {error}: the store is damaged{remedy}"
            ) from None

    def _row(self, query: str, values: tuple[Any, ...]) -> tuple[Any, ...] | None:
        return next(self.query(query, values), None)

    def query(self, query: str, values: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
        """Rows of the database; ``current_outputs`` and ``current_cells`` are what readers may show.

        Raises:
            StoreError: they cannot be read.
        """
        try:
            yield from self._connection.execute(query, values)
        except sqlite3.DatabaseError as error:
            raise StoreError(f"{self.root}: cannot read the store ({error})") from error

    def _frame(self, query: str) -> pd.DataFrame:
        import pandas as pd

        try:
            frame = pd.read_sql_query(query, self._connection)
        except (sqlite3.DatabaseError, pd.errors.DatabaseError) as error:
            raise StoreError(f"{self.root}: cannot read the store ({error})") from error
        if "scale" in frame and pd.api.types.is_float_dtype(frame["scale"]):  # so that 4 beside 1.5 does not become 4.0
            frame["scale"] = pd.Series(map(parse_scale, frame["scale"]), frame.index, dtype=object)
        return frame

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """The database of a writer: all that is done in the block is kept, or nothing."""
        try:
            with self._connection:
                yield self._connection
        except sqlite3.Error as error:
            raise StoreError(
                f"{self.root}: cannot write the store ({error}); what was stored before is kept"
            ) from error


def open_store(root: Path | str, *, write: bool = False, selection: Selection = EVERYTHING) -> Store:
    """Open a store folder for reading, or for writing (made if missing).

    A store of version 4 is upgraded where it is opened for writing, with a copy of its database beside it; readers of
    one see it upgraded and write nothing.

    Args:
        root: the folder.
        write: open it for the one writer.
        selection: what a reader is shown of it; a writer has all of it.

    Raises:
        StoreError: there is no store, it is not writable, another process is writing, another version made it, or it
            lacks something that is chosen.
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
