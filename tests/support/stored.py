"""What a store's database names, read without the store's own code."""

from __future__ import annotations

import sqlite3
from pathlib import Path


def column(root: Path, query: str) -> list[str]:
    """The first column of a query."""
    with sqlite3.connect(f"{(root / 'store.sqlite').as_uri()}?mode=ro", uri=True) as database:
        return [row[0] for row in database.execute(query)]


def restored(root: Path) -> set[str]:
    """Digests of all SR pixels."""
    return set(column(root, "SELECT sr FROM restorations"))


def named(root: Path) -> set[str]:
    """Digests of all pixels that rows refer to."""
    inputs = column(root, "SELECT lq FROM inputs UNION SELECT reference FROM inputs WHERE reference IS NOT NULL")
    return restored(root) | set(inputs)
