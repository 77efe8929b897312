"""``report``, ``export`` and ``status``: what a store holds, without measuring anything."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast

import typer

StoreArgument = Annotated[Path, typer.Argument(help="Folder that 'run' wrote.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (report, export, status):
        app.command()(command)


def report(
    store: StoreArgument,
    formats: Annotated[
        str, typer.Option("--format", help="Of md, csv, tex, html; separated by commas.")
    ] = "md,csv,tex,html",
    out: Annotated[Path | None, typer.Option(help="Folder for leaderboard.*; default STORE/report.")] = None,
    title: Annotated[str | None, typer.Option(help="Title of the page; default the store's name.")] = None,
    published: Annotated[
        bool, typer.Option("--published", help="Add what others published for the same datasets and protocols.")
    ] = False,
) -> None:
    """Write the leaderboard as Markdown, CSV, LaTeX and a self-contained HTML page."""
    from ..leaderboard import write_reports

    names = [name.strip() for name in formats.split(",") if name.strip()]
    for path in write_reports(store, out or store / "report", names, title=title, published=published):
        typer.echo(path)


def export(
    store: StoreArgument,
    per_image: Annotated[Path, typer.Option(help="CSV file to write.")],
) -> None:
    """Write every value of every image; cells without a value have an empty one."""
    from ...datasets.images import write_atomically
    from ...reports.tables import csv_text
    from ..store import open_store

    with open_store(store) as opened:
        scores = opened.scores()
    columns = ["dataset", "image", "method", "seed", "metric", "protocol", "value"]
    write_atomically(per_image, csv_text(scores[columns]).encode())
    typer.echo(f"{len(scores)} values in {per_image}")


def status(store: StoreArgument) -> None:
    """Count what is done, failed and unavailable, with the reasons."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from ..leaderboard import load_board
    from ..store import open_store

    with open_store(store) as opened:
        runs = opened.runs()
        counts = opened.scores().groupby(["protocol", "dataset", "method", "status"]).size()
        problems = load_board(opened, title="").problems
    ended = runs[-1]["finished"] if runs else None
    last = f"finished {ended}" if ended else "not finished"
    table = Table(title=escape(f"{store}: {len(runs)} runs, last {last}"))
    for column in ("protocol", "dataset", "method", "done", "failed", "unavailable"):
        table.add_column(column, justify="left" if column in ("protocol", "dataset", "method") else "right")
    for key, row in counts.unstack(fill_value=0).iterrows():
        place = map(escape, cast(tuple[str, ...], key))
        table.add_row(*place, *(str(row.get(status, 0)) for status in ("done", "failed", "unavailable")))
    console = Console()
    console.print(table)
    for problem in problems.itertuples():
        console.print(
            f"{problem.status} ({problem.count}): {problem.dataset}, {problem.method}: {problem.message}", markup=False
        )
