"""The rows of a store that are up to date: they belong to the present images, methods and metrics.

A store keeps results of former images, weights and code until a run replaces them. All readers use the views below,
which say why a row is out of date; so all tables leave out the same rows.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from .checksums import payload_checksum, score_checksum
from .records import LeftOut

DAMAGED = "the stored value is damaged; run again to measure it again"
"""What is said of a cell whose checksum does not fit; its status is ``failed``."""
_SET = "s.protocol = o.protocol AND s.scale = o.scale AND s.dataset = o.dataset"

# SQLite evaluates a column of a view wherever it is named, and only one branch of a CASE: so checksums of cells are
# computed for few rows.
_VIEWS = (
    f"""
    CREATE TEMP VIEW judged_outputs AS SELECT o.*, CASE
        WHEN EXISTS (SELECT 1 FROM sets s WHERE {_SET})
            AND NOT EXISTS (SELECT 1 FROM sets s WHERE {_SET} AND s.image = o.image) THEN 'image'
        WHEN coalesce(o.lq, '') != ''
            AND EXISTS (SELECT 1 FROM sets s WHERE {_SET} AND s.image = o.image)
            AND NOT EXISTS (SELECT 1 FROM sets s WHERE {_SET} AND s.image = o.image
                            AND s.lq = o.lq AND s.reference IS o.reference) THEN 'pixels'
        WHEN o.wanted IS NOT o.restoration THEN 'method'
        WHEN o.status = 'done' AND coalesce(o.restoration, '') != ''
            AND NOT EXISTS (SELECT 1 FROM restorations r WHERE r.key = o.restoration) THEN 'unfinished'
        ELSE '' END AS outdated
    FROM outputs o
    """,
    "CREATE TEMP VIEW current_outputs AS SELECT * FROM judged_outputs WHERE outdated = ''",
    """
    CREATE TEMP VIEW judged_cells AS SELECT c.*, s.value, s.run,
        CASE WHEN c.status = 'done' THEN s.checksum IS NOT score_checksum(c.score, s.value) ELSE 0 END AS damaged,
        CASE WHEN c.status = 'done' AND s.version != '' AND s.version != m.version
            THEN s.checksum IS score_checksum(c.score, s.value) ELSE 0 END AS former
    FROM cells c LEFT JOIN scores s ON s.key = c.score LEFT JOIN metrics m ON m.id = c.metric
    """,
    f"""
    CREATE TEMP VIEW current_cells AS SELECT output, metric, score, run, detail,
        CASE WHEN damaged THEN NULL ELSE value END AS value,
        CASE WHEN damaged THEN 'failed' ELSE status END AS status,
        CASE WHEN damaged THEN '{DAMAGED}' ELSE message END AS message
    FROM judged_cells WHERE NOT former
    """,
)

_REASONS = {
    "image": "are no longer in the set: left out",
    "pixels": "have another LQ or HR than the set has now: left out; run the method on it again",
    "method": "are of former weights, code or settings: left out; run again",
    "unfinished": "are not restored yet: run again",
    "metric": "are of a former version of the metric or its weights: left out; run again",
}


def add_functions(database: sqlite3.Connection) -> None:
    """Register the SQL functions that the views and the upgrade need."""
    database.create_function("score_checksum", 2, score_checksum, deterministic=True)
    database.create_function("payload_checksum", 4, payload_checksum, deterministic=True)


def add_views(database: sqlite3.Connection) -> None:
    """Create the views in a database of the present schema."""
    for view in _VIEWS:
        database.execute(view)


def left_out(database: sqlite3.Connection) -> Iterator[LeftOut]:
    """Results that the views leave out, by dataset, method and reason."""
    place = "protocol, scale, dataset, method"
    totals = {
        row[:4]: row[4]
        for row in database.execute(f"SELECT {place}, count(DISTINCT image) FROM outputs GROUP BY {place}")
    }
    for protocol, scale, dataset, method, reason, count in database.execute(
        f"SELECT {place}, outdated, count(DISTINCT image) FROM judged_outputs WHERE outdated != ''"
        f" GROUP BY {place}, outdated ORDER BY {place}, outdated"
    ):
        total = totals[protocol, scale, dataset, method]
        yield LeftOut(protocol, scale, dataset, method, "", _REASONS[reason], count, total)
    for protocol, scale, dataset, method, metric, count, total in database.execute(
        f"SELECT {place}, c.metric, sum(c.former), count(*) FROM judged_cells c"
        " JOIN current_outputs o ON o.id = c.output"
        f" GROUP BY {place}, c.metric HAVING sum(c.former) > 0 ORDER BY {place}, c.metric"
    ):
        yield LeftOut(protocol, scale, dataset, method, metric, _REASONS["metric"], count, total)
