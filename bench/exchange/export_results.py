"""Export the results of a store in a format that other programs read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ...datasets.errors import UsageError
from ..analysis.leaderboard import load_board
from ..store.selection import EVERYTHING, Selection
from ..store.store import open_store
from .document import Document
from .every_eval_ever import Evaluator, write_every_eval_ever
from .files import write_json, write_parquet
from .from_store import document_of
from .hub import write_hub, write_model_cards

FORMATS = ("json", "parquet", "eee", "hf", "model-card")


class ExportError(UsageError, ValueError):
    """Options of an export that do not fit together; the message says why and what to do."""


@dataclass(frozen=True)
class ExportOptions:
    """What an export needs in addition to the store."""

    evaluator: Evaluator = field(default_factory=Evaluator)
    hub: Mapping[str, str] = field(default_factory=dict)
    """Id on the Hub of each dataset, by the store's name."""
    selection: Selection = EVERYTHING
    """Part of the store that is written, and the names of methods."""


def export_results(root: Path, format: str, out: Path, options: ExportOptions | None = None) -> list[Path]:
    """Write the results of a store; nothing is sent.

    Args:
        root: folder of the store.
        format: one of ``FORMATS``.
        out: file to write for json and parquet, else a folder.
        options: evaluator, ids on the Hub and selection.

    Returns:
        The files that were written.

    Raises:
        ExportError: the format is unknown.
        ExchangeError: the store is empty, or an option does not fit it.
        StoreError: the folder is not a store.
    """
    if format not in FORMATS:
        raise ExportError(f"unknown export format '{format}' (known: {', '.join(FORMATS)})")
    options = options or ExportOptions()
    with open_store(root, selection=options.selection) as store:
        document = document_of(store, load_board(store, title=root.resolve().name))
    return _write(document, format, out, options)


def _write(document: Document, format: str, out: Path, options: ExportOptions) -> list[Path]:
    if format == "json":
        write_json(document, out)
        return [out]
    if format == "parquet":
        write_parquet(document, out)
        return [out]
    if format == "eee":
        return write_every_eval_ever(document, out, options.evaluator)
    if format == "hf":
        return write_hub(document, out, options.hub)
    return write_model_cards(document, out)
