"""What two stores say differently, so that they cannot be merged: which thing, which field, and both values."""

from __future__ import annotations

import contextlib
import json
import math
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ...reports.escaping import plain
from .store import Store
from .upgrade import code_version

Said = Sequence[Any]


@dataclass(frozen=True)
class _Fact:
    """One kind of thing that a store says."""

    what: str
    """Of the columns that name the thing."""
    query: str
    names: int
    """Columns that name it; the others are said of it."""
    differ: Callable[[Said, Said], tuple[str, str, str] | None]
    """The field that differs and both values in words; None where both say the same."""
    remedy: str


def contradictions(stores: Sequence[Store]) -> Iterator[str]:
    """Every contradiction, in words. Rows that are out of date in a store say nothing."""
    with contextlib.closing(sqlite3.connect("")) as known:  # a temporary file: stores may be larger than memory
        for fact in _FACTS:
            known.execute("CREATE TABLE facts (name TEXT PRIMARY KEY, said TEXT, store INTEGER) WITHOUT ROWID")
            for number, store in enumerate(stores):
                for row in store.query(fact.query):
                    name, said = json.dumps(row[: fact.names]), row[fact.names :]
                    new = (name, json.dumps(said), number)
                    if known.execute("INSERT OR IGNORE INTO facts VALUES (?, ?, ?)", new).rowcount:
                        continue
                    before, at = known.execute("SELECT said, store FROM facts WHERE name = ?", (name,)).fetchone()
                    found = fact.differ(json.loads(before), said)
                    if found is not None:
                        field, first, second = found
                        what = fact.what.format(*row[: fact.names])
                        roots = stores[at].root, store.root
                        yield plain(f"{what}: {field} {first} in {roots[0]}, {second} in {roots[1]} ({fact.remedy})")
            known.execute("DROP TABLE facts")


def _methods(first: Said, second: Said) -> tuple[str, str, str] | None:
    """A method is what determines its pixels, however it was named; of older stores weights and version are known."""
    (one, one_card, one_weights), (other, other_card, other_weights) = first, second
    if one and one == other:
        return None
    if one_weights != other_weights:
        return "weights", _short(one_weights), _short(other_weights)
    cards = [_fields(one_card), _fields(other_card)]
    if cards[0].get("version") != cards[1].get("version"):
        return "version of the code", str(cards[0].get("version")), str(cards[1].get("version"))
    if one and other:
        return "settings or code", f"digest {_short(one)}", f"digest {_short(other)}"
    return None


def _fields(card: object) -> dict[str, Any]:
    try:
        found = json.loads(str(card))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _metrics(first: Said, second: Said) -> tuple[str, str, str] | None:
    one, other = str(first[0]), str(second[0])
    if one == other or one == code_version(other) or other == code_version(one):  # version 4 knew no more
        return None
    return "version", one or "unknown", other or "unknown"


def _digests(*fields: str) -> Callable[[Said, Said], tuple[str, str, str] | None]:
    def differ(first: Said, second: Said) -> tuple[str, str, str] | None:
        for field, one, other in zip(fields, first, second, strict=True):
            if one != other:
                return field, _short(one), _short(other)
        return None

    return differ


def _scores(first: Said, second: Said) -> tuple[str, str, str] | None:
    (one_key, one), (other_key, other) = first, second
    if one_key != other_key:
        return "score key", f"{_short(one_key)} ({one})", f"{_short(other_key)} ({other})"
    numbers = isinstance(one, float) and isinstance(other, float)
    same = math.isclose(one, other, rel_tol=_DIGITS, abs_tol=_DIGITS) if numbers else one == other
    return None if same else ("value", repr(one), repr(other))


def _short(digest: object) -> str:
    return str(digest)[:12] if digest else "none"


_DIGITS = 1e-9
"""The last digits differ from one processor to the next."""
_PLACE = "protocol, scale, dataset, image, method, seed"
_FACTS = (
    _Fact(
        "method '{0}'",
        "SELECT name, identity, card, weights FROM methods",
        1,
        _methods,
        "run the method again in one of the stores by the same reference, or name one of them NAME=...",
    ),
    _Fact(
        "metric '{0}'",
        "SELECT id, version FROM metrics",
        1,
        _metrics,
        "run the spec of the older one again with this program",
    ),
    _Fact(
        "image {0}, x{1}, {2}/{3}",
        "SELECT DISTINCT protocol, scale, dataset, image, reference FROM current_outputs"
        " WHERE status = 'done' AND reference IS NOT NULL",
        4,
        _digests("HR"),
        "give one of the datasets another name, or run on the same images",
    ),
    _Fact(
        "output {0}, x{1}, {2}/{3}, {4}, seed {5}",
        f"SELECT {_PLACE}, lq, reference, restoration FROM current_outputs WHERE status = 'done'",
        6,
        _digests("LQ", "HR", "restoration key"),
        "run the method again in one of the stores",
    ),
    _Fact(
        "output {0}, x{1}, {2}/{3}, {4}, seed {5}",
        f"SELECT {_PLACE}, r.sr FROM current_outputs o JOIN restorations r ON r.key = o.restoration",
        6,
        _digests("SR pixels of the same work"),
        "they depend on threads, processor and libraries; keep one of them",
    ),
    _Fact(
        "score {0}, x{1}, {2}/{3}, {4}, seed {5}, {6}",
        f"SELECT {_PLACE}, c.metric, c.score, c.value FROM current_outputs o JOIN current_cells c ON c.output = o.id"
        " WHERE c.status = 'done'",
        7,
        _scores,
        "another version of the metric, or other threads, processor or libraries; run one of them again",
    ),
)
