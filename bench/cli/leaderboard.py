"""``leaderboard``: pages of several stores; ``merge`` and ``drop``: join stores, and remove results from a store."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from .options import complete
from .options.assignments import separated
from .options.chosen import (
    DatasetOption,
    FormatOption,
    MethodOption,
    MetricOption,
    NameOption,
    Order,
    OrderOption,
    TemplateOption,
    selection,
)
from .terminal import say, say_left_out_of


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(leaderboard)
    app.command()(merge)
    app.command()(drop)


def leaderboard(
    stores: Annotated[list[Path], typer.Argument(help="Folders that 'run' wrote; several are merged.")],
    out: Annotated[Path, typer.Option(help="Folder for pages, tables and images.")],
    formats: FormatOption = "md,csv,tex,html",
    title: Annotated[str | None, typer.Option(help="Title of the pages; default: the stores' names.")] = None,
    images: Annotated[int, typer.Option(min=0, help="Images of each dataset in a page's gallery.")] = 100,
    published: Annotated[
        bool, typer.Option("--published", help="Add published values for the same datasets and protocols.")
    ] = False,
    template: TemplateOption = None,
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


def _drop_option(noun: str) -> Any:
    return typer.Option(
        f"--{noun}",
        help=f"{noun.capitalize()} to remove with all its results. Repeatable.",
        autocompletion=complete.stored(noun),
    )


def drop(
    store: Annotated[Path, typer.Argument(help="Folder that 'run' wrote.")],
    method: Annotated[list[str] | None, _drop_option("method")] = None,
    metric: Annotated[list[str] | None, _drop_option("metric")] = None,
    dataset: Annotated[list[str] | None, _drop_option("dataset")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove methods, metrics and datasets from a store.

    All results of each are removed, with the images that are no longer needed. It asks first. Without any name, it
    removes images that a stopped drop left behind.
    """
    from ..store.drop import Doomed, amount
    from ..store.drop import drop as drop_from
    from ..store.store import open_store

    doomed = Doomed(tuple(method or ()), tuple(metric or ()), tuple(dataset or ()))
    with open_store(store) as opened:  # not locked while it asks, so that others may write
        much = amount(opened, doomed)
    names = ", ".join((*doomed.methods, *doomed.metrics, *doomed.datasets))
    amount_text = f"{much.outputs} outputs and {much.cells} values" + (f" of {names}" if names else "")
    if (
        names
        and not yes
        and not _agreed(f"Take {amount_text} out of {store}? They cannot be had back but by running again")
    ):
        say("nothing was taken out")
        return
    with open_store(store, write=True) as opened:
        freed = drop_from(opened, doomed)
    say(
        f"{amount_text} are out of {store}; {freed / 2**20:.1f} MiB of images are free"
        if names
        else f"{freed / 2**20:.1f} MiB of images that nothing needed are free"
    )
    if names:
        say(f"reports are as they were: asasr-bench report {store}")


def _agreed(question: str) -> bool:
    """The answer of the user to a question.

    Raises:
        UsageError: standard input is not a terminal, so nobody can answer.
    """
    from ...datasets.errors import UsageError

    if not sys.stdin.isatty():
        raise UsageError("drop asks before it takes anything out, and nobody is here to answer; add --yes")
    return typer.confirm(question)
