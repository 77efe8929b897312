"""What commands print: names and messages of others' stores, baselines and programs reach no terminal as they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import typer

from ...reports.escaping import plain

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from ..store.records import LeftOut
    from ..store.selection import Selection


def say(text: object, *, err: bool = False) -> None:
    """Print one line; signs that cannot be printed are spelled out."""
    typer.echo(plain(text), err=err)


def say_left_out(left_out: Iterable[LeftOut]) -> None:
    """Say which results no table shows, because they are out of date."""
    for one in left_out:
        say(f"left out: {one}", err=True)


def say_left_out_of(store: Path, chosen: Selection | None = None) -> None:
    """The same of a store that is not open, or of what is chosen of it."""
    from ..store.selection import EVERYTHING
    from ..store.store import open_store

    with open_store(store, selection=chosen or EVERYTHING) as opened:
        say_left_out(opened.left_out())


def plain_console(*, stderr: bool = False) -> Console:
    """A console whose texts are printed as ``say`` prints them; its own colours and tables are left alone."""
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment

    class PlainConsole(Console):
        def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
            for segment in super().render(renderable, options):
                if segment.control or segment.text.isprintable() or segment.text == "\n":
                    yield segment
                else:
                    yield Segment("\n".join(map(plain, segment.text.split("\n"))), segment.style)

    return PlainConsole(stderr=stderr)
