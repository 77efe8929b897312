"""``compare``: two methods of a store, image by image."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(compare)


def compare(
    first: Annotated[str, typer.Argument(help="A method of the store.")],
    second: Annotated[str, typer.Argument(help="Another method of it.")],
    store: Annotated[Path, typer.Option(help="Folder of results.")],
    metric: Annotated[list[str] | None, typer.Option(help="Metric id. Repeatable; default: all.")] = None,
    dataset: Annotated[list[str] | None, typer.Option(help="Dataset. Repeatable; default: all.")] = None,
) -> None:
    """Paired difference with interval, permutation p-value (Holm-corrected over the table), effect size and wins."""
    from rich.console import Console
    from rich.table import Table

    from ..comparison import compare_methods

    rows = compare_methods(store, first, second, metrics=metric, datasets=dataset)
    table = Table(title=f"{first} minus {second}", title_justify="left")
    for name in ("dataset", "metric", "n", "difference", "95 % interval", "p (Holm)", "effect d", "wins", "better"):
        table.add_column(name, justify="left" if name in ("dataset", "metric", "better") else "right")
    for row in rows:
        one, digits = row.result, row.digits + 1
        table.add_row(
            row.dataset, row.metric, str(one.n), f"{one.difference:+.{digits}f}",
            f"{one.low:+.{digits}f} … {one.high:+.{digits}f}", f"{row.p:.4f}", f"{one.effect:+.2f}",
            f"{100 * one.wins:.0f} %", row.better,
        )  # fmt: skip
    Console().print(table)
