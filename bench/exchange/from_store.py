"""Make the document of a store's results."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from itertools import groupby
from math import isinf, isnan
from operator import itemgetter
from typing import Any

from ...reports.board import Board
from ...reports.escaping import without_folders
from ..store.provenance import now, package_versions
from ..store.store import Store
from .document import (
    Cell,
    Document,
    ExchangeError,
    Input,
    Method,
    MetricEntry,
    Output,
    PayloadEntry,
    PlannedImage,
    Restoration,
    Run,
    TableRow,
    Value,
)


def document_of(store: Store, board: Board) -> Document:
    """The present results of a store, with the means of its board for human readers.

    Raises:
        ExchangeError: the store has no results.
        StoreError: the store cannot be read.
    """
    outputs = tuple(_outputs(store))
    if not outputs:
        raise ExchangeError(f"{store.root}: has no results to write; run a spec into it first")
    measured = {cell.metric for output in outputs for cell in output.cells}
    places = {(output.protocol, output.scale, output.dataset) for output in outputs}
    pixels = {output.lq for output in outputs}
    return Document(
        program=package_versions().get("asasr-bench", ""),
        exported=now(),
        title=board.title,
        table=tuple(_table(board)),
        runs=tuple(_runs(store)),
        methods=tuple(
            Method(name=name, weights=weights, identity=identity, card=_without_folders(_mapping(card)))
            for name, weights, identity, card in store.query(
                "SELECT name, weights, identity, card FROM methods ORDER BY name"
            )
        ),
        metrics=tuple(
            MetricEntry(id=id, version=number, card=_mapping(card))
            for id, number, card in store.query("SELECT id, version, card FROM metrics ORDER BY id")
            if id in measured
        ),
        sets=tuple(
            row
            for row in _rows(store, PlannedImage, "sets", "protocol, scale, dataset, image, luma")
            if (row.protocol, row.scale, row.dataset) in places
        ),
        inputs=tuple(row for row in _rows(store, Input, "inputs", "key") if row.lq in pixels),
        outputs=outputs,
    )


def number_of(value: float | None) -> Value:
    """A value as JSON can hold it: infinities as texts, NaN as null."""
    if value is None or isnan(value):
        return None
    return ("Infinity" if value > 0 else "-Infinity") if isinf(value) else float(value)


def _rows(store: Store, kind: Any, table: str, order: str) -> Iterator[Any]:
    names = list(kind.model_fields)
    for row in store.query(f"SELECT {', '.join(names)} FROM {table} ORDER BY {order}"):
        yield kind(**dict(zip(names, row, strict=True)))


def _table(board: Board) -> Iterator[TableRow]:
    for row in board.scores.to_dict("records"):
        yield TableRow(
            dataset=row["dataset"],
            method=row["method"],
            metric=row["metric"],
            protocol=row["protocol"],
            value=number_of(row["value"]),
            ci_low=number_of(row["ci_low"]),
            ci_high=number_of(row["ci_high"]),
            n=int(row["n"]),
            set_images=board.whole.get((row["protocol"], row["dataset"]), int(row["n"])),
            direction=row["direction"],
        )


def _runs(store: Store) -> Iterator[Run]:
    for id, started, finished, spec, provenance in store.query(
        "SELECT id, started, finished, spec, provenance FROM runs ORDER BY id"
    ):
        yield Run(
            id=id,
            started=started,
            finished=finished,
            spec=_without_folders(_mapping(spec)),
            provenance=_without_folders(_mapping(provenance)),
        )


_OUTPUTS = (
    "SELECT o.id, o.protocol, o.scale, o.dataset, o.image, o.method, o.seed, o.status, o.lq_rule, o.lq, o.reference,"
    " o.message, o.restoration, r.sr, r.seconds, r.memory, r.device, r.run,"
    " c.metric, c.status, c.value, c.score, c.run, c.message, p.dtype, p.shape, p.content"
    " FROM current_outputs o LEFT JOIN restorations r ON r.key = o.restoration"
    " LEFT JOIN current_cells c ON c.output = o.id LEFT JOIN payloads p ON p.key = c.score"
    " ORDER BY o.protocol, o.scale, o.dataset, o.image, o.method, o.seed, c.metric"
)
_PLACE = ("protocol", "scale", "dataset", "image", "method", "seed", "status", "lq_rule", "lq", "reference")


def _outputs(store: Store) -> Iterator[Output]:
    for _, group in groupby(store.query(_OUTPUTS), itemgetter(0)):
        rows = list(group)
        first = rows[0]
        key, sr, seconds, memory, device, run = first[12:18]
        restored = sr is not None and key is not None
        yield Output(
            **dict(zip(_PLACE, first[1:11], strict=True)),
            message=without_folders(first[11]),
            restoration=Restoration(key=key, sr=sr, seconds=seconds, memory=memory, device=device, run=run)
            if restored
            else None,
            cells=tuple(_cell(row[18:]) for row in rows if row[18] is not None),
        )


def _cell(row: tuple[Any, ...]) -> Cell:
    metric, status, value, key, run, message, dtype, shape, content = row
    payload = None
    if content is not None and status == "done":
        payload = PayloadEntry(dtype=dtype, shape=json.loads(shape), content=base64.b64encode(content).decode())
    return Cell(
        metric=metric,
        status=status,
        value=number_of(value),
        key=key,
        run=run,
        message=without_folders(message),
        payload=payload,
    )


def _mapping(text: str) -> dict[str, Any]:
    content = json.loads(text)
    if not isinstance(content, dict):
        raise ExchangeError("the store is damaged: it has a card that is not a JSON object")
    return content


def _without_folders(value: Any) -> Any:
    """The same value, with every absolute path replaced by its last part."""
    if isinstance(value, str):
        return without_folders(value)
    if isinstance(value, Mapping):
        return {key: _without_folders(entry) for key, entry in value.items()}
    return [_without_folders(entry) for entry in value] if isinstance(value, list) else value
