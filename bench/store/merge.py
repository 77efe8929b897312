"""Merge stores with results of several machines or people, unless they contradict each other."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from .contradictions import contradictions
from .images import StoreError, is_object
from .open_database import DATABASE
from .store import Store, open_store

_SHOWN = 5
"""Number of contradictions that a message names."""


class MergeError(StoreError):
    """Stores contradict each other; the message names the contradictions and the stores."""


def merge_stores(roots: Sequence[Path], out: Path) -> int:
    """Write a new store with the results of several stores; images are hard links if the disk allows it, else copies.

    Equal rows are kept once, and rows that are out of date are left out. If the stores contradict each other, nothing
    is written.

    Args:
        roots: folders of the stores.
        out: folder of the new store.

    Returns:
        Number of outputs in the new store.

    Raises:
        MergeError: the stores contradict each other, or ``out`` has a store already.
        StoreError: a store cannot be read.
    """
    if (out / DATABASE).exists():
        raise MergeError(f"{out}: has a store already; merge into a new folder")
    with contextlib.ExitStack() as stack:
        sources = [stack.enter_context(open_store(root)) for root in roots]
        conflicts = list(contradictions(sources))
        if conflicts:
            more = f"; and {len(conflicts) - _SHOWN} more" if len(conflicts) > _SHOWN else ""
            raise MergeError(f"cannot merge: {'; '.join(conflicts[:_SHOWN])}{more}")
        with open_store(out, write=True):
            pass
        for root in roots:
            _link_objects(root / "objects", out / "objects")
        with contextlib.closing(sqlite3.connect(out / DATABASE)) as target:
            with target:
                for source in sources:
                    _copy(source, target)
            (count,) = target.execute("SELECT count(*) FROM outputs").fetchone()
    return int(count)


def _link_objects(source: Path, target: Path) -> None:
    for folder, _, names in os.walk(source):
        for name in names:
            file, place = Path(folder, name), target / name[:2]
            if is_object(name) and not file.is_symlink():
                place.mkdir(parents=True, exist_ok=True)
                link_or_copy(file, place / name)


def link_or_copy(source: Path, target: Path) -> None:
    """Make a hard link to a file, or a copy if a link is not possible; an existing target stays."""
    if target.exists():
        return
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


_PLACE = "protocol, scale, dataset, image, method, seed"
_TABLES = (
    ("inputs", "key, lq, reference", ""),
    ("restorations", "run, key, sr, seconds, memory, device", ""),
    ("scores", "run, key, value, version, checksum", "WHERE checksum = score_checksum(key, value)"),
    (
        "payloads",
        "key, dtype, shape, content, checksum",
        "WHERE checksum = payload_checksum(key, dtype, shape, content)",
    ),
)
"""Tables in which rows with the same key are equal: name, columns, and the condition for undamaged rows."""


def _copy(source: Store, target: sqlite3.Connection) -> None:
    """Add the rows of a store; runs and outputs get new numbers, and a run that the target has is not added again."""
    runs = {}
    for number, *columns_of_run in source.query("SELECT id, started, finished, spec, provenance FROM runs ORDER BY id"):
        known = target.execute(
            "SELECT id FROM runs WHERE started = ? AND finished IS ? AND spec = ? AND provenance = ?", columns_of_run
        ).fetchone()
        if known is None:
            known = target.execute(
                "INSERT INTO runs (started, finished, spec, provenance) VALUES (?, ?, ?, ?) RETURNING id",
                columns_of_run,
            ).fetchone()
        (runs[number],) = known
    _copy_cards(source, target)
    for table, columns, sound in _TABLES:
        rows = source.query(f"SELECT {columns} FROM {table} {sound}")
        renamed = ((runs[row[0]], *row[1:]) for row in rows) if columns.startswith("run") else rows
        marks = ", ".join("?" * len(columns.split(",")))
        target.executemany(f"INSERT OR IGNORE INTO {table} ({columns}) VALUES ({marks})", renamed)
    _copy_sets(source, target, runs)
    for number, *values in source.query(
        f"SELECT id, {_PLACE}, restoration, lq_rule, lq, reference, status, message, detail FROM current_outputs"
        " ORDER BY id"
    ):
        changed = ("lq_rule", "lq", "reference", "restoration", "wanted", "message", "detail", "status")
        (new,) = target.execute(
            f"INSERT INTO outputs ({_PLACE}, restoration, wanted, lq_rule, lq, reference, status, message, detail)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            f" ON CONFLICT ({_PLACE}) DO UPDATE SET {_done_wins(changed)} RETURNING id",
            [*values[:7], *values[6:]],
        ).fetchone()
        target.executemany(
            f"INSERT INTO cells (output, metric, score, status, message, detail) VALUES ({new}, ?, ?, ?, ?, ?)"
            f" ON CONFLICT (output, metric) DO UPDATE SET {_done_wins(('score', 'message', 'detail', 'status'))}",
            source.query(
                "SELECT metric, score, status, message, detail FROM current_cells WHERE output = ?", (number,)
            ),
        )


def _done_wins(columns: Sequence[str]) -> str:
    """Assignments of an upsert: a row with the status ``done`` replaces one without."""
    return ", ".join(
        f"{name} = CASE excluded.status WHEN 'done' THEN excluded.{name} ELSE {name} END" for name in columns
    )


def _copy_cards(source: Store, target: sqlite3.Connection) -> None:
    """Cards of methods and metrics; of two that agree, the one that tells more of the version. Operations were
    counted by dataset: all of them are kept."""
    target.executemany(
        "INSERT INTO methods (name, card, weights, identity) VALUES (?, ?, ?, ?) ON CONFLICT (name) DO UPDATE"
        " SET card = excluded.card, identity = excluded.identity WHERE identity = ''",
        source.query("SELECT name, card, weights, identity FROM methods"),
    )
    target.executemany(
        "UPDATE methods SET card = json_patch(card, json_object('operations', json(?)))"
        " WHERE name = ? AND weights = ? AND identity = ?",
        source.query(
            "SELECT json_extract(card, '$.operations'), name, weights, identity FROM methods"
            " WHERE json_extract(card, '$.operations') IS NOT NULL"
        ),
    )
    target.executemany(
        "INSERT INTO metrics (id, version, card) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE"
        " SET card = excluded.card, version = excluded.version WHERE length(version) < length(excluded.version)",
        source.query("SELECT id, version, card FROM metrics"),
    )


def _copy_sets(source: Store, target: sqlite3.Connection, runs: dict[int, int]) -> None:
    """Add the images of sets. In stores of version 4 the column ``luma`` numbers the forms of LQ."""
    for *image, luma, rule, lq, reference, run in source.query(
        "SELECT protocol, scale, dataset, image, luma, lq_rule, lq, reference, run FROM sets"
    ):
        rows = target.execute(
            "SELECT luma, lq, reference FROM sets WHERE protocol = ? AND scale = ? AND dataset = ? AND image = ?", image
        ).fetchall()
        if any(row[1:] == (lq, reference) for row in rows):
            continue
        used_numbers = {row[0] for row in rows}
        number = luma if luma not in used_numbers else max(1, *used_numbers) + 1
        target.execute(
            "INSERT INTO sets (protocol, scale, dataset, image, luma, lq_rule, lq, reference, run)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*image, number, rule, lq, reference, runs.get(run, 0)),
        )
