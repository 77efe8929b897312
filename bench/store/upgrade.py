"""Upgrade a store from version 4 to 5: new columns and tables are filled from what the old store has."""

from __future__ import annotations

import json
import sqlite3
from importlib.resources import files
from typing import Any

from ...datasets.lq import rule_version

UPGRADES_FROM = "4"

_STEPS = (
    "ALTER TABLE methods ADD COLUMN identity TEXT NOT NULL DEFAULT ''",
    "CREATE TABLE metrics (id TEXT PRIMARY KEY, version TEXT NOT NULL, card TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE sets (protocol TEXT NOT NULL, scale INTEGER NOT NULL, dataset TEXT NOT NULL, image TEXT NOT NULL,"
    " luma INTEGER NOT NULL, lq_rule TEXT NOT NULL, lq TEXT NOT NULL, reference TEXT, run INTEGER NOT NULL,"
    " PRIMARY KEY (protocol, scale, dataset, image, luma)) WITHOUT ROWID",
    "ALTER TABLE scores ADD COLUMN version TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE scores ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0",
    "UPDATE scores SET checksum = coalesce(score_checksum(key, value), -1)",
    "ALTER TABLE payloads ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0",
    "UPDATE payloads SET checksum = coalesce(payload_checksum(key, dtype, shape, content), -1)",
    "ALTER TABLE outputs ADD COLUMN wanted TEXT",
    "UPDATE outputs SET wanted = restoration",
    "ALTER TABLE outputs ADD COLUMN detail TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE cells ADD COLUMN detail TEXT NOT NULL DEFAULT ''",
    # Where the outputs of an image do not agree on its pixels, those of the latest run are the image as it is. A Y
    # plane was made of the same HR and stands beside them; LQ from files cannot. Which is which is not known.
    """
    INSERT INTO sets
    SELECT protocol, scale, dataset, image, row_number() OVER image + 1, lq_rule, coalesce(lq, ''), reference, latest
    FROM (
        SELECT o.*, max(coalesce(r.run, 0)) AS latest,
            first_value(o.reference) OVER newest AS current_reference,
            first_value(o.lq_rule) OVER newest AS current_rule,
            first_value(o.lq) OVER newest AS current_lq
        FROM outputs o LEFT JOIN restorations r ON r.key = o.restoration
        GROUP BY o.protocol, o.scale, o.dataset, o.image, o.lq, o.reference, o.lq_rule
        WINDOW newest AS (PARTITION BY o.protocol, o.scale, o.dataset, o.image
                          ORDER BY max(coalesce(r.run, 0)) DESC, max(o.id) DESC)
    )
    WHERE reference IS current_reference AND lq_rule = current_rule AND (lq_rule != 'files' OR lq IS current_lq)
    WINDOW image AS (PARTITION BY protocol, scale, dataset, image ORDER BY latest DESC)
    """,
)


def upgrade(database: sqlite3.Connection) -> None:
    """Upgrade a store from version 4 to 5 in one transaction; the checksum functions must be registered.

    Raises:
        sqlite3.Error: the store cannot be written, or is damaged; it is unchanged then.
    """
    database.execute("BEGIN IMMEDIATE")
    try:
        for step in _STEPS:
            database.execute(step)
        rules = [row[0] for row in database.execute("SELECT DISTINCT lq_rule FROM sets")]
        database.executemany(
            "UPDATE sets SET lq_rule = ? WHERE lq_rule = ?", [(versioned_rule(rule), rule) for rule in rules]
        )
        known = json.loads(files(__package__).joinpath("metrics_of_version_4.json").read_text(encoding="utf-8"))
        for (id,) in database.execute("SELECT DISTINCT metric FROM cells").fetchall():
            card = _card_of_version_4(str(id), known)
            version = card.pop("version", "")
            database.execute("INSERT INTO metrics VALUES (?, ?, ?)", (id, version, json.dumps(card, sort_keys=True)))
        database.execute("UPDATE meta SET value = '5' WHERE name = 'schema'")
        database.execute("COMMIT")
    except BaseException:
        database.execute("ROLLBACK")
        raise


def versioned_rule(rule: str) -> str:
    """An LQ rule with the version of its code; if either changes, LQ changes."""
    return f"{rule} {rule_version(rule)}"


def code_version(version: str) -> str:
    """``2`` of ``2, library 1.0 digest``: the only part of a metric's version that a store of version 4 has."""
    return version.replace(",", " ").split()[0] if version.strip() else ""


def _card_of_version_4(id: str, known: dict[str, dict[str, dict[str, Any]]]) -> dict[str, Any]:
    """The card of a metric in the program that wrote stores of version 4."""
    measure, _, engine = id.partition(":")
    if id in known["images"]:
        return dict(known["images"][id])
    if measure in known["tasks"]:
        card = known["tasks"][measure]
        return {**card, "title": f"{card['title']} ({engine})" if engine else card["title"]}
    return {"title": id}
