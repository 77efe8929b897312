"""``run --dry-run``: print what a run would do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..terminal import plain_console, say

if TYPE_CHECKING:
    from ...execute.forecast import Forecast
    from ...plan.missing import Scope
    from ...spec import Spec


def tell_forecast(spec: Spec, root: Path, scope: Scope) -> None:
    """Print cells by dataset and method, what is unavailable and why, disk and time."""
    from rich.table import Table

    from ....reports.terminal import escape
    from ...execute.forecast import forecast

    prediction = forecast(spec, root, scope=scope)
    table = Table(box=None, pad_edge=False)
    for column in ("dataset", "method", "images", "to restore", "cells to measure", "kept"):
        table.add_column(column, justify="left" if column in ("dataset", "method") else "right", overflow="fold")
    for row in prediction.rows:
        numbers = (row.images, row.restore, row.measure, row.kept)
        table.add_row(escape(row.dataset), escape(row.method), *map(str, numbers))
    plain_console().print(table)
    for reason, count in prediction.unavailable.items():
        say(f"unavailable ({count} cells): {reason}")
    say(_sums(spec, prediction))
    say(f"nothing was done; without --dry-run it goes into {root}")


def _sums(spec: Spec, prediction: Forecast) -> str:
    from ....reports.progress import duration

    cells, restore = (sum(getattr(row, name) for row in prediction.rows) for name in ("measure", "restore"))
    disk = (
        f"about {prediction.bytes / 2**20:.0f} MiB of disk" if prediction.bytes >= 2**20 else "less than 1 MiB of disk"
    )
    parts = [f"{restore} images to restore, {cells} cells to measure, {disk}"]
    workers = spec.workers or 1
    if restore and prediction.seconds is not None:
        parts.append(f"about {duration(prediction.seconds / workers)} to restore, as this store timed its images")
    elif restore:
        timed = sorted({row.method for row in prediction.rows if row.restore and row.seconds is None})
        parts.append(f"time not known: the store has timed no image of {', '.join(timed)}; try --limit 1")
    return "; ".join(parts)
