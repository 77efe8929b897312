"""Write the results of a document into a new store, which has no pixels but gives the same tables."""

from __future__ import annotations

import base64
import binascii
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from math import inf, nan
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ..store.open_database import DATABASE
from ..store.provenance import Provenance
from ..store.records import CellRecord, OutputRecord, SetImage
from ..store.store import Store, open_store
from ..store.stored_values import DamagedRowError, from_text, metric_card, payload
from .document import Cell, Document, ExchangeError, Output

_ROWS = 1000
"""Number of outputs that are stored in one transaction."""


def write_store(document: Document, root: Path, origin: object) -> int:
    """Write the results of a document into a new store, whose folder has no pixels.

    Args:
        document: results of another store.
        root: folder without a store.
        origin: file of the document, for messages.

    Returns:
        Number of outputs in the store.

    Raises:
        ExchangeError: the folder has a store already, or the document contradicts itself.
        StoreError: the store cannot be written.
    """
    if (root / DATABASE).exists():
        raise ExchangeError(f"{root}: has a store already; import into a new folder, then 'asasr-bench merge' both")
    problem = _problem(document)
    if problem:
        raise ExchangeError(f"{origin}: {problem}; export it again")
    try:
        rows = list(_by_run(document))
        metrics = [metric_card(entry.id, entry.version, _text(entry.card)) for entry in document.metrics]
        provenances = {run.id: from_text(Provenance, _text(run.provenance)) for run in document.runs}
    except (DamagedRowError, binascii.Error) as error:
        raise ExchangeError(f"{origin}: is not in the format of 'export' ({error}); export it again") from None
    with open_store(root, write=True) as store:
        numbers = {}
        for run in document.runs:
            numbers[run.id] = store.begin_run(run.started, run.spec, provenances[run.id])
            if run.finished is not None:
                store.finish_run(numbers[run.id], run.finished)
        for method in document.methods:
            store.add_method(method.name, method.card, method.weights, method.identity)
        store.add_metrics(metrics)
        store.add_inputs((entry.key, entry.lq, entry.reference) for entry in document.inputs)
        _add_sets(document, store, numbers)
        for run_id, outputs in rows:
            for start in range(0, len(outputs), _ROWS):
                store.commit(outputs[start : start + _ROWS], 0 if run_id is None else numbers[run_id])
    return len(document.outputs)


def _problem(document: Document) -> str:
    """A contradiction in a document: a run that it names but does not have, or an output that it has twice; else ''."""
    runs = {run.id for run in document.runs}
    named = {output.restoration.run for output in document.outputs if output.restoration is not None}
    named |= {cell.run for output in document.outputs for cell in output.cells if cell.run is not None}
    if not named <= runs:
        return f"names run {min(named - runs)}, which it does not have"
    places = [_place(output) for output in document.outputs]
    repeated = next(
        (place for place, before in zip(sorted(places)[1:], sorted(places), strict=False) if place == before), None
    )
    return "" if repeated is None else f"has output {'/'.join(map(str, repeated))} twice"


def _place(output: Output) -> tuple[str, float, str, str, str, int]:
    return output.protocol, output.scale, output.dataset, output.image, output.method, output.seed


def _add_sets(document: Document, store: Store, numbers: dict[int, int]) -> None:
    """Store the planned images, in the order of their runs."""
    groups = defaultdict(list)
    for row in document.sets:
        groups[row.run, row.protocol, row.scale].append(
            SetImage(row.dataset, row.image, bool(row.luma), row.lq_rule, row.lq, row.reference)
        )
    for (run, protocol, scale), images in sorted(groups.items(), key=lambda item: item[0]):
        store.add_set(protocol, scale, images, numbers.get(run, 0))


def _by_run(document: Document) -> Iterator[tuple[int | None, list[OutputRecord]]]:
    """Rows by the run that made them: first outputs without cells, then outputs with the cells of each run."""
    restored: dict[int | None, list[OutputRecord]] = defaultdict(list)
    measured: dict[int | None, list[OutputRecord]] = defaultdict(list)
    for output in document.outputs:
        record, restoration = _record(output), output.restoration
        first = record
        if restoration is not None:
            first = replace(
                record,
                sr=restoration.sr,
                seconds=restoration.seconds,
                memory=restoration.memory,
                device=restoration.device,
            )
        restored[None if restoration is None else restoration.run].append(first)
        cells: dict[int | None, list[CellRecord]] = defaultdict(list)
        for cell in output.cells:
            cells[cell.run].append(_cell(cell))
        for run, group in cells.items():
            measured[run].append(replace(record, cells=tuple(group)))
    yield from restored.items()
    yield from measured.items()


def _record(output: Output) -> OutputRecord:
    protocol, scale, dataset, image, method, seed = _place(output)
    return OutputRecord(
        protocol,
        scale,
        dataset,
        image,
        method,
        seed,
        output.status,
        output.lq_rule,
        output.lq,
        output.reference,
        restoration=None if output.restoration is None else output.restoration.key,
        message=output.message,
    )


def _cell(cell: Cell) -> CellRecord:
    value = {"Infinity": inf, "-Infinity": -inf, None: nan}.get(cell.value, cell.value)  # type: ignore[arg-type]
    done = cell.status == "done"
    return CellRecord(
        cell.metric,
        cell.status,
        cell.key,
        float(value) if done and value is not None else None,
        cell.message,
        payload=_array(cell) if done else None,
    )


def _array(cell: Cell) -> NDArray[Any] | None:
    if cell.payload is None:
        return None
    content = base64.b64decode(cell.payload.content, validate=True)
    return payload(cell.payload.dtype, _text(cell.payload.shape), content)


def _text(value: object) -> str:
    return json.dumps(value)
