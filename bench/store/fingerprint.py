"""A digest of what a store shows: equal digests stand for equal tables."""

from __future__ import annotations

import hashlib
from importlib.metadata import version
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
    "SELECT DISTINCT spec FROM runs ORDER BY spec",  # which run it was, and when, is not shown unless it did something
)


def fingerprint(store: Store) -> str:
    """SHA-256 over all rows that tables and pages are made from, and the version of the package that makes them.

    Raises:
        StoreError: they cannot be read.
    """
    digest = hashlib.sha256(version("asasr-bench").encode())
    for query in _SHOWN:
        digest.update(query.encode())
        for row in store.query(query):
            digest.update(repr(row).encode())
    return digest.hexdigest()
