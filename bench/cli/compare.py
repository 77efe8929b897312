"""``compare`` and ``stability``: two methods of a store image by image, and seeded methods over their seeds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from math import inf, isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from .terminal import JsonOption, plain_console, say_json, say_left_out_of

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
    power: Annotated[
        bool, typer.Option("--power", help="Tell the smallest difference that so many images can show.")
    ] = False,
    equivalent: Annotated[
        list[str] | None,
        typer.Option(metavar="METRIC=MARGIN", help="Test whether they differ by less than a margin. Repeatable."),
    ] = None,
    cluster: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DATASET=RULE",
            help="Images that belong together (crops, frames): expression or CSV file; docs/metrics.md. Repeatable.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare two methods image by image.

    Paired difference with interval, permutation p-value (Holm-corrected over the table), effect size and wins.
    """
    say_left_out_of(store)
    if at_equal is not None:
        _compare_curves(first, second, store, metric, dataset, at_equal, as_json=as_json)
        return
    from ...reports.terminal import escape
    from ..analysis.compare import compare_methods

    rows = compare_methods(
        store, first, second, metrics=metric, datasets=dataset, margins=_margins(equivalent), clusters=_rules(cluster)
    )
    if as_json:
        say_json({"first": first, "second": second, "comparisons": rows})
        return
    for place, part in _by_place(rows):
        images, units = part[0].result.n, part[0].units
        size = f"{images} images" if units >= images else f"{images} images in {units} clusters"
        table = _table(f"{first} minus {second}: {place}, {size}", ("metric", *_RESULT, "d", "wins", "better"))
        for row in part:
            result = row.result
            table.add_row(
                row.metric,
                *_result(result, row.digits, row.p),
                f"{result.effect:+.2f}",
                f"{100 * row.wins:.0f} %",
                escape(row.better),
            )
        _print(table)
        if power:
            _print_power(part, "images" if units >= images else "clusters")
        if equivalent:
            _print_equivalence(part)


def _margins(texts: list[str] | None) -> dict[str, float]:
    from .options.assignments import AssignmentError, assignments

    margins = assignments(texts, "--equivalent")
    for id, margin in margins.items():
        if not isinstance(margin, int | float) or isinstance(margin, bool) or not 0 < margin < inf:
            raise AssignmentError(f"--equivalent {id}: a margin is a number above 0, not '{margin}'")
    return margins


def _rules(texts: list[str] | None) -> dict[str, str | dict[str, str]]:
    if not texts:
        return {}
    from ..spec import cluster_rule
    from .options.assignments import AssignmentError

    rules: dict[str, str | dict[str, str]] = {}
    for text in texts:
        dataset, equals, rule = text.partition("=")
        if not equals:
            raise AssignmentError(f"--cluster {text}: write DATASET=RULE")
        try:
            rules[dataset] = cluster_rule(rule, dataset)
        except ValueError as error:
            raise AssignmentError(f"--cluster {text}: {error}") from None
    return rules


def _print_power(rows: Sequence[Comparison], units: str) -> None:
    table = _table(
        "What this set can show (two-sided 5 %, power 80 %, one test)",
        ("metric", "difference", "smallest difference", f"{units} needed"),
    )
    for row in rows:
        needed = "no number" if row.needed == inf else f"{row.needed:.0f}"
        table.add_row(row.metric, f"{row.result.difference:+z.{row.digits}f}", f"{row.smallest:.{row.digits}f}", needed)
    _print(table)


def _print_equivalence(rows: Sequence[Comparison]) -> None:
    from ...reports.grid import between

    table = _table(
        "Two one-sided tests at 5 %, one by one", ("metric", "margin", "90 % interval", "p", "within the margin")
    )
    for row in rows:
        result = row.equivalence
        if result is not None:
            answer = "yes" if result.equivalent else "not shown"
            interval = between(result.low, result.high, row.digits, "+")
            table.add_row(row.metric, f"{result.margin:g}", interval, f"{result.p:.4f}", answer)
    _print(table)


