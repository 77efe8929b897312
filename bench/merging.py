"""Merge stores: results of several machines or people under one roof, unless two of them say different things."""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from .objects import StoreError, is_object
from .store import open_store

_SHOWN = 5
"""Conflicts named in a message."""


class MergeError(StoreError):
    """Stores that contradict each other; the message names what and where."""


def merge_stores(roots: Sequence[Path], out: Path) -> int:
    """Write one store with everything of several; images are linked where the disk allows it, else copied.

    What stores say in the same way is kept once. Nothing is written where they contradict each other.

    Returns:
        Outputs in the merged store.

    Raises:
        MergeError: a conflict, or a folder that has a store already.
        StoreError: a store that cannot be read.
    """
    if (out / "store.sqlite").exists():
        raise MergeError(f"{out}: has a store already; merge into a new folder")
    for root in roots:
        with open_store(root):
            pass  # the right version, and readable
    with contextlib.ExitStack() as stack:
        sources = [stack.enter_context(_reading(root)) for root in roots]
        conflicts = list(_conflicts(roots, sources))
        if conflicts:
            more = f"; and {len(conflicts) - _SHOWN} more" if len(conflicts) > _SHOWN else ""
            raise MergeError(f"cannot merge: {'; '.join(conflicts[:_SHOWN])}{more}")
        with open_store(out, write=True):
            pass
        for root in roots:
            _link_objects(root / "objects", out / "objects")
        with contextlib.closing(sqlite3.connect(out / "store.sqlite")) as target:
            with target:
                for source in sources:
                    _copy(source, target)
            (count,) = target.execute("SELECT count(*) FROM outputs").fetchone()
    return int(count)


@contextlib.contextmanager
def _reading(root: Path) -> Iterator[sqlite3.Connection]:
    address = f"{(root / 'store.sqlite').resolve().as_uri()}?mode=ro"
    with contextlib.closing(sqlite3.connect(address, uri=True)) as connection:
        yield connection


_PLACE = "protocol, scale, dataset, image, method, seed"
_FACTS: tuple[tuple[str, str, int], ...] = (
    ("method '{0}': other card or weights", "SELECT name, card, weights FROM methods", 1),
    ("output {0}, x{1}, {2}/{3}, {4}, seed {5}: other LQ, HR or method",
     f"SELECT {_PLACE}, lq, reference, restoration FROM outputs WHERE status = 'done'", 6),
    ("image {0}, x{1}, {2}/{3}: other HR", "SELECT DISTINCT protocol, scale, dataset, image, reference FROM outputs"
     " WHERE status = 'done' AND reference IS NOT NULL", 4),
    ("output {0}, x{1}, {2}/{3}, {4}, seed {5}: other pixels from the same work",
     f"SELECT {_PLACE}, r.sr FROM outputs o JOIN restorations r ON r.key = o.restoration", 6),
    ("score {0}, x{1}, {2}/{3}, {4}, seed {5}, {6}: other value or version of the metric",
     f"SELECT {_PLACE}, c.metric, c.score, s.value FROM outputs o JOIN cells c ON c.output = o.id"
     " JOIN scores s ON s.key = c.score WHERE c.status = 'done'", 7),
)  # fmt: skip
"""What a conflict is called, a query, and how many of its columns name a thing; the others are said of it."""


def _conflicts(roots: Sequence[Path], sources: Sequence[sqlite3.Connection]) -> Iterator[str]:
    with contextlib.closing(sqlite3.connect("")) as known:  # a temporary file: stores may be larger than memory
        for text, query, names in _FACTS:
            known.execute("CREATE TABLE facts (name TEXT PRIMARY KEY, said TEXT, root INTEGER) WITHOUT ROWID")
            for number, (root, source) in enumerate(zip(roots, sources, strict=True)):
                for row in source.execute(query):
                    name, said = json.dumps(row[:names]), row[names:]
                    fact = (name, json.dumps(said), number)
                    if known.execute("INSERT OR IGNORE INTO facts VALUES (?, ?, ?)", fact).rowcount:
                        continue
                    before, at = known.execute("SELECT said, root FROM facts WHERE name = ?", (name,)).fetchone()
                    if not all(map(_same, json.loads(before), said)):
                        yield f"{text.format(*row[:names])} in {root} than in {roots[at]}"
            known.execute("DROP TABLE facts")


def _same(one: object, other: object) -> bool:
    """Equal; numbers as far as the last digits, which differ from one processor to the next."""
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
    return one == other


def _link_objects(source: Path, target: Path) -> None:
    for folder, _, names in os.walk(source):
        for name in names:
            file, place = Path(folder, name), target / name[:2]
            if is_object(name) and not file.is_symlink():
                place.mkdir(parents=True, exist_ok=True)
                link_or_copy(file, place / name)


def link_or_copy(source: Path, target: Path) -> None:
    """The same file under another name; a copy where there can be no link."""
    if target.exists():
        return
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _copy(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    """Add a store's rows; runs and outputs get new numbers, a run that is there already keeps its own."""
    runs = {}
    for number, *rest in source.execute("SELECT id, started, finished, spec, provenance FROM runs ORDER BY id"):
        known = target.execute(
            "SELECT id FROM runs WHERE started = ? AND finished IS ? AND spec = ? AND provenance = ?", rest
        ).fetchone()
        if known is None:
            known = target.execute(
                "INSERT INTO runs (started, finished, spec, provenance) VALUES (?, ?, ?, ?) RETURNING id", rest
            ).fetchone()
        (runs[number],) = known
    for table, at in (("methods", None), ("inputs", None), ("restorations", 5), ("scores", 2), ("payloads", None)):
        rows = source.execute(f"SELECT * FROM {table}")
        width = len(rows.description)
        renamed = (row if at is None else (*row[:at], runs[row[at]], *row[at + 1 :]) for row in rows)
        target.executemany(f"INSERT OR IGNORE INTO {table} VALUES ({', '.join('?' * width)})", renamed)
    for number, *rest in source.execute(
        f"SELECT id, {_PLACE}, lq_rule, lq, reference, restoration, status, message FROM outputs ORDER BY id"
    ):
        (new,) = target.execute(
            f"INSERT INTO outputs ({_PLACE}, lq_rule, lq, reference, restoration, status, message)"
            f" VALUES ({', '.join('?' * len(rest))}) ON CONFLICT ({_PLACE}) DO UPDATE SET"  # what is done wins
            " lq_rule = CASE WHEN excluded.status = 'done' THEN excluded.lq_rule ELSE lq_rule END,"
            " lq = CASE WHEN excluded.status = 'done' THEN excluded.lq ELSE lq END,"
            " reference = CASE WHEN excluded.status = 'done' THEN excluded.reference ELSE reference END,"
            " restoration = CASE WHEN excluded.status = 'done' THEN excluded.restoration ELSE restoration END,"
            " message = CASE WHEN excluded.status = 'done' THEN excluded.message ELSE message END,"
            " status = CASE WHEN excluded.status = 'done' THEN excluded.status ELSE status END RETURNING id",
            rest,
        ).fetchone()
        target.executemany(
            f"INSERT INTO cells VALUES ({new}, ?, ?, ?, ?) ON CONFLICT (output, metric) DO UPDATE SET"
            " score = CASE WHEN excluded.status = 'done' THEN excluded.score ELSE score END,"
            " message = CASE WHEN excluded.status = 'done' THEN excluded.message ELSE message END,"
            " status = CASE WHEN excluded.status = 'done' THEN excluded.status ELSE status END",
            source.execute("SELECT metric, score, status, message FROM cells WHERE output = ?", (number,)).fetchall(),
        )
