"""Options that select, order and rename results of a store, the same for every command that shows a store."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import complete
from .assignments import AssignmentError

if TYPE_CHECKING:
    from ...store.selection import Selection


class Order(StrEnum):
    """Order of rows, columns and tables."""

    TABLES = "tables"
    AS_GIVEN = "as-given"


def _shown(noun: str) -> Any:
    return typer.Option(
        f"--{noun}",
        help=f"{noun.capitalize()} to show. Repeatable; default: all.",
        autocompletion=complete.stored(noun),
    )


MethodOption = Annotated[list[str] | None, _shown("method")]
MetricOption = Annotated[list[str] | None, _shown("metric")]
DatasetOption = Annotated[list[str] | None, _shown("dataset")]
OrderOption = Annotated[
    Order,
    typer.Option(
        "--order",
        help="'as-given': as these options name methods, metrics and datasets, then as the specs do;"
        " 'tables': methods as the specs do, metrics as 'list metrics' does, datasets by name.",
    ),
]
NameOption = Annotated[
    list[str] | None, typer.Option("--name", metavar="METHOD=NAME", help="What to call a method. Repeatable.")
]
FormatOption = Annotated[
    str, typer.Option("--format", help="Of md, csv, tex, html, wide-tex, wide-csv, json; separated by commas.")
]
TemplateOption = Annotated[
    Path | None, typer.Option(help="Your *.md.j2 or *.tex.j2 of tables, or a folder of them; see docs/reports.md.")
]


def selection(
    methods: Sequence[str] | None,
    metrics: Sequence[str] | None,
    datasets: Sequence[str] | None,
    order: Order,
    names: Iterable[str] | None,
) -> Selection:
    """The part of a store that the options select.

    Args:
        methods: names of methods; None: all.
        metrics: ids of metrics; None: all.
        datasets: names of datasets; None: all.
        order: order of rows, columns and tables.
        names: texts METHOD=NAME.

    Raises:
        AssignmentError: a text in ``names`` is not METHOD=NAME.
    """
    from ...store.selection import Selection

    called = {}
    for text in names or ():
        method, equals, name = text.rpartition("=")
        if not equals or not method or not name:
            raise AssignmentError(f"--name {text}: write METHOD=NAME, such as --name mine=Ours")
        called[method] = name
    return Selection(tuple(methods or ()), tuple(metrics or ()), tuple(datasets or ()), order == Order.AS_GIVEN, called)
