"""``leaderboard`` and ``merge``: every table and page again, from one or several stores."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from .options.assignments import separated
from .options.chosen import DatasetOption, MethodOption, MetricOption, NameOption, Order, OrderOption, selection
from .terminal import say, say_left_out_of


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(leaderboard)
    app.command()(merge)


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
