"""Write and read documents of results as JSON and as Parquet."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...datasets.images import write_atomically
from ...datasets.strict import read_file, validated
from ..metrics.requirements import not_installed
from .document import FORMAT, Document, ExchangeError

_HEAD = b"asasr_bench"
"""Key in the metadata of a Parquet file with everything except the outputs."""


def write_json(document: Document, path: Path) -> None:
    """Write a document as JSON with one line for each output, so that a diff is readable."""
    content = document.model_dump(mode="json")
    lists = {name: content.pop(name) for name in ("table", "sets", "inputs", "outputs")}
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False).removesuffix("\n}")
    for name, rows in lists.items():
        lines = ",\n".join(json.dumps(row, ensure_ascii=False, allow_nan=False) for row in rows)
        text += f',\n "{name}": [\n{lines}\n ]'
    write_atomically(path, (text + "\n}\n").encode())


def read_json(path: Path) -> Document:
    """Read a file of ``write_json``.

    Raises:
        ExchangeError: the file cannot be read, or is not a document of this version.
    """
    return document_from(parsed_json(read_file(path, ExchangeError), path), path)


def parsed_json(text: str, origin: object) -> Any:
    """The value of a JSON text.

    Raises:
        ExchangeError: the text is not JSON.
    """

    def refuse(name: str) -> None:
        raise ValueError(f"{name} is no JSON number")

    try:
        return json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise ExchangeError(f"{origin}: is not valid JSON ({error}); export it again") from None


def document_from(content: Any, origin: object) -> Document:
    """A document from the value of a JSON file.

    Raises:
        ExchangeError: the value is not a document of this version.
    """
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ExchangeError(f"{origin}: is no file of '{FORMAT}'; 'asasr-bench export --format json' writes one")
    if content.get("version") != 1:
        raise ExchangeError(
            f"{origin}: is of version {content.get('version')!r:.20}, and this program reads version 1; install a"
            " newer asasr-bench"
        )
    return validated(Document, content, origin, ExchangeError)


def write_parquet(document: Document, path: Path) -> None:
    """Write a document as Parquet: one row for each cell with its output; the rest is JSON in the file's metadata.

    Raises:
        ExchangeError: pyarrow is not installed.
    """
    pa, pq = _arrow()
    rest = document.model_dump(mode="json", exclude={"outputs"})
    whole = all(isinstance(output.scale, int) for output in document.outputs)
    schema = pa.schema(
        _columns(pa, whole=whole), metadata={_HEAD: json.dumps(rest, ensure_ascii=False, allow_nan=False)}
    )
    table = pa.Table.from_pylist(list(_flat(document)), schema=schema)
    part = path.with_name(f".{path.name}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, part, compression="zstd")
    part.replace(path)


def read_parquet(path: Path) -> Document:
    """Read a file of ``write_parquet``.

    Raises:
        ExchangeError: pyarrow is not installed, or the file is not of this program.
    """
    pa, pq = _arrow()
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise ExchangeError(f"{path}: cannot be read as Parquet ({error})") from None
    head = (table.schema.metadata or {}).get(_HEAD)
    if head is None or not {name for name, _ in _columns(pa)} <= set(table.column_names):
        raise ExchangeError(f"{path}: is no file of '{FORMAT}'; 'asasr-bench export --format parquet' writes one")
    content = parsed_json(head.decode(errors="replace"), path)
    if isinstance(content, dict):
        content["outputs"] = list(_nested(table.to_pylist()))
    return document_from(content, path)


def _arrow() -> tuple[Any, Any]:
    problem = not_installed("pyarrow", "parquet")
    if problem:
        raise ExchangeError(f"Parquet: {problem}")
    import pyarrow
    import pyarrow.parquet

    return pyarrow, pyarrow.parquet


_OUTPUT = {
    "protocol": "string",
    "scale": "int64",
    "dataset": "string",
    "image": "string",
    "method": "string",
    "seed": "int64",
    "output_status": "string",
    "lq_rule": "string",
    "lq": "string",
    "reference": "string",
    "output_message": "string",
    "restoration": "string",
    "sr": "string",
    "seconds": "float64",
    "memory": "int64",
    "device": "string",
    "restored_by": "int64",
}
_CELL = {
    "metric": "string",
    "value": "float64",
    "status": "string",
    "message": "string",
    "key": "string",
    "measured_by": "int64",
    "payload_dtype": "string",
    "payload_shape": "string",
    "payload": "string",
}


def _columns(pa: Any, *, whole: bool = True) -> list[tuple[str, Any]]:
    """Names and types; ``whole``: no scale is such as 1.5."""
    kinds = {**_OUTPUT, **_CELL} | ({} if whole else {"scale": "float64"})
    return [(name, getattr(pa, kind)()) for name, kind in kinds.items()]


def _flat(document: Document) -> Iterator[dict[str, Any]]:
    for output in document.outputs:
        restoration = output.restoration
        place = {
            **output.model_dump(exclude={"cells", "restoration", "status", "message"}),
            "output_status": output.status,
            "output_message": output.message,
        }
        if restoration is not None:
            place |= {
                **restoration.model_dump(exclude={"key", "run"}),
                "restoration": restoration.key,
                "restored_by": restoration.run,
            }
        for cell in output.cells or (None,):
            row = dict(place)
            if cell is not None:
                row |= {
                    **cell.model_dump(include={"metric", "status", "message", "key"}),
                    "measured_by": cell.run,
                    "value": None if cell.value is None else float(cell.value),
                }
                if cell.payload is not None:
                    row |= {
                        "payload_dtype": cell.payload.dtype,
                        "payload_shape": json.dumps(cell.payload.shape),
                        "payload": cell.payload.content,
                    }
            yield row


def _nested(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Outputs with their cells; the rows of an output follow each other."""
    current: dict[str, Any] | None = None
    place: tuple[Any, ...] = ()
    for row in rows:
        place_of_row = tuple(row[name] for name in _OUTPUT)
        if current is None or place_of_row != place:
            if current is not None:
                yield current
            place, current = place_of_row, _output(row)
        if row["metric"] is not None:
            current["cells"].append(_cell(row))
    if current is not None:
        yield current


def _output(row: dict[str, Any]) -> dict[str, Any]:
    output = {name: row[name] for name in _OUTPUT if name in _PLAIN}
    output |= {"status": row["output_status"], "message": row["output_message"], "cells": [], "restoration": None}
    if row["restoration"] is not None:
        output["restoration"] = {
            **{name: row[name] for name in ("sr", "seconds", "memory", "device")},
            "key": row["restoration"],
            "run": row["restored_by"],
        }
    return output


_PLAIN = ("protocol", "scale", "dataset", "image", "method", "seed", "lq_rule", "lq", "reference")


def _cell(row: dict[str, Any]) -> dict[str, Any]:
    value = row["value"]
    if value in (float("inf"), float("-inf")):
        value = "Infinity" if value > 0 else "-Infinity"
    cell = {**{name: row[name] for name in ("metric", "status", "message", "key")}, "run": row["measured_by"]}
    cell["value"] = value
    if row["payload"] is not None:
        shape = parsed_json(row["payload_shape"] or "", "payload")
        cell["payload"] = {"dtype": row["payload_dtype"], "shape": shape, "content": row["payload"]}
    return cell
