"""The store: one SQLite file and a folder of images, from which every table and figure is regenerated."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import platform
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .objects import Objects, StoreError
from .provenance import now
from .rows import FailedCell, OutputRecord, Place, PlaceState, Problem

if TYPE_CHECKING:
    import pandas as pd

SCHEMA_VERSION = "4"

_PLACES = (
    "SELECT id, protocol, scale, dataset, image, method, seed FROM outputs"
    " ORDER BY protocol, scale, dataset, image, method, seed"
)
_REASON = "CASE WHEN o.message = '' THEN c.message ELSE o.message END"
_CELLS = """
    SELECT c.output, c.metric, s.value, c.status, c.message FROM cells c LEFT JOIN scores s ON s.key = c.score
"""


class Store:
    """An open store. Use ``open_store``; one process writes, any number read."""

    def __init__(self, root: Path, connection: sqlite3.Connection, lock: int | None) -> None:
        self.root = root
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

    def begin_run(self, started: str, spec: Mapping[str, Any], provenance: Mapping[str, Any]) -> int:
        """Record a run and return its number."""
        with self._transaction() as database:
            cursor = database.execute(
                "INSERT INTO runs (started, spec, provenance) VALUES (?, ?, ?)",
                (started, json.dumps(spec, sort_keys=True), json.dumps(provenance, sort_keys=True)),
            )
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def finish_run(self, run: int, finished: str) -> None:
        """Mark a run as ended."""
        with self._transaction() as database:
            database.execute("UPDATE runs SET finished = ? WHERE id = ?", (finished, run))

    def add_method(self, name: str, card: Mapping[str, Any], weights: str) -> None:
        """Record what stands behind a method's name; a number of parameters counted before is kept with its weights."""
        with self._transaction() as database:
            if card.get("parameters") is None:
                row = database.execute(
                    "SELECT json_extract(card, '$.parameters') FROM methods WHERE name = ? AND weights = ?",
                    (name, weights),
                ).fetchone()
                card = {**card, "parameters": None if row is None else row[0]}
            database.execute(
                "INSERT OR REPLACE INTO methods VALUES (?, ?, ?)", (name, json.dumps(card, sort_keys=True), weights)
            )

    def add_inputs(self, rows: Iterable[tuple[str, str, str | None]]) -> None:
        """Record (input key, LQ digest, reference digest) rows."""
        with self._transaction() as database:
            database.executemany("INSERT OR REPLACE INTO inputs VALUES (?, ?, ?)", rows)

    def commit(self, outputs: Iterable[OutputRecord], run: int) -> None:
        """Write finished outputs with their cells in one transaction."""
        with self._transaction() as database:
            for output in outputs:
                _insert(database, output, run)

    # Reading

    def input_of(self, key: str) -> tuple[str, str | None] | None:
        """Digests of LQ and reference behind an input key."""
        return self._row("SELECT lq, reference FROM inputs WHERE key = ?", (key,))

    def restoration_of(self, key: str) -> str | None:
        """Digest of the SR pixels behind a restoration key."""
        row = self._row("SELECT sr FROM restorations WHERE key = ?", (key,))
        return None if row is None else row[0]

    def has_score(self, key: str) -> bool:
        """Whether a score was measured."""
        return self._row("SELECT 1 FROM scores WHERE key = ?", (key,)) is not None

    def state_of(self, place: Place) -> PlaceState | None:
        """What is recorded for an output."""
        row = self._row(
            "SELECT id, restoration, status FROM outputs WHERE protocol = ? AND scale = ? AND dataset = ?"
            " AND image = ? AND method = ? AND seed = ?",
            place,
        )
        if row is None:
            return None
        number, restoration, status = row
        cells = self._rows("SELECT metric, score, status FROM cells WHERE output = ?", (number,))
        return PlaceState(restoration, status, {metric: (score, word) for metric, score, word in cells})

    def scores(self) -> pd.DataFrame:
        """Every cell: protocol, scale, dataset, image, method, seed, metric, value (NaN if none), status, message."""
        import pandas as pd

        places = self._frame(_PLACES)
        columns = list(zip(*self._rows(_CELLS), strict=True)) or [()] * 5
        # Texts repeat thousands of times: places are read once for each output, the others become codes at once.
        at = pd.Index(places.pop("id")).get_indexer(np.asarray(columns[0], dtype=np.int64))
        codes, texts = pd.factorize(np.asarray(columns[1], dtype=object), sort=True)
        order = np.lexsort((codes, at))
        frame = places.take(at[order]).reset_index(drop=True)
        frame["metric"] = texts[codes[order]]
        frame["value"] = np.asarray(columns[2], dtype=np.float64)[order]
        for name, column in (("status", columns[3]), ("message", columns[4])):
            codes, texts = pd.factorize(np.asarray(column, dtype=object))
            frame[name] = texts[codes[order]]
        return frame

    def payloads(self, metric: str) -> Iterator[tuple[Place, NDArray[Any]]]:
        """What a metric stored beside its values, by place."""
        rows = self._rows(
            "SELECT o.protocol, o.scale, o.dataset, o.image, o.method, o.seed, p.dtype, p.shape, p.content"
            " FROM outputs o"
            " JOIN cells c ON c.output = o.id JOIN payloads p ON p.key = c.score WHERE c.metric = ?"
            " ORDER BY o.protocol, o.scale, o.dataset, o.image, o.method, o.seed",
            (metric,),
        )
        for *place, dtype, shape, content in rows:
            yield tuple(place), np.frombuffer(zlib.decompress(content), dtype=dtype).reshape(json.loads(shape))

    def counts(self) -> dict[tuple[str, str, str], dict[str, int]]:
        """(protocol, dataset, method) to status to number of cells."""
        found: dict[tuple[str, str, str], dict[str, int]] = {}
        for protocol, dataset, method, status, count in self._rows(
            "SELECT o.protocol, o.dataset, o.method, c.status, count(*) FROM outputs o JOIN cells c ON c.output = o.id"
            " GROUP BY o.protocol, o.dataset, o.method, c.status ORDER BY o.protocol, o.dataset, o.method"
        ):
            found.setdefault((protocol, dataset, method), {})[status] = count
        return found

    def problems(self) -> list[Problem]:
        """Why cells have no value, the most frequent reason first."""
        return [Problem(*row) for row in self._rows(
            f"SELECT c.status, o.dataset, o.method, {_REASON} AS reason, count(*) AS cells"
            " FROM outputs o JOIN cells c ON c.output = o.id WHERE c.status != 'done'"
            " GROUP BY c.status, o.dataset, o.method, reason ORDER BY c.status, cells DESC, o.dataset, o.method"
        )]  # fmt: skip

    def failed_cells(self) -> Iterator[FailedCell]:
        """Every failed cell with its error."""
        for row in self._rows(
            f"SELECT o.protocol, o.dataset, o.image, o.method, o.seed, c.metric, {_REASON}"
            " FROM outputs o JOIN cells c ON c.output = o.id WHERE c.status = 'failed'"
            " ORDER BY o.protocol, o.dataset, o.image, o.method, o.seed, c.metric"
        ):
            yield FailedCell(*row)

    def outputs(self) -> pd.DataFrame:
        """Every output: how its LQ was made, digests of LQ, reference and SR pixels, seconds, peak memory, device."""
        return self._frame(
            "SELECT o.protocol, o.scale, o.dataset, o.image, o.method, o.seed, o.status, o.message, o.lq_rule, o.lq,"
            " o.reference, r.sr, o.restoration, r.seconds, r.memory, r.device"
            " FROM outputs o LEFT JOIN restorations r ON r.key = o.restoration"
            " ORDER BY o.protocol, o.scale, o.dataset, o.image, o.method, o.seed"
        )

    def ledger(self) -> Iterator[tuple[Any, ...]]:
        """Every cell with what determined it: the place's six parts, LQ, reference, restoration key, SR, run that
        restored, status and message of the output; metric, score key, value, run that measured, status and message."""
        return self._rows(
            "SELECT o.protocol, o.scale, o.dataset, o.image, o.method, o.seed, o.lq, o.reference, o.restoration, r.sr,"
            " r.run, o.status, o.message, c.metric, c.score, s.value, s.run, c.status, c.message FROM outputs o"
            " LEFT JOIN cells c ON c.output = o.id LEFT JOIN restorations r ON r.key = o.restoration"
            " LEFT JOIN scores s ON s.key = c.score"
            " ORDER BY o.protocol, o.scale, o.dataset, o.image, o.method, o.seed, c.metric"
        )

    def work(self) -> tuple[dict[int, dict[str, int]], dict[int, dict[str, int]]]:
        """Who made what readers see: run to protocol to outputs that it restored, and the same for its cells."""
        restored = (
            "SELECT r.run, o.protocol, count(*) FROM outputs o JOIN restorations r ON r.key = o.restoration"
            " WHERE o.status = 'done' GROUP BY r.run, o.protocol"
        )
        measured = (
            "SELECT s.run, o.protocol, count(*) FROM outputs o JOIN cells c ON c.output = o.id"
            " JOIN scores s ON s.key = c.score WHERE c.status = 'done' GROUP BY s.run, o.protocol"
        )
        found: tuple[dict[int, dict[str, int]], dict[int, dict[str, int]]] = {}, {}
        for counts, query in zip(found, (restored, measured), strict=True):
            for run, protocol, count in self._rows(query):
                counts.setdefault(run, {})[protocol] = count
        return found

    def methods(self) -> dict[str, dict[str, Any]]:
        """Method name to its card, with ``weights_digest``."""
        rows = self._rows("SELECT name, card, weights FROM methods ORDER BY name")
        return {name: {**json.loads(card), "weights_digest": weights} for name, card, weights in rows}

    def runs(self) -> list[dict[str, Any]]:
        """Every run, oldest first: id, started, finished, spec, provenance."""
        rows = self._rows("SELECT id, started, finished, spec, provenance FROM runs ORDER BY id")
        return [
            {"id": id, "started": start, "finished": end, "spec": json.loads(spec), "provenance": json.loads(made)}
            for id, start, end, spec, made in rows
        ]

    def _row(self, query: str, values: tuple[Any, ...]) -> tuple[Any, ...] | None:
        return next(self._rows(query, values), None)

    def _rows(self, query: str, values: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
        try:
            yield from self._connection.execute(query, values)
        except sqlite3.DatabaseError as error:
            raise StoreError(f"{self.root}: cannot read the store ({error})") from error

    def _frame(self, query: str) -> pd.DataFrame:
        import pandas as pd

        try:
            return pd.read_sql_query(query, self._connection)
        except (sqlite3.DatabaseError, pd.errors.DatabaseError) as error:
            raise StoreError(f"{self.root}: cannot read the store ({error})") from error

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._connection:
                yield self._connection
        except sqlite3.Error as error:
            raise StoreError(
                f"{self.root}: cannot write the store ({error}); what was stored before is kept"
            ) from error


def open_store(root: Path | str, *, write: bool = False) -> Store:
    """Open a store folder for reading, or for writing (made if missing).

    Raises:
        StoreError: there is no store, it is not writable, another process is writing, or another version made it.
    """
    root = Path(root)
    database = root / "store.sqlite"
    if not write and not database.is_file():
        raise StoreError(f"{root}: no store here (no store.sqlite); give the folder that 'run' wrote")
    lock = None
    try:
        if write:
            root.mkdir(parents=True, exist_ok=True)
            lock = _acquire_lock(root)
        connection = _connect(database, write=write)
    except BaseException as error:
        if lock is not None:
            os.close(lock)
        if isinstance(error, sqlite3.DatabaseError) and not write:
            raise StoreError(f"{database}: is no store that 'run' wrote, or is damaged ({error})") from error
        if isinstance(error, OSError | sqlite3.Error):
            raise StoreError(f"{root}: cannot open the store ({error}); check the folder's rights and space") from error
        raise
    return Store(root, connection, lock)


def _acquire_lock(root: Path) -> int:
    """Hold the store for one writer; the kernel lets go when the process ends, however it ends."""
    lock = os.open(root / "writer.lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"process {os.getpid()} on {platform.node()} since {now()}\n".encode(), 0)
    except BlockingIOError:
        holder = os.pread(lock, 256, 0).decode(errors="replace").strip() or "another process"
        os.close(lock)
        raise StoreError(f"{root}: {holder} is writing this store; wait for its end or choose another store") from None
    except OSError:
        os.close(lock)
        raise
    return lock


def _connect(database: Path, *, write: bool) -> sqlite3.Connection:
    if write:
        connection = sqlite3.connect(database, timeout=30)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone():
            schema = files(__package__).joinpath("schema.sql").read_text()
            stamp = f"INSERT INTO meta VALUES ('schema', '{SCHEMA_VERSION}')"
            connection.executescript(f"BEGIN IMMEDIATE; {schema}; {stamp}; COMMIT;")
    else:
        connection = sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True, timeout=30)
    (version,) = connection.execute("SELECT value FROM meta WHERE name = 'schema'").fetchone() or ("",)
    if version != SCHEMA_VERSION:
        connection.close()
        raise StoreError(
            f"{database}: made with store version {version or 'unknown'}, this program writes {SCHEMA_VERSION};"
            " use the program that made it, or run into a new folder"
        )
    return connection


def _insert(database: sqlite3.Connection, output: OutputRecord, run: int) -> None:
    if output.sr is not None:
        database.execute(
            "INSERT OR REPLACE INTO restorations VALUES (?, ?, ?, ?, ?, ?)",
            (output.restoration, output.sr, output.seconds, output.memory, output.device, run),
        )
    if output.parameters is not None:
        database.execute(
            "UPDATE methods SET card = json_set(card, '$.parameters', ?)"
            " WHERE name = ? AND json_extract(card, '$.parameters') IS NULL",
            (output.parameters, output.method),
        )
    (id,) = database.execute(
        "INSERT INTO outputs (protocol, scale, dataset, image, method, seed, lq_rule, lq, reference, restoration,"
        " status, message)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (protocol, scale, dataset, image, method, seed) DO UPDATE SET lq_rule = excluded.lq_rule,"
        " lq = excluded.lq, reference = excluded.reference, restoration = excluded.restoration,"
        " status = excluded.status, message = excluded.message RETURNING id",
        (
            output.protocol, output.scale, output.dataset, output.image, output.method, output.seed,
            output.lq_rule, output.lq, output.reference, output.restoration, output.status, output.message,
        ),
    ).fetchone()  # fmt: skip
    for cell in output.cells:
        if cell.value is not None:
            database.execute("INSERT OR REPLACE INTO scores VALUES (?, ?, ?)", (cell.key, cell.value, run))
        if cell.payload is not None:
            little = np.ascontiguousarray(cell.payload, dtype=cell.payload.dtype.newbyteorder("<"))
            content = zlib.compress(little.tobytes(), level=1)  # confusion matrices are mostly zeros
            row = (cell.key, little.dtype.str, json.dumps(cell.payload.shape), content)
            database.execute("INSERT OR REPLACE INTO payloads VALUES (?, ?, ?, ?)", row)
        database.execute(
            "INSERT OR REPLACE INTO cells VALUES (?, ?, ?, ?, ?)",
            (id, cell.metric, cell.key, cell.status, cell.message),
        )
