"""Completion of names in the shell; no function may fail, since the shell would show the error."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import typer


def methods(incomplete: str) -> list[str]:
    """Ids of methods."""
    from ...api.catalogue import list_methods

    return _fitting(incomplete, list_methods)


def metrics(incomplete: str) -> list[str]:
    """Ids of metrics."""
    from ...api.catalogue import list_metrics

    return _fitting(incomplete, list_metrics)


def datasets(incomplete: str) -> list[str]:
    """Ids of dataset cards."""
    from ....datasets.card import card_ids

    return _fitting(incomplete, card_ids)


def specs(incomplete: str) -> list[str]:
    """Shipped specs; the shell completes files itself."""
    from ...spec import shipped_specs

    return _fitting(incomplete, shipped_specs)


def protocols(incomplete: str) -> list[str]:
    """Names of protocols."""
    from ...protocols import installed_protocols, protocol_names

    return _fitting(incomplete, lambda: [*protocol_names(), *installed_protocols()])


def everything(incomplete: str) -> list[str]:
    """All names that ``show`` knows."""
    from .named import all_names

    return _fitting(incomplete, all_names)


def stored(column: str) -> Callable[[typer.Context, str], list[str]]:
    """Completion by names in the store of the command, from the column ``method``, ``metric`` or ``dataset``."""

    def offer(context: typer.Context, incomplete: str) -> list[str]:
        roots = context.params.get("store") or context.params.get("stores") or context.args  # where an option is open
        return _fitting(incomplete, lambda: _in_stores([roots] if isinstance(roots, Path) else roots, column))

    return offer


def _in_stores(roots: Iterable[str | Path], column: str) -> Iterable[str]:
    from ...store.store import open_store

    table = "current_cells" if column == "metric" else "current_outputs"
    for root in roots:
        with open_store(root) as opened:
            yield from (str(name) for (name,) in opened.query(f"SELECT DISTINCT {column} FROM {table} ORDER BY 1"))


def _fitting(incomplete: str, names: Callable[[], Iterable[str]]) -> list[str]:
    with suppress(Exception):  # a broken plug-in or store must not spoil the prompt
        return [name for name in names() if name.startswith(incomplete)]
    return []
