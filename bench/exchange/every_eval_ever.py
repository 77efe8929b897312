"""Results in the format of Every Eval Ever (github.com/evaleval/every_eval_ever, schema 0.3.0, 2026-08).

There is one aggregate file for each method and one line of JSON for each value of an image. The schema was made for
language models: here, a sample is an image, whose input is LQ and whose reference is HR (SHA-256 of their pixels);
``is_correct`` has no meaning and is false. Results for which the schema has no field, such as cells without a value,
are one JSON text under ``asasr_bench``, from which an import makes all tables.
"""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...datasets.card import card_ids, load_card
from ...datasets.images import write_atomically
from ...datasets.strict import read_file
from .claims import Claim
from .document import Cell, Document, ExchangeError, Method, Output, TableRow, operations_of
from .files import document_from, parsed_json

SCHEMA_VERSION = "0.3.0"
RELATIONSHIPS = ("first_party", "third_party", "collaborative", "other")
_REST = "asasr_bench"
_WITHIN = "{scale}|{protocol}|{dataset}|{image}|{seed}|{metric}"


@dataclass(frozen=True)
class Evaluator:
    """The organization that evaluated, which is not in a store."""

    organization: str = "unknown"
    relationship: str = "other"
    """Relationship to the authors of the method, one of ``RELATIONSHIPS``."""


