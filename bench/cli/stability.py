"""``stability``: how much seeded methods vary over their seeds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .terminal import say_left_out_of


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
    from ...reports.grid import between
    from ..analysis.seeds import stability as measure
    from .catalogue import print_table

    rows = []
    for row in measure(store, metrics=metric):
        interval = between(row.low, row.high, row.digits)
        rows.append((row.dataset, row.method, row.title, f"{row.value:.{row.digits}f}", interval, str(row.seeds),
                     str(row.images)))  # fmt: skip
    print_table(("dataset", "method", "what", "mean", "95 % interval", "seeds", "images"), rows)
    say_left_out_of(store)
