"""``report`` and ``export``: write the results of a store, without measuring anything."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options.assignments import assignments, separated
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
from .terminal import say, say_left_out, say_left_out_of

if TYPE_CHECKING:
    from ..store.selection import Selection

StoreArgument = Annotated[Path, typer.Argument(help="Folder that 'run' wrote.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (report, export):
        app.command()(command)


def report(
    store: StoreArgument,
    formats: FormatOption = "md,csv,tex,html",
    out: Annotated[Path | None, typer.Option(help="Folder for leaderboard.*; default STORE/report.")] = None,
    title: Annotated[str | None, typer.Option(help="Title of the page; default the store's name.")] = None,
    published: Annotated[
        bool, typer.Option("--published", help="Add what others published for the same datasets and protocols.")
    ] = False,
    template: TemplateOption = None,
    method: MethodOption = None,
    metric: MetricOption = None,
    dataset: DatasetOption = None,
    order: OrderOption = Order.TABLES,
    name: NameOption = None,
) -> None:
    """Write the leaderboard: Markdown, CSV, LaTeX, one HTML page."""
    from ..publish.leaderboards import write_reports

    chosen = selection(method, metric, dataset, order, name)
    for path in write_reports(
        store,
        out or store / "report",
        separated(formats),
        title=title,
        published=published,
        template=template,
        selection=chosen,
        tell=partial(say, err=True),
    ):
        say(path)
    say_left_out_of(store, chosen)


def export(
    store: StoreArgument,
    per_image: Annotated[Path | None, typer.Option(help="CSV file to write.")] = None,
    format: Annotated[
        str | None, typer.Option(help="Of json, parquet, eee (Every Eval Ever), hf (Hub), model-card; needs --out.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="File for json and parquet, else a folder.")] = None,
    organization: Annotated[str, typer.Option(help="Who evaluated, for eee.")] = "unknown",
    relationship: Annotated[
        str, typer.Option(help="To the methods' authors, for eee: first_party, third_party, collaborative, other.")
    ] = "other",
    hub: Annotated[
        list[str] | None, typer.Option(help="DATASET=ORGANISATION/NAME: its id on the Hub, for hf. Repeatable.")
    ] = None,
    method: MethodOption = None,
    metric: MetricOption = None,
    dataset: DatasetOption = None,
    order: OrderOption = Order.TABLES,
    name: NameOption = None,
) -> None:
    """Write every value of every image, or all results.

    Formats are those that others read: JSON, Parquet, Every Eval Ever, files for the Hub. Nothing is sent.
    """
    from ..exchange.export_results import ExportError, ExportOptions, export_results

    chosen = selection(method, metric, dataset, order, name)
    if per_image is None and format is None:
        raise ExportError("nothing to write: give --per-image FILE, or --format json --out FILE")
    if (format is None) != (out is None):
        raise ExportError("--format and --out go together")
    if per_image is not None:
        _export_values(store, per_image, chosen)
    if format is not None and out is not None:
        from ..exchange.every_eval_ever import Evaluator

        ids = {str(name): str(id) for name, id in assignments(hub, "--hub").items()}
        options = ExportOptions(Evaluator(organization, relationship), ids, chosen)
        for path in export_results(store, format, out, options):
            say(path)
        say_left_out_of(store, chosen)


def _export_values(store: Path, per_image: Path, chosen: Selection) -> None:
    """Values of images as CSV. Cells without a value have an empty one."""
    from ...datasets.images import write_atomically
    from ...reports.tables import csv_text
    from ..analysis.order import rows_in_order
    from ..store.store import open_store

    with open_store(store, selection=chosen) as opened:
        scores, left_out = rows_in_order(opened.scores(), opened), opened.left_out()
    columns = ["dataset", "image", "method", "seed", "metric", "protocol", "value"]
    write_atomically(per_image, csv_text(scores[columns]).encode())
    say(f"{len(scores)} values in {per_image}")
    say_left_out(left_out)
