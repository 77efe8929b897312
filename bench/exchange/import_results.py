"""Import results: recognise the format of a file or folder, and write a store or claims."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ...datasets.strict import read_file
from .claims import Claim, keep_claims
from .document import Document, ExchangeError
from .every_eval_ever import claims_of, has_values, is_aggregate, read_every_eval_ever
from .files import document_from, parsed_json, read_parquet
from .hub import read_eval_results, read_model_card
from .to_store import write_store


@dataclass(frozen=True)
class Imported:
    """Result of an import."""

    outputs: int = 0
    """Number of outputs in the new store."""
    claims: int = 0
    """Number of means that were added to a store."""
    files: tuple[Path, ...] = ()
    """Files with the means."""


def import_results(place: Path, out: Path) -> Imported:
    """Import results in any format that ``export`` writes.

    Values of images become a new store in ``out``; means are added to the store in ``out`` as published values.

    Args:
        place: a file, or a folder with Every Eval Ever's ``data``, with ``.eval_results`` or with model cards.
        out: folder of the store.

    Raises:
        ExchangeError: the format is unknown, the file is damaged, or ``out`` has (or lacks) a store.
        StoreError: the store cannot be written.
    """
    document, claims = _read(place)
    if document is not None:
        return Imported(outputs=write_store(document, out, place))
    if not claims:
        raise ExchangeError(f"{place}: has no results")
    files = keep_claims(claims, out, place.name or str(place))
    return Imported(claims=len(claims), files=tuple(files))


def read_document(place: Path) -> Document:
    """Read results with values of images.

    Raises:
        ExchangeError: the format is unknown, the file is damaged, or it has means alone.
    """
    document, _ = _read(place)
    if document is None:
        raise ExchangeError(f"{place}: has means alone; give a store, or a file of 'export --format json'")
    return document


def _read(place: Path) -> tuple[Document | None, list[Claim]]:
    if place.is_dir():
        return _read_folder(place)
    readers: dict[str, Callable[[Path], tuple[Document | None, list[Claim]]]] = {
        ".parquet": lambda path: (read_parquet(path), []),
        ".json": _read_json,
        ".yaml": lambda path: (None, read_eval_results(path)),
        ".yml": lambda path: (None, read_eval_results(path)),
        ".md": lambda path: (None, read_model_card(path)),
    }
    reader = readers.get(place.suffix.lower())
    if reader is None:
        raise ExchangeError(f"{place}: results are read from .json, .parquet, .yaml, .md files, or a folder of them")
    return reader(place)


def _read_json(path: Path) -> tuple[Document | None, list[Claim]]:
    content = parsed_json(read_file(path, ExchangeError), path)
    if not is_aggregate(content):
        return document_from(content, path), []
    if has_values(content):
        root = next((parent.parent for parent in path.resolve().parents if parent.name == "data"), path.parent)
        return read_every_eval_ever([path], root), []
    return None, claims_of(content, path)


def _read_folder(folder: Path) -> tuple[Document | None, list[Claim]]:
    aggregates = [path for path in sorted(folder.glob("data/**/*.json")) if is_aggregate(_json(path))]
    with_values = [path for path in aggregates if has_values(_json(path))]
    if with_values:
        return read_every_eval_ever(with_values, folder), []
    claims = [claim for path in aggregates for claim in claims_of(_json(path), path)]
    for path in sorted(folder.rglob("*.yaml")):
        if path.parent.name == ".eval_results":
            claims += read_eval_results(path)
    for path in sorted(folder.glob("*.md")) if not claims else ():
        claims += read_model_card(path)
    if not claims:
        raise ExchangeError(f"{folder}: has no data/**/*.json, no .eval_results/*.yaml and no model cards")
    return None, claims


def _json(path: Path) -> object:
    try:
        return json.loads(read_file(path, ExchangeError))
    except (ValueError, RecursionError):
        return None
