"""Write and read means in formats of the Hugging Face Hub: results of models, tasks of datasets, and model cards.

Formats: huggingface.co/docs/hub/eval-results (``.eval_results/*.yaml`` and ``eval.yaml``) and
huggingface.co/docs/hub/model-cards (``model-index``). The files are for users to upload; nothing is sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from ...datasets.images import write_atomically
from ...datasets.scales import ScaleError, parse_scale
from ...datasets.strict import read_file, read_yaml
from ...reports.escaping import markdown, markdown_code
from .claims import Claim
from .document import Document, ExchangeError, TableRow, operations_of

FRAMEWORK = "asasr-bench"
_RESULTS = ".eval_results"
_NOTE = re.compile(r"(\w+)=([^;]*)(?:; |$)")


def write_hub(document: Document, out: Path, datasets: Mapping[str, str]) -> list[Path]:
    """Write ``models/METHOD/.eval_results/DATASET.yaml`` and ``datasets/DATASET/eval.yaml``.

    Args:
        document: the results.
        out: folder for both.
        datasets: store's name of a dataset to its id on the Hub (``ORGANISATION/NAME``); others keep their name.

    Raises:
        ExchangeError: an id is for a dataset that the document does not have.
    """
    names = {row.dataset for row in document.table}
    unknown = sorted(set(datasets) - names)
    if unknown:
        raise ExchangeError(f"--hub {unknown[0]}: the store has no such dataset ({', '.join(sorted(names))})")
    paths = []
    for (method, dataset), rows in _grouped(document.table).items():
        entries = [_entry(document, row, datasets.get(dataset, dataset)) for row in rows]
        if entries:
            paths.append(
                _write(out / "models" / _file_name(method) / _RESULTS / f"{_file_name(dataset)}.yaml", entries)
            )
    for dataset in sorted(names):
        tasks = dict.fromkeys(_task(row) for row in document.table if row.dataset == dataset)
        content = {
            "name": dataset,
            "description": f"Image super-resolution on {dataset}. A task is a metric under a protocol of asasr-bench.",
            "evaluation_framework": FRAMEWORK,
            "tasks": [{"id": task, "config": "default", "split": "test"} for task in tasks],
        }
        paths.append(_write(out / "datasets" / _file_name(dataset) / "eval.yaml", content))
    return paths


def write_model_cards(document: Document, out: Path) -> list[Path]:
    """Write ``METHOD.md`` for every method: ``model-index`` as metadata, and a section of results."""
    from huggingface_hub import EvalResult, ModelCardData

    paths = []
    for method in sorted({row.method for row in document.table}):
        rows = [row for row in document.table if row.method == method and isinstance(row.value, float)]
        if not rows:
            continue
        results = [
            EvalResult(
                task_type="image-to-image",
                task_name="Image super-resolution",
                dataset_type=row.dataset,
                dataset_name=row.dataset,
                dataset_config=row.protocol,
                dataset_args=_conditions(document, row),
                metric_type=row.metric,
                metric_name=_title(document, row.metric),
                metric_value=row.value,
            )
            for row in rows
        ]
        head = ModelCardData(model_name=method, eval_results=results, ignore_metadata_errors=False).to_yaml()
        path = out / f"{_file_name(method)}.md"
        write_atomically(path, f"---\n{head}\n---\n\n{_section(document, rows)}".encode())
        paths.append(path)
    return paths


def read_eval_results(path: Path) -> list[Claim]:
    """Values in a file ``.eval_results/*.yaml``; the name of the folder is the name of the model.

    Raises:
        ExchangeError: the file has another format, or does not state metric and protocol.
    """
    content = read_yaml(read_file(path, ExchangeError), path, ExchangeError)
    if not isinstance(content, list):
        raise ExchangeError(f"{path}: a file of evaluation results is a list of 'dataset' and 'value'")
    return [_claim(entry, path) for entry in content]


def read_model_card(path: Path) -> list[Claim]:
    """Values in the ``model-index`` of a model card.

    Raises:
        ExchangeError: the card has no values, or a value that is not a number.
    """
    from huggingface_hub import ModelCard

    try:
        data = ModelCard(read_file(path, ExchangeError)).data
    except (ValueError, TypeError, KeyError, AttributeError, yaml.YAMLError) as error:
        raise ExchangeError(f"{path}: cannot be read as a model card ({error})") from None
    results = getattr(data, "eval_results", None) or []  # a card without metadata has no such attribute
    if not results:
        raise ExchangeError(f"{path}: this model card has no results ('model-index')")
    claims = []
    for result in results:
        conditions = {**(result.dataset_args or {}), **(result.metric_args or {})}
        if not isinstance(result.metric_value, int | float):
            raise ExchangeError(f"{path}: the value of {result.metric_type} is no number ({result.metric_value!r:.40})")
        claims.append(
            Claim(
                method=str(data.get("model_name") or path.stem),
                dataset=result.dataset_name,
                metric=result.metric_type,
                value=float(result.metric_value),
                protocol=str(result.dataset_config or ""),
                scale=_scale(conditions.get("scale")),
                lq=str(conditions.get("lq", "")),
                images=_int(conditions.get("images")),
            )
        )
    return claims


def _grouped(table: Sequence[TableRow]) -> dict[tuple[str, str], list[TableRow]]:
    groups: dict[tuple[str, str], list[TableRow]] = {}
    for row in table:
        if isinstance(row.value, float):
            groups.setdefault((row.method, row.dataset), []).append(row)
    return groups


def _task(row: TableRow) -> str:
    return f"{row.protocol}.{row.metric}"


def _entry(document: Document, row: TableRow, id: str) -> dict[str, Any]:
    notes = {
        "dataset": row.dataset,
        "method": row.method,
        "metric": row.metric,
        "protocol": row.protocol,
        **_conditions(document, row),
        "images": row.n,
    }
    if isinstance(row.ci_low, float) and isinstance(row.ci_high, float):
        notes["interval95"] = f"{row.ci_low!r} to {row.ci_high!r}"
    method = next((method for method in document.methods if method.name == row.method), None)
    operations = {} if method is None else operations_of(method)
    counted = operations.get((row.dataset.removesuffix(f" x{notes['scale']}"), f"{float(notes['scale']):g}"))
    if counted is not None:
        notes |= {
            "macs": counted.macs,
            "activations": counted.activations,
            "counted_at": f"{counted.width}x{counted.height} LQ",
        }
    date = max((run.finished or run.started for run in document.runs), default=document.exported)
    return {
        "dataset": {"id": id, "task_id": _task(row)},
        "value": row.value,
        "date": date,
        "evaluation_framework": FRAMEWORK,
        "notes": "; ".join(f"{key}={value}" for key, value in notes.items()),
    }


def _conditions(document: Document, row: TableRow) -> dict[str, Any]:
    """Scale, LQ rule and program version of a value, without which it cannot be compared with other values.

    They are the same for all metrics of a set; the index of a model card has them with the first metric alone.
    """
    outputs = [
        output
        for output in document.outputs
        if output.protocol == row.protocol and row.dataset in (output.dataset, f"{output.dataset} x{output.scale}")
    ]
    rules = dict.fromkeys(output.lq_rule for output in outputs)
    scales = dict.fromkeys(output.scale for output in outputs)
    return {
        "scale": next(iter(scales)) if len(scales) == 1 else 0,
        "lq": ", ".join(rules),
        "asasr_bench": document.program,
    }


def _claim(entry: Any, path: Path) -> Claim:
    dataset = entry.get("dataset") if isinstance(entry, dict) else None
    value = entry.get("value") if isinstance(entry, dict) else None
    if not isinstance(dataset, dict) or isinstance(value, bool) or not isinstance(value, int | float):
        raise ExchangeError(f"{path}: an entry has no 'dataset', or no number as 'value'")
    notes = dict(_NOTE.findall(str(entry.get("notes", ""))))
    task = str(dataset.get("task_id", ""))
    protocol, _, metric = task.partition(".")
    if not (notes.get("metric") or metric):
        raise ExchangeError(f"{path}: task '{task:.60}' states no metric and protocol; write task_id: PROTOCOL.METRIC")
    folder = path.parent.parent if path.parent.name == _RESULTS else path.parent
    return Claim(
        method=notes.get("method", folder.resolve().name),
        dataset=notes.get("dataset", str(dataset.get("id", ""))),
        metric=notes.get("metric", metric),
        value=float(value),
        protocol=notes.get("protocol", protocol),
        scale=_scale(notes.get("scale")),
        lq=notes.get("lq", ""),
        images=_int(notes.get("images")),
    )


def _scale(value: object) -> float | None:
    try:
        return parse_scale(str(value))
    except ScaleError:
        return None


def _int(value: object) -> int | None:
    try:
        return int(str(value)) or None
    except ValueError:
        return None


def _title(document: Document, metric: str) -> str:
    return next((str(entry.card.get("title", metric)) for entry in document.metrics if entry.id == metric), metric)


def _section(document: Document, rows: Sequence[TableRow]) -> str:
    """The section of a model card with a table of results."""
    digits = {entry.id: int(entry.card.get("digits", 4)) for entry in document.metrics}
    lines = [
        "## Evaluation results",
        "",
        f"Measured with asasr-bench {document.program}. The interval is that of the mean over images (95 %).",
        "",
        "| dataset | protocol | metric | value | 95 % interval | images |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        places = digits.get(row.metric, 4)
        value, low, high = (
            f"{number:.{places}f}" if isinstance(number, float) else ""
            for number in (row.value, row.ci_low, row.ci_high)
        )
        interval = f"{low} to {high}" if low and high else ""
        name = markdown(_title(document, row.metric))
        lines.append(
            f"| {markdown(row.dataset)} | {markdown_code(row.protocol)} | {name} | {value} | {interval} | {row.n} |"
        )
    return "\n".join(_with_conditions(document, rows, lines)) + "\n"


def _with_conditions(document: Document, rows: Sequence[TableRow], lines: list[str]) -> Iterator[str]:
    yield from lines
    yield ""
    for place in dict.fromkeys((row.dataset, row.protocol) for row in rows):
        row = next(row for row in rows if (row.dataset, row.protocol) == place)
        conditions = _conditions(document, row)
        yield f"- {markdown(row.dataset)}: x{conditions['scale']}, LQ: {markdown(conditions['lq'])}"


def _write(path: Path, content: object) -> Path:
    write_atomically(path, yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=1000).encode())
    return path


def _file_name(name: str) -> str:
    return "".join(sign if sign.isalnum() or sign in "-_.+" else "-" for sign in name).strip(".") or "-"
