"""``compare`` and ``stability``: two methods of a store image by image, and seeded methods over their seeds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from .terminal import plain_console, say_left_out_of

if TYPE_CHECKING:
    from rich.table import Table

    from ..analysis.compare import Comparison
    from ..analysis.curves import CurveComparison
    from ..analysis.statistics import Paired

Row = TypeVar("Row", "Comparison", "CurveComparison")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(compare)
    app.command()(stability)


def compare(
    first: Annotated[str, typer.Argument(help="A method of the store.")],
    second: Annotated[str, typer.Argument(help="Another method of it.")],
    store: Annotated[Path, typer.Option(help="Folder of results.")],
    metric: Annotated[list[str] | None, typer.Option(help="Metric id. Repeatable; default: all.")] = None,
    dataset: Annotated[list[str] | None, typer.Option(help="Dataset. Repeatable; default: all.")] = None,
    at_equal: Annotated[
        str | None,
        typer.Option(
            metavar="METRIC",
            help="Compare two curves, NAME for the methods NAME-2, NAME-8, ..., where this metric's means are equal.",
        ),
    ] = None,
) -> None:
    """Compare two methods image by image.

    Paired difference with interval, permutation p-value (Holm-corrected over the table), effect size and wins.
    """
    say_left_out_of(store)
    if at_equal is not None:
        _compare_curves(first, second, store, metric, dataset, at_equal)
        return
    from ...reports.terminal import escape
    from ..analysis.compare import compare_methods

    rows = compare_methods(store, first, second, metrics=metric, datasets=dataset)
    for place, part in _by_place(rows):
        table = _table(
            f"{first} minus {second}: {place}, {part[0].result.n} images", ("metric", *_RESULT, "d", "wins", "better")
        )
        for row in part:
            one = row.result
            table.add_row(
                row.metric, *_result(one, row.digits, row.p), f"{one.effect:+.2f}",
                f"{100 * row.wins:.0f} %", escape(row.better),
            )  # fmt: skip
        _print(table)


def _compare_curves(
    first: str, second: str, store: Path, metric: list[str] | None, dataset: list[str] | None, at_equal: str
) -> None:
    from ...reports.terminal import escape
    from ..analysis.curves import compare_curves

    rows = compare_curves(store, first, second, distortion=at_equal, metrics=metric, datasets=dataset)
    for place, part in _by_place(rows):
        title = f"{first} minus {second} at equal {at_equal}: {place}"
        table = _table(title, ("metric", "point", at_equal, *_RESULT, "better"))
        for row in part:
            start = (row.metric, escape(row.point), f"{row.distortion:.3f}")
            if row.result is None:
                table.add_row(*start, "-", "out of reach", "-", "-")
            else:
                table.add_row(*start, *_result(row.result, row.digits, row.p), escape(row.better))
        _print(table)


_RESULT = ("difference", "95 % interval", "p (Holm)")


def _result(result: Paired, digits: int, p: float) -> tuple[str, str, str]:
    from ...reports.grid import between

    return f"{result.difference:+z.{digits}f}", between(result.low, result.high, digits, "+"), f"{p:.4f}"


def _by_place(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    """Rows of one dataset and protocol, with a title."""
    for place, part in groupby(rows, lambda row: f"{row.dataset}, {row.protocol}"):
        yield place, list(part)


def _table(title: str, columns: Sequence[str]) -> Table:
    from rich.table import Table

    from ...reports.terminal import escape

    table = Table(title=escape(title), title_justify="left", box=None, pad_edge=False)
    for name in columns:
        if name == "better":  # a method's name may be long; numbers are never cut for it
            table.add_column(name, overflow="fold", min_width=12)
        else:
            table.add_column(name, justify="left" if name in ("metric", "point") else "right", no_wrap=True)
    return table


def _print(table: Table) -> None:

    console = plain_console()
    console.print(table)
    console.print()


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
