"""Open the database of a store for a single writer, under a lock, or for readers, who change nothing."""

from __future__ import annotations

import contextlib
import fcntl
import os
import platform
import shutil
import sqlite3
import tempfile
from importlib.resources import files
from pathlib import Path

from .current import add_functions, add_views
from .images import StoreError
from .provenance import now
from .upgrade import UPGRADES_FROM, upgrade

SCHEMA_VERSION = "5"
DATABASE = "store.sqlite"


def acquire_lock(root: Path) -> int:
    """Lock the store for one writer; the kernel releases the lock when the process ends, even if it is killed.

    Raises:
        StoreError: another process holds the lock.
    """
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


def open_to_write(database: Path) -> sqlite3.Connection:
    """Open the database of a store for writing, and create it if it is missing.

    A database of version 4 is upgraded, and a copy of the old file stays beside it.

    Raises:
        StoreError: the database is of a version that this program cannot upgrade.
        sqlite3.Error, OSError: the database cannot be read or written.
    """
    connection = sqlite3.connect(database, timeout=30)
    try:
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
        if tables and "meta" not in tables:
            raise StoreError(f"{database}: is no store that 'run' wrote; run into another folder")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
        if not tables:
            schema = files(__package__).joinpath("schema.sql").read_text(encoding="utf-8")
            stamp = f"INSERT INTO meta VALUES ('schema', '{SCHEMA_VERSION}')"
            connection.executescript(f"BEGIN IMMEDIATE; {schema}; {stamp}; COMMIT;")
        version = _version(connection, database)
        if version == UPGRADES_FROM:
            _keep_copy(connection, database.with_name(f"store.version-{version}.sqlite"))
        _prepare(connection, version)
    except BaseException:
        connection.close()
        raise
    return connection


def open_to_read(database: Path) -> sqlite3.Connection:
    """Open the database of a store for reading; nothing is written. A database of version 4 is copied and upgraded.

    Raises:
        StoreError: the database is of a version that this program cannot read.
        sqlite3.Error, OSError: the database cannot be read.
    """
    connection = _readable(database)
    try:
        version = _version(connection, database)
        if version == UPGRADES_FROM:
            connection = _copied(connection)
        _prepare(connection, version)
    except BaseException:
        connection.close()
        raise
    return connection


def _readable(database: Path) -> sqlite3.Connection:
    address = f"{database.resolve().as_uri()}?mode=ro"
    connection = sqlite3.connect(address, uri=True, timeout=30)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        return connection
    except sqlite3.OperationalError:  # the log of changes cannot be opened in a folder without write access
        connection.close()
    log = database.with_name(f"{database.name}-wal")
    if not log.exists() or log.stat().st_size == 0:  # all changes are in the file itself, and no process writes
        return sqlite3.connect(f"{address}&immutable=1", uri=True)
    with tempfile.TemporaryDirectory(prefix="asasr-bench-") as folder:
        for file in (database, log):
            shutil.copyfile(file, Path(folder, file.name))
        return _copied(sqlite3.connect(Path(folder, database.name)))


def _copied(connection: sqlite3.Connection) -> sqlite3.Connection:
    """A temporary copy, which SQLite removes when it is closed; the original is closed now."""
    with contextlib.closing(connection):
        copy = sqlite3.connect("")
        connection.backup(copy)
    return copy


def _version(connection: sqlite3.Connection, database: Path) -> str:
    """The version of a store.

    Raises:
        StoreError: this program cannot read the version, or the database has views or triggers.
    """
    connection.execute("PRAGMA trusted_schema = OFF")
    if connection.execute("SELECT 1 FROM sqlite_master WHERE type NOT IN ('table', 'index')").fetchone():
        raise StoreError(f"{database}: has views or triggers, which no store has; it was not made by 'run'")
    (version,) = connection.execute("SELECT value FROM meta WHERE name = 'schema'").fetchone() or ("",)
    if version in (SCHEMA_VERSION, UPGRADES_FROM):
        return str(version)
    if str(version).isdecimal() and int(version) > int(SCHEMA_VERSION):
        raise StoreError(
            f"{database}: made by a newer asasr-bench (store version {version}, this one knows {SCHEMA_VERSION});"
            " install the newer one"
        )
    raise StoreError(
        f"{database}: made with store version {str(version)[:20] or 'unknown'}, this program upgrades version"
        f" {UPGRADES_FROM}; run into a new folder"
    )


def _prepare(connection: sqlite3.Connection, version: str) -> None:
    add_functions(connection)
    if version == UPGRADES_FROM:
        upgrade(connection)
    add_views(connection)
    _require_types(connection)


_NO_SCALE = (
    "typeof(scale) NOT IN ('integer', 'real') OR typeof(scale) = 'real'"
    " AND (scale NOT BETWEEN 1 AND 16 OR abs(20 * scale - round(20 * scale)) > 1e-6)"
)
"""Scales such as 1.5 are real in columns for integers (``datasets/scales.py``)."""


def _require_types(connection: sqlite3.Connection) -> None:
    """SQLite lets any column hold anything: refuse what no run writes before it reaches a reader.

    Values of scores and parts of payloads are left to their checksums, which cost the cells of a damaged row alone.

    Raises:
        sqlite3.DatabaseError: a column holds another type.
    """
    allowed = {"TEXT": "'text', 'null'", "INTEGER": "'integer', 'null'", "REAL": "'real', 'integer', 'null'"}
    for table in ("runs", "methods", "metrics", "inputs", "sets", "restorations", "outputs", "cells"):
        columns = connection.execute(f"PRAGMA main.table_info({table})").fetchall()
        if not {column[2] for column in columns} <= set(allowed):
            raise sqlite3.DatabaseError(f"table '{table}' has columns that no store has")
        names = [(str(name).replace('"', '""'), kind) for _, name, kind, *_ in columns]
        tests = [f'typeof("{name}") NOT IN ({allowed[kind]})' for name, kind in names if name != "scale"]
        tests += [_NO_SCALE] if "scale" in dict(names) else []
        if connection.execute(f"SELECT 1 FROM {table} WHERE {' OR '.join(tests)} LIMIT 1").fetchone():
            raise sqlite3.DatabaseError(f"table '{table}' holds values of other types than a run writes")


def _keep_copy(connection: sqlite3.Connection, path: Path) -> None:
    """The store as it was, for those who go back; written whole or not at all."""
    if path.exists():
        return
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(part)) as copy:
        connection.backup(copy)
    part.replace(path)
