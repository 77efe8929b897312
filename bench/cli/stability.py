"""``stability``: how much seeded methods vary over their seeds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(stability)


def stability(
    store: Annotated[Path, typer.Argument(help="Folder of results of a run with several seeds.")],
    metric: Annotated[list[str] | None, typer.Option(help="Metric id. Repeatable; default: all.")] = None,
) -> None:
    """Tell how much metrics and pixels vary over seeds.

    Deviation of every metric (G-STD) and of every pixel in levels of 255 (L-STD), mean over images.
    """
    from ..metrics.metric import all_metrics
    from ..stability import stability as measure
    from .catalogue import print_table

    metrics = all_metrics()
    rows = []
    for row in measure(store, metrics=metric):
        digits = metrics[row.metric].digits + 1 if row.metric in metrics else 3
        interval = f"{row.low:.{digits}f} … {row.high:.{digits}f}"
        kind = f"G-STD {metrics[row.metric].title}" if row.metric in metrics else row.metric
        rows.append((row.dataset, row.method, kind, f"{row.value:.{digits}f}", interval, str(row.seeds),
                     str(row.images)))  # fmt: skip
    print_table(("dataset", "method", "what", "mean", "95 % interval", "seeds", "images"), rows)
