"""``leaderboard``: every table and page again; ``merge`` and ``drop``: one store of several, and less of one."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from .options import complete
from .options.assignments import separated
from .options.chosen import DatasetOption, MethodOption, MetricOption, NameOption, Order, OrderOption, selection
from .terminal import say, say_left_out_of


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(leaderboard)
    app.command()(merge)
    app.command()(drop)


def leaderboard(
    stores: Annotated[list[Path], typer.Argument(help="Folders that 'run' wrote; several are merged.")],
    out: Annotated[Path, typer.Option(help="Folder for pages, tables and images.")],
    formats: Annotated[
        str, typer.Option("--format", help="Of md, csv, tex, html, wide-tex, wide-csv, json; separated by commas.")
    ] = "md,csv,tex,html",
    title: Annotated[str | None, typer.Option(help="Title of the pages; default: the stores' names.")] = None,
    images: Annotated[int, typer.Option(min=0, help="Images of each dataset in a page's gallery.")] = 100,
    published: Annotated[
        bool, typer.Option("--published", help="Add published values for the same datasets and protocols.")
    ] = False,
    template: Annotated[
        Path | None, typer.Option(help="Your *.md.j2 or *.tex.j2 of tables, or a folder of them; see docs/reports.md.")
    ] = None,
    method: MethodOption = None,
    metric: MetricOption = None,
    dataset: DatasetOption = None,
    order: OrderOption = Order.TABLES,
    name: NameOption = None,
) -> None:
    """Write leaderboards with average ranks. Each protocol has its own; an index links them."""
    from ..publish.leaderboards import write_leaderboards

    for path in write_leaderboards(
        stores,
        out,
        separated(formats),
        title=title,
        images=images,
        published=published,
        template=template,
        selection=selection(method, metric, dataset, order, name),
        tell=partial(say, err=True),
    ):
        say(path)
    for store in stores:
        say_left_out_of(store)


def merge(
    stores: Annotated[list[Path], typer.Argument(help="Folders that 'run' wrote.")],
    out: Annotated[Path, typer.Option(help="Folder of the merged store; must not have one yet.")],
) -> None:
    """Make one store of several. Where they contradict each other, it says where and writes nothing."""
    from ..store.merge import merge_stores

    say(f"{merge_stores(stores, out)} outputs in {out}")
    for store in stores:
        say_left_out_of(store)


def _gone(what: str) -> Any:
    return typer.Option(
        f"--{what}",
        help=f"{what.capitalize()} to take out with all that it has. Repeatable.",
        autocompletion=complete.stored(what),
    )


def drop(
    store: Annotated[Path, typer.Argument(help="Folder that 'run' wrote.")],
    method: Annotated[list[str] | None, _gone("method")] = None,
    metric: Annotated[list[str] | None, _gone("metric")] = None,
    dataset: Annotated[list[str] | None, _gone("dataset")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Take methods, metrics and datasets out of a store.

    Each of them goes as a whole, with the images that nothing needs any more. It asks first. Without any, it removes
    images that a stopped drop left.
    """
    from ..store.drop import Doomed, amount
    from ..store.drop import drop as drop_from
    from ..store.store import open_store

    doomed = Doomed(tuple(method or ()), tuple(metric or ()), tuple(dataset or ()))
    with open_store(store) as opened:  # fails where there is none, and asks while others may write
        much = amount(opened, doomed)
    names = ", ".join((*doomed.methods, *doomed.metrics, *doomed.datasets))
    told = f"{much.outputs} outputs and {much.cells} values" + (f" of {names}" if names else "")
    if names and not yes and not _agreed(f"Take {told} out of {store}? They cannot be had back but by running again"):
        say("nothing was taken out")
        return
    with open_store(store, write=True) as opened:
        freed = drop_from(opened, doomed)
    say(
        f"{told} are out of {store}; {freed / 2**20:.1f} MiB of images are free"
        if names
        else f"{freed / 2**20:.1f} MiB of images that nothing needed are free"
    )
    if names:
        say(f"reports are as they were: asasr-bench report {store}")


def _agreed(question: str) -> bool:
    """What a person answers.

    Raises:
        UsageError: nobody is there to be asked.
    """
    from ...datasets.errors import UsageError

    if not sys.stdin.isatty():
        raise UsageError("drop asks before it takes anything out, and nobody is here to answer; add --yes")
    return typer.confirm(question)
