"""Printing of commands; names and messages from stores, baselines and programs of others are escaped first."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import isfinite
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...reports.escaping import plain

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from ..store.records import LeftOut
    from ..store.selection import Selection


JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON in place of tables.")]


def say(text: object, *, err: bool = False) -> None:
    """Print one line; characters that cannot be printed are spelled out."""
    typer.echo(plain(text), err=err)


def say_left_out(left_out: Iterable[LeftOut]) -> None:
    """Print which results no table shows because they are out of date."""
    for results in left_out:
        say(f"left out: {results}", err=True)


def say_left_out_of(store: Path, chosen: Selection | None = None) -> None:
    """The same for a store that is not open, or for the selected part of it."""
    from ..store.selection import EVERYTHING
    from ..store.store import open_store

    with open_store(store, selection=chosen or EVERYTHING) as opened:
        say_left_out(opened.left_out())


def plain_console() -> Console:
    """A console that escapes texts in the same way as ``say``, but not its own colours and tables."""
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment

    class PlainConsole(Console):
        def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
            for segment in super().render(renderable, options):
                if segment.control or segment.text.isprintable() or segment.text == "\n":
                    yield segment
                else:
                    yield Segment("\n".join(map(plain, segment.text.split("\n"))), segment.style)

    return PlainConsole()


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows under headings."""
    from rich.table import Table

    from ...reports.terminal import escape

    table = Table()
    for column in columns:
        table.add_column(column, overflow="fold")  # addresses and paths are copied from here
    for row in rows:
        table.add_row(*map(escape, row))
    plain_console().print(table)


def print_rows(columns: Sequence[str], rows: Iterable[Sequence[object]], *, as_json: bool) -> None:
    """The same, or as JSON: a list of objects with the columns as keys."""
    if as_json:
        say_json(named_rows(columns, rows))
    else:
        print_table(columns, rows)


def named_rows(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> list[dict[str, object]]:
    """Rows as mappings; keys are the columns with underscores for blanks."""
    keys = [column.replace(" ", "_") for column in columns]
    return [dict(zip(keys, row, strict=True)) for row in rows]


def say_json(value: object) -> None:
    """Print a value as JSON: one document, in ASCII, in which a number that is not finite is null."""
    typer.echo(json.dumps(_plain_value(value), indent=2, allow_nan=False))


def _plain_value(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {element.name: _plain_value(getattr(value, element.name)) for element in dataclasses.fields(value)}
    if hasattr(value, "model_dump"):
        return _plain_value(value.model_dump(mode="json"))
    if hasattr(value, "item") and not isinstance(value, Mapping):
        value = value.item()  # a number of NumPy
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain_value(element) for key, element in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain_value(element) for element in value]
    return value if isinstance(value, bool | int | str | None) else str(value)