def write_every_eval_ever(document: Document, out: Path, evaluator: Evaluator) -> list[Path]:
    """Write ``data/asasr-bench/DEVELOPER/METHOD/UUID.json`` and ``UUID_samples.jsonl`` for every method.

    The names of files are derived from their content: the same results have the same names.

    Args:
        document: the results.
        out: folder for ``data``.
        evaluator: organization that evaluated.

    Raises:
        ExchangeError: the relationship is unknown.
    """
    if evaluator.relationship not in RELATIONSHIPS:
        raise ExchangeError(
            f"--relationship {evaluator.relationship}: no such relationship ({', '.join(RELATIONSHIPS)})"
        )
    paths = []
    for method in sorted({output.method for output in document.outputs}):
        outputs = [output for output in document.outputs if output.method == method]
        content = json.dumps([output.model_dump(mode="json") for output in outputs], sort_keys=True)
        number = uuid.UUID(bytes=hashlib.sha256(content.encode()).digest()[:16], version=4)
        folder = Path("data", "asasr-bench", "unknown", _file_name(method))
        samples = folder / f"{number}_samples.jsonl"
        aggregate = _aggregate(document, method, outputs, evaluator)
        lines = list(_samples(document, aggregate, outputs))
        text = "".join(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n" for line in lines)
        aggregate["detailed_evaluation_results"] = {
            "format": "jsonl",
            "file_path": samples.as_posix(),
            "hash_algorithm": "sha256",
            "checksum": hashlib.sha256(text.encode()).hexdigest(),
            "total_rows": len(lines),
        }
        aggregate_text = json.dumps(aggregate, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        for path, content in ((samples, text), (folder / f"{number}.json", aggregate_text)):
            write_atomically(out / path, content.encode())
            paths.append(out / path)
    return paths


def is_aggregate(content: Any) -> bool:
    """Whether a JSON value looks like an aggregate file of the format."""
    return isinstance(content, dict) and {"schema_version", "evaluation_id", "evaluation_results"} <= content.keys()


def has_values(content: Any) -> bool:
    """Whether an aggregate file has the results of images that an import needs to make all tables."""
    return _stored_text(content) is not None


def claims_of(content: Any, origin: object) -> list[Claim]:
    """Means in an aggregate file of another program; the protocol is taken from ``metric_config``.

    Raises:
        ExchangeError: the file does not follow the schema.
    """
    try:
        model = str(content["model_info"]["name"])
        return [
            Claim(
                method=model,
                dataset=str(result["source_data"]["dataset_name"]),
                metric=str(result["metric_config"].get("metric_id") or result["evaluation_name"]),
                value=float(result["score_details"]["score"]),
                protocol=str(result["metric_config"].get("additional_details", {}).get("protocol", "unknown")),
                images=result["score_details"].get("uncertainty", {}).get("num_samples"),
            )
            for result in content["evaluation_results"]
        ]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ExchangeError(f"{origin}: does not follow the schema of Every Eval Ever ({error!r:.80})") from None


def read_every_eval_ever(paths: Sequence[Path], root: Path) -> Document:
    """One document from the aggregate files of ``write_every_eval_ever``.

    Args:
        paths: the aggregate files.
        root: folder that has the folder ``data``.

    Raises:
        ExchangeError: a file is damaged, is of another program, or lacks samples or other results that tables need.
    """
    merged: dict[str, Any] = {}
    outputs: list[Any] = []
    for path in paths:
        content = parsed_json(read_file(path, ExchangeError), path)
        stored_text = _stored_text(content)
        if stored_text is None:
            raise ExchangeError(f"{path}: is of another program and has no values of images for a store")
        document = parsed_json(stored_text, path)
        if not isinstance(document, dict) or not isinstance(document.get("outputs"), list):
            raise ExchangeError(f"{path}: the text under '{_REST}' is damaged; export it again")
        _fill(document["outputs"], _values(content, path, root), path)
        if merged and any(document.get(name) != merged.get(name) for name in ("program", "exported", "runs")):
            raise ExchangeError(f"{path}: is of another export than {paths[0]}; import them one after the other")
        for name in ("methods", "table") if merged else ():
            document[name] = [*merged[name], *document[name]]
        merged = document
        outputs += document["outputs"]
    document = document_from({**merged, "outputs": outputs}, paths[0].parent)
    return document.model_copy(update={"outputs": tuple(sorted(document.outputs, key=_place))})


def _place(output: Output) -> tuple[str, float, str, str, str, int]:
    return output.protocol, output.scale, output.dataset, output.image, output.method, output.seed


def _stored_text(content: Any) -> str | None:
    library = content.get("eval_library") if isinstance(content, dict) else None
    details = library.get("additional_details") if isinstance(library, dict) else None
    stored_text = details.get(_REST) if isinstance(details, dict) else None
    return stored_text if isinstance(stored_text, str) else None


def _values(content: Any, path: Path, root: Path) -> dict[str, Any]:
    """Values of samples by their place; the file is checked against the digest in the aggregate file."""
    details = content.get("detailed_evaluation_results") or {}
    file = root / str(details.get("file_path", ""))
    if not file.resolve().is_relative_to(root.resolve()):
        raise ExchangeError(f"{path}: its samples are outside of {root}")
    text = read_file(file, ExchangeError)
    if hashlib.sha256(text.encode()).hexdigest() != details.get("checksum"):
        raise ExchangeError(f"{file}: is not the file of which {path.name} has the SHA-256; export it again")
    values = {}
    for line in text.splitlines():
        record = parsed_json(line, file)
        try:
            values[record["metadata"]["place"]] = record["evaluation"]["score"], record["metadata"].get("payload")
        except (KeyError, TypeError):
            raise ExchangeError(f"{file}: a line is not in the format of 'export'; export it again") from None
    return values


def _fill(outputs: list[Any], values: dict[str, Any], path: Path) -> None:
    """Put the values of samples into the cells whose value is the word ``sample``."""
    for output in outputs:
        for cell in output.get("cells", ()):
            if cell.get("value") != "sample":
                continue
            place = _WITHIN.format(**{**output, "metric": cell["metric"]})
            if place not in values:
                raise ExchangeError(f"{path}: its samples have no value of {place}; export it again")
            cell["value"], payload = values[place]
            if payload is not None:
                cell["payload"] = parsed_json(payload, path)


def _aggregate(document: Document, name: str, outputs: Sequence[Output], evaluator: Evaluator) -> dict[str, Any]:
    method = next((method for method in document.methods if method.name == name), None)
    stamp = str(int(time.time()))
    started = max((run.started for run in document.runs), default=document.exported)
    return {
        "schema_version": SCHEMA_VERSION,
        "evaluation_id": f"asasr-bench/unknown/{_file_name(name)}/{stamp}",
        "evaluation_timestamp": started,
        "retrieved_timestamp": stamp,
        "source_metadata": {
            "source_name": document.title or "asasr-bench",
            "source_type": "evaluation_run",
            "source_organization_name": evaluator.organization,
            "evaluator_relationship": evaluator.relationship,
        },
        "eval_library": {
            "name": "asasr-bench",
            "version": document.program,
            "additional_details": {_REST: json.dumps(_without_numbers(document, name, outputs), allow_nan=False)},
        },
        "model_info": {
            "name": name,
            "id": f"unknown/{_file_name(name)}",
            "additional_details": {
                "deployment_type": "self_deployed",
                "model_availability": "unknown",
                **_method_details(method),
            },
        },
        "evaluation_results": [
            _result(document, row) for row in document.table if row.method == name and isinstance(row.value, float)
        ],
    }


def _method_details(method: Method | None) -> dict[str, str]:
    if method is None:
        return {}
    details = {key: method.card.get(key) for key in ("family", "version", "parameters", "steps", "licence")}
    details |= {"weights_sha256": method.weights, "identity_sha256": method.identity}
    for (dataset, scale), operations in operations_of(method).items():
        place = f"{dataset} x{scale} at {operations.width}x{operations.height} LQ"
        details |= {f"macs ({place})": operations.macs, f"activations ({place})": operations.activations}
    return {key: str(value) for key, value in details.items() if value not in (None, "")}


def _without_numbers(document: Document, name: str, outputs: Sequence[Output]) -> dict[str, Any]:
    """The document of one method, in which the word ``sample`` replaces every value that is in the file of samples."""
    content = document.model_dump(mode="json", exclude={"outputs", "methods", "table"})
    content["methods"] = [method.model_dump(mode="json") for method in document.methods if method.name == name]
    content["table"] = [row.model_dump(mode="json") for row in document.table if row.method == name]
    content["outputs"] = []
    for output in outputs:
        entry = output.model_dump(mode="json", exclude={"cells"})
        entry["cells"] = [
            {**cell.model_dump(mode="json", exclude={"payload", "value"}), "value": "sample"}
            if isinstance(cell.value, float)
            else cell.model_dump(mode="json")
            for cell in output.cells
        ]
        content["outputs"].append(entry)
    return content


def _result(document: Document, row: TableRow) -> dict[str, Any]:
    card = next((dict(entry.card) for entry in document.metrics if entry.id == row.metric), {})
    version = next((entry.version for entry in document.metrics if entry.id == row.metric), "")
    low, high = _bounds(str(card.get("range", "")))
    details = {"protocol": row.protocol, "direction": row.direction, "implementation": version}
    return {
        "evaluation_result_id": _result_id(row.protocol, row.dataset, row.metric),
        "evaluation_name": f"{row.dataset} ({row.protocol})",
        "source_data": _source(row.dataset),
        "metric_config": {
            "evaluation_description": f"{card.get('title', row.metric)} under the protocol {row.protocol}",
            "metric_id": row.metric,
            "metric_name": str(card.get("title", row.metric)),
            "metric_unit": str(card.get("unit", "")),
            "lower_is_better": row.direction in ("lower", "zero"),
            "score_type": "continuous",
            "min_score": low,
            "max_score": high,
            "additional_details": {key: value for key, value in details.items() if value},
        },
        "score_details": {
            "score": row.value,
            "details": {"set_images": str(row.set_images)},
            "uncertainty": _uncertainty(row),
        },
    }


def _uncertainty(row: TableRow) -> dict[str, Any]:
    uncertainty: dict[str, Any] = {"num_samples": row.n}
    if isinstance(row.ci_low, float) and isinstance(row.ci_high, float):
        uncertainty["confidence_interval"] = {
            "lower": row.ci_low,
            "upper": row.ci_high,
            "confidence_level": 0.95,
            "method": "Student's t over images with Hall's correction for skewness",
        }
    return uncertainty


def _bounds(text: str) -> tuple[Any, Any]:
    """Lowest and highest score from a card's range; None for a bound that is not stated exactly."""
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 2:
        return None, None

    def bound(part: str, unbounded: str) -> Any:
        if part == "~":
            return unbounded
        try:
            return float(part)
        except ValueError:
            return None

    return bound(parts[0], "-Infinity"), bound(parts[1], "Infinity")


def _source(dataset: str) -> dict[str, Any]:
    if dataset in card_ids():
        page = load_card(dataset).homepage
        if page:
            return {"dataset_name": dataset, "source_type": "url", "url": [page]}
    return {"dataset_name": dataset, "source_type": "other"}


def _samples(document: Document, aggregate: Mapping[str, Any], outputs: Sequence[Output]) -> Iterator[dict[str, Any]]:
    shown = _shown_names(document)
    for output in outputs:
        dataset = shown.get((output.protocol, output.dataset, output.scale), output.dataset)
        for cell in output.cells:
            if isinstance(cell.value, float):
                yield _sample(aggregate, output, cell, dataset)


def _shown_names(document: Document) -> dict[tuple[str, str, float], str]:
    """Names of datasets in tables: with the scale if a protocol was run at several scales."""
    scales = defaultdict(set)
    for output in document.outputs:
        scales[output.protocol, output.dataset].add(output.scale)
    return {
        (protocol, dataset, scale): f"{dataset} x{scale}" if len(of_dataset) > 1 else dataset
        for (protocol, dataset), of_dataset in scales.items()
        for scale in of_dataset
    }


def _sample(aggregate: Mapping[str, Any], output: Output, cell: Cell, dataset: str) -> dict[str, Any]:
    lq, references = f"sha256:{output.lq or ''}", [f"sha256:{output.reference}"] if output.reference else []
    restoration = output.restoration
    metadata = {
        "place": _WITHIN.format(**{**output.model_dump(exclude={"cells"}), "metric": cell.metric}),
        "scale": str(output.scale),
        "seed": str(output.seed),
        "protocol": output.protocol,
        "metric": cell.metric,
        "lq_rule": output.lq_rule,
        "score_key": cell.key or "",
    }
    if cell.payload is not None:
        metadata["payload"] = json.dumps(cell.payload.model_dump(mode="json"))
    record: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "evaluation_id": aggregate["evaluation_id"],
        "model_id": aggregate["model_info"]["id"],
        "evaluation_name": f"{dataset} ({output.protocol})",
        "evaluation_result_id": _result_id(output.protocol, dataset, cell.metric),
        "sample_id": output.image,
        "sample_hash": hashlib.sha256("".join([lq, *references]).encode()).hexdigest(),
        "interaction_type": "single_turn",
        "input": {"raw": lq, "reference": references},
        "output": {"raw": [f"sha256:{restoration.sr}"] if restoration else []},
        "answer_attribution": [],
        "evaluation": {"score": cell.value, "is_correct": False},
        "metadata": metadata,
    }
    if restoration is not None and restoration.seconds is not None:
        record["performance"] = {"latency_ms": 1000 * restoration.seconds}
    return record


def _result_id(protocol: str, dataset: str, metric: str) -> str:
    return f"{protocol}/{dataset}/{metric}"


def _file_name(name: str) -> str:
    return "".join(sign if sign.isalnum() or sign in "-_.+" else "-" for sign in name).strip(".") or "-"
