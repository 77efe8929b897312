"""The rows of a store as comparisons of two stores need them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from asasr_bench.bench.store.store import Store


def ledger_rows(store: Store) -> Iterator[tuple[Any, ...]]:
    """Every cell with what determined it: not who restored and measured it, nor when."""
    for output in store.ledger():
        facts = (output.lq, output.reference, output.restoration, output.sr, output.status, output.message)
        for cell in output.cells:
            yield *output.place, *facts, cell.metric, cell.key, cell.value, cell.status, cell.message
