"""A digest of everything that tables show of a store: equal digests mean equal tables."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .store import Store

_SHOWN = (
    "SELECT * FROM outputs ORDER BY id",
    "SELECT * FROM cells ORDER BY output, metric",
    "SELECT * FROM scores ORDER BY key",
    "SELECT * FROM restorations ORDER BY key",
    "SELECT key, checksum FROM payloads ORDER BY key",
    "SELECT * FROM methods ORDER BY name",
    "SELECT * FROM metrics ORDER BY id",
    "SELECT protocol, scale, dataset, image, luma, lq_rule, lq, reference FROM sets"
    " ORDER BY protocol, scale, dataset, image, luma",
    "SELECT DISTINCT spec FROM runs ORDER BY spec",  # runs that restored and measured nothing are not shown
)


_MAKERS = ("reports", "bench/analysis", "bench/cli", "bench/metrics", "bench/publish", "bench/store", "datasets")
"""Folders of the package whose code makes tables and pages."""


def fingerprint(store: Store) -> str:
    """SHA-256 of all rows from which tables and pages are made, and of the state of the code that makes them.

    Raises:
        StoreError: the store cannot be read.
    """
    digest = hashlib.sha256()
    package = Path(__file__).parents[2]
    for folder in _MAKERS:
        for state in _files(str(package / folder)):
            digest.update(repr(state).encode())
    for query in _SHOWN:
        digest.update(query.encode())
        for row in store.query(query):
            digest.update(repr(row).encode())
    return digest.hexdigest()


def _files(folder: str) -> Iterator[tuple[str, int, int]]:
    """Name, size and time of change of the files in a folder and its subfolders; their content is not read."""
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.is_dir():
                if entry.name != "__pycache__":
                    yield from _files(entry.path)
            elif entry.name.endswith((".py", ".j2", ".js", ".css", ".yaml")):
                status = entry.stat()
                yield entry.name, status.st_size, status.st_mtime_ns
