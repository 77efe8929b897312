"""Contradictions between stores that prevent a merge: the subject, the field that differs, and both values."""

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

Facts = Sequence[Any]


@dataclass(frozen=True)
class _Fact:
    """One kind of fact that two stores must agree on."""

    subject: str
    """Text with places for the columns that name the subject."""
    query: str
    names: int
    """Number of columns that name the subject; the other columns are the facts."""
    differ: Callable[[Facts, Facts], tuple[str, str, str] | None]
    """Returns the field that differs and both values in words; None if the facts agree."""
    remedy: str


def contradictions(stores: Sequence[Store]) -> Iterator[str]:
    """Every contradiction, in words. Rows that are out of date in a store are ignored."""
    with contextlib.closing(sqlite3.connect("")) as known:  # a temporary file: stores may be larger than memory
        for fact in _FACTS:
            known.execute("CREATE TABLE facts (name TEXT PRIMARY KEY, said TEXT, store INTEGER) WITHOUT ROWID")
            for number, store in enumerate(stores):
                for row in store.query(fact.query):
                    name, facts = json.dumps(row[: fact.names]), row[fact.names :]
                    new = (name, json.dumps(facts), number)
                    if known.execute("INSERT OR IGNORE INTO facts VALUES (?, ?, ?)", new).rowcount:
                        continue
                    before, at = known.execute("SELECT said, store FROM facts WHERE name = ?", (name,)).fetchone()
                    difference = fact.differ(json.loads(before), facts)
                    if difference is not None:
                        field, first, second = difference
                        subject = fact.subject.format(*row[: fact.names])
                        roots = stores[at].root, store.root
                        yield plain(f"{subject}: {field} {first} in {roots[0]}, {second} in {roots[1]} ({fact.remedy})")
            known.execute("DROP TABLE facts")


def _methods(first: Facts, second: Facts) -> tuple[str, str, str] | None:
    """Compare methods by the digest of what determines their pixels; older stores have weights and version alone."""
    (first_identity, first_card, first_weights), (second_identity, second_card, second_weights) = first, second
    if first_identity and first_identity == second_identity:
        return None
    if first_weights != second_weights:
        return "weights", _short(first_weights), _short(second_weights)
    cards = [_fields(first_card), _fields(second_card)]
    if cards[0].get("version") != cards[1].get("version"):
        return "version of the code", str(cards[0].get("version")), str(cards[1].get("version"))
    if first_identity and second_identity:
        return "settings or code", f"digest {_short(first_identity)}", f"digest {_short(second_identity)}"
    return None


def _fields(card: object) -> dict[str, Any]:
    try:
        fields = json.loads(str(card))
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


def _metrics(first: Facts, second: Facts) -> tuple[str, str, str] | None:
    first_version, second_version = str(first[0]), str(second[0])
    if (
        first_version == second_version
        or first_version == code_version(second_version)
        or second_version == code_version(first_version)
    ):  # a store of version 4 has no more
        return None
    return "version", first_version or "unknown", second_version or "unknown"


def _digests(*fields: str) -> Callable[[Facts, Facts], tuple[str, str, str] | None]:
    def differ(first: Facts, second: Facts) -> tuple[str, str, str] | None:
        for field, first_value, second_value in zip(fields, first, second, strict=True):
            if first_value != second_value:
                return field, _short(first_value), _short(second_value)
        return None

    return differ


def _scores(first: Facts, second: Facts) -> tuple[str, str, str] | None:
    (first_key, first_value), (second_key, second_value) = first, second
    if first_key != second_key:
        return "score key", f"{_short(first_key)} ({first_value})", f"{_short(second_key)} ({second_value})"
    numbers = isinstance(first_value, float) and isinstance(second_value, float)
    is_equal = (
        math.isclose(first_value, second_value, rel_tol=_DIGITS, abs_tol=_DIGITS)
        if numbers
        else first_value == second_value
    )
    return None if is_equal else ("value", repr(first_value), repr(second_value))


def _short(digest: object) -> str:
    return str(digest)[:12] if digest else "none"


_DIGITS = 1e-9
"""Largest relative difference of equal values: the last digits differ between processors."""
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
