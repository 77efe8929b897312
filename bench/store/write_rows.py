"""Write rows into the database of a store, inside a transaction of the caller."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterable
from dataclasses import asdict

import numpy as np

from ..metrics.card import MetricCard
from .checksums import payload_checksum, score_checksum
from .records import CellRecord, OutputRecord, SetImage
from .upgrade import code_version

_PLACE = "protocol, scale, dataset, image, method, seed"


def insert_output(database: sqlite3.Connection, output: OutputRecord, run: int) -> None:
    """Write an output with its cells; cells of pixels that the output no longer has are removed."""
    if output.sr is not None:
        database.execute(
            "INSERT OR REPLACE INTO restorations (key, sr, seconds, memory, device, run) VALUES (?, ?, ?, ?, ?, ?)",
            (output.restoration, output.sr, output.seconds, output.memory, output.device, run),
        )
    if output.parameters is not None:
        database.execute(
            "UPDATE methods SET card = json_set(card, '$.parameters', ?)"
            " WHERE name = ? AND json_extract(card, '$.parameters') IS NULL",
            (output.parameters, output.method),
        )
    if output.operations is not None:
        counted = {"operations": {output.dataset: {f"{output.scale:g}": asdict(output.operations)}}}
        database.execute(
            "UPDATE methods SET card = json_patch(card, ?) WHERE name = ?", (json.dumps(counted), output.method)
        )
    place = (output.protocol, output.scale, output.dataset, output.image, output.method, output.seed)
    facts = (output.restoration, output.lq, output.reference)
    before = database.execute(
        "SELECT id, restoration, lq, reference FROM outputs WHERE protocol = ? AND scale = ? AND dataset = ?"
        " AND image = ? AND method = ? AND seed = ?",
        place,
    ).fetchone()
    if before is not None and before[1:] != facts:
        database.execute("DELETE FROM cells WHERE output = ?", before[:1])
    (id,) = database.execute(
        f"INSERT INTO outputs ({_PLACE}, restoration, lq, reference, wanted, lq_rule, status, message, detail)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        f" ON CONFLICT ({_PLACE}) DO UPDATE SET restoration = excluded.restoration,"
        " lq = excluded.lq, reference = excluded.reference, wanted = excluded.wanted, lq_rule = excluded.lq_rule,"
        " status = excluded.status, message = excluded.message, detail = excluded.detail RETURNING id",
        (*place, *facts, output.restoration, output.lq_rule, output.status, output.message, output.detail),
    ).fetchone()
    for cell in output.cells:
        _insert_cell(database, id, cell, run)


def _insert_cell(database: sqlite3.Connection, output: int, cell: CellRecord, run: int) -> None:
    if cell.value is not None:
        value = None if np.isnan(cell.value) else float(cell.value)  # as SQLite keeps NaN
        database.execute(
            "INSERT OR REPLACE INTO scores (key, value, run, version, checksum)"
            " VALUES (?, ?, ?, coalesce((SELECT version FROM metrics WHERE id = ?), ''), ?)",
            (cell.key, value, run, cell.metric, score_checksum(cell.key, value)),
        )
    if cell.payload is not None:
        little = np.ascontiguousarray(cell.payload, dtype=cell.payload.dtype.newbyteorder("<"))
        content = zlib.compress(little.tobytes(), level=1)  # confusion matrices are mostly zeros
        row = (cell.key, little.dtype.str, json.dumps(cell.payload.shape), content)
        database.execute(
            "INSERT OR REPLACE INTO payloads (key, dtype, shape, content, checksum) VALUES (?, ?, ?, ?, ?)",
            (*row, payload_checksum(*row)),
        )
    database.execute(
        "INSERT OR REPLACE INTO cells (output, metric, score, status, message, detail) VALUES (?, ?, ?, ?, ?, ?)",
        (output, cell.metric, cell.key, cell.status, cell.message, cell.detail),
    )


def insert_metric(database: sqlite3.Connection, card: MetricCard) -> None:
    """Write a metric's card; scores whose version was not recorded get the one that the store had until now.

    A store of version 4 knows the version of the code alone, without libraries and weights: where the code is the same,
    its scores stay as they are.
    """
    fields = {name: value for name, value in asdict(card).items() if name not in ("id", "version")}
    row = database.execute("SELECT version FROM metrics WHERE id = ?", (card.id,)).fetchone()
    if row is not None and row[0] != card.version and row[0] != code_version(card.version):
        database.execute(
            "UPDATE scores SET version = ? WHERE version = '' AND key IN (SELECT score FROM cells WHERE metric = ?)",
            (row[0], card.id),
        )
    database.execute(
        "INSERT OR REPLACE INTO metrics (id, version, card) VALUES (?, ?, ?)",
        (card.id, card.version, json.dumps(fields, sort_keys=True)),
    )


def insert_set(database: sqlite3.Connection, protocol: str, scale: float, images: Iterable[SetImage], run: int) -> None:
    """Write the images of the datasets of a run, and remove what these datasets had beside them.

    Rows of an image with LQ in another form (a Y plane) stay if HR and the LQ rule are the same: LQ follows from both,
    unless it was read from a file.

    Args:
        database: connection within a transaction.
        protocol: name of the protocol.
        scale: scale factor.
        images: all images of all datasets of the run.
        run: number of the run.
    """
    datasets = set()
    for image in images:
        datasets.add(image.dataset)
        database.execute(
            "INSERT OR REPLACE INTO sets (protocol, scale, dataset, image, luma, lq_rule, lq, reference, run)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                protocol,
                scale,
                image.dataset,
                image.image,
                int(image.luma),
                image.lq_rule,
                image.lq,
                image.reference,
                run,
            ),
        )
    for dataset in datasets:
        database.execute(
            "DELETE FROM sets AS old"
            " WHERE protocol = :protocol AND scale = :scale AND dataset = :dataset AND run != :run"
            " AND NOT EXISTS (SELECT 1 FROM sets new"
            " WHERE new.protocol = :protocol AND new.scale = :scale AND new.dataset = :dataset"
            " AND new.image = old.image AND new.run = :run AND new.reference IS NOT NULL"
            " AND new.reference = old.reference AND new.lq_rule = old.lq_rule AND new.lq_rule NOT LIKE 'files%')",
            {"protocol": protocol, "scale": scale, "dataset": dataset, "run": run},
        )
