"""What the shell offers where a name is to be typed; nothing here may fail, or the shell would show it."""

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
    """Shipped specs; files are for the shell to find."""
    from ...spec import shipped_specs

    return _fitting(incomplete, shipped_specs)


def protocols(incomplete: str) -> list[str]:
    """Names of protocols."""
    from ...protocols import installed_protocols, protocol_names

    return _fitting(incomplete, lambda: [*protocol_names(), *installed_protocols()])


def everything(incomplete: str) -> list[str]:
    """All that ``show`` knows."""
    from .named import all_names

    return _fitting(incomplete, all_names)


def stored(what: str) -> Callable[[typer.Context, str], list[str]]:
    """Names in the store of the command: its ``method``, ``metric`` or ``dataset``."""

    def offer(context: typer.Context, incomplete: str) -> list[str]:
        given = context.params.get("store") or context.params.get("stores") or context.args  # where an option is open
        return _fitting(incomplete, lambda: _in_stores([given] if isinstance(given, Path) else given, what))

    return offer


def _in_stores(roots: Iterable[str | Path], what: str) -> Iterable[str]:
    from ...store.store import open_store

    table = "current_cells" if what == "metric" else "current_outputs"
    for root in roots:
        with open_store(root) as opened:
            yield from (str(name) for (name,) in opened.query(f"SELECT DISTINCT {what} FROM {table} ORDER BY 1"))


def _fitting(incomplete: str, names: Callable[[], Iterable[str]]) -> list[str]:
    with suppress(Exception):  # a broken plug-in or store must not spoil the prompt
        return [name for name in names() if name.startswith(incomplete)]
    return []