def _compare_curves(
    first: str,
    second: str,
    store: Path,
    metric: list[str] | None,
    dataset: list[str] | None,
    at_equal: str,
    *,
    as_json: bool,
) -> None:
    from ...reports.terminal import escape
    from ..analysis.curves import compare_curves

    rows = compare_curves(store, first, second, distortion=at_equal, metrics=metric, datasets=dataset)
    if as_json:
        say_json({"first": first, "second": second, "at_equal": at_equal, "comparisons": rows})
        return
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
            table.add_column(name, justify="left" if name in ("metric", "point", "method") else "right", no_wrap=True)
    return table


def _print(table: Table) -> None:

    console = plain_console()
    console.print(table)
    console.print()


def stability(
    store: Annotated[Path, typer.Argument(help="Folder of results of a run with several seeds.")],
    metric: Annotated[list[str] | None, typer.Option(help="Metric id. Repeatable; default: all.")] = None,
    best_of: Annotated[
        bool, typer.Option("--best-of", help="Tell the expected best, mean and worst of M samples instead.")
    ] = False,
    ranks: Annotated[
        bool, typer.Option("--ranks", help="Tell how often ranks survive other images; needs no seeds.")
    ] = False,
) -> None:
    """Tell how much metrics and pixels vary over seeds.

    Deviation of every metric (G-STD) and of every pixel in levels of 255 (L-STD), mean over images.
    """
    from ...reports.grid import between

    if best_of or ranks:
        if best_of:
            _print_best_of(store, metric)
        if ranks:
            _print_ranks(store, metric)
        say_left_out_of(store)
        return
    from ..analysis.seeds import stability as measure
    from .terminal import print_table

    rows = []
    for row in measure(store, metrics=metric):
        interval = between(row.low, row.high, row.digits)
        rows.append(
            (
                row.dataset,
                row.method,
                row.title,
                f"{row.value:.{row.digits}f}",
                interval,
                str(row.seeds),
                str(row.images),
            )
        )
    print_table(("dataset", "method", "what", "mean", "95 % interval", "seeds", "images"), rows)
    say_left_out_of(store)


def _print_best_of(store: Path, metric: list[str] | None) -> None:
    from ...reports.grid import between
    from ..analysis.best_of_seeds import best_of_seeds
    from .terminal import print_table

    rows = []
    for row in best_of_seeds(store, metrics=metric):
        values = [f"{value:.{row.digits}f}" for value in (row.best, row.mean, row.worst)]
        place = row.dataset, row.method, row.title, str(row.samples)
        bounds = between(*row.best_interval, row.digits)
        rows.append((*place, values[0], bounds, *values[1:], str(row.seeds), str(row.images)))
    headings = ("dataset", "method", "metric", "M", "Best@M", "95 % interval", "Mean@M", "Worst@M", "seeds", "images")
    print_table(headings, rows)


def _print_ranks(store: Path, metric: list[str] | None) -> None:
    from ...reports.grid import between
    from ...reports.terminal import escape
    from ..analysis.rank_stability import rank_stability

    for stability_row in rank_stability(store, metrics=metric):
        place = f"{stability_row.dataset or 'all datasets'}, {stability_row.protocol}"
        table = _table(
            f"{place}: the order stays in {100 * stability_row.same_order:.0f} % of resampled sets, Kendall's tau"
            f" {stability_row.kendall:.2f}",
            ("method", "average rank", "95 % interval", "best in", "ahead of the next in"),
        )
        for name, rank, low, high, first, ahead in zip(
            stability_row.methods,
            stability_row.rank,
            stability_row.low,
            stability_row.high,
            stability_row.first,
            stability_row.ahead,
            strict=True,
        ):
            stays = "" if isnan(ahead) else f"{100 * ahead:.0f} %"
            table.add_row(escape(name), f"{rank:.2f}", between(low, high, 2), f"{100 * first:.0f} %", stays)
        _print(table)
