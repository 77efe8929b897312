"""``figures``: figures for a paper from stores."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options.assignments import assignments, separated
from .options.chosen import NameOption, Order, OrderOption, selection
from .terminal import say, say_left_out_of


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(figures)


def figures(
    store: Annotated[Path | None, typer.Argument(help="Folder that 'run' wrote; a list may name its own.")] = None,
    kind: Annotated[str, typer.Option(help="Kinds, separated by commas; see 'list figures'.")] = "spectrum",
    from_list: Annotated[Path | None, typer.Option("--list", help="YAML list of all figures of a paper.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the files; default STORE/figures.")] = None,
    method: Annotated[list[str] | None, typer.Option(help="Methods to draw, in this order. Repeatable.")] = None,
    metric: Annotated[
        list[str] | None, typer.Option(help="Metrics to draw, in this order, where the kind has any. Repeatable.")
    ] = None,
    dataset: Annotated[list[str] | None, typer.Option(help="Datasets to draw. Repeatable.")] = None,
    order: OrderOption = Order.TABLES,
    name: NameOption = None,
    columns: Annotated[
        int | None, typer.Option(min=1, max=2, help="Width: one (the default) or both columns of a paper.")
    ] = None,
    formats: Annotated[
        str | None,
        typer.Option("--format", help="Of pdf, png, svg; separated by commas. Default: pdf,png, or what a list says."),
    ] = None,
    override: Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE of the kind, such as y=[lsd].")] = None,
) -> None:
    """Draw figures for a paper as PDF, PNG or SVG. The same store gives the same bytes."""
    from ..publish.figures.write import write_figure_list, write_figures
    from ..publish.formats import FormatError

    chosen = selection(None, None, None, order, name)
    if from_list is not None:
        if method or metric or dataset or override or columns:
            raise FormatError(
                "figures: --list says itself which methods, metrics and datasets its figures show, and with which"
                " options; give --metric, --method, --dataset, --set and --columns without it"
            )
        paths = write_figure_list(from_list, store, out, chosen, formats=separated(formats) if formats else ())
    else:
        folder = out or (store / "figures" if store else None)
        if folder is None:
            raise FormatError("figures: give the folder of a store, --list FILE, or --out for figures without a store")
        options = {
            **assignments(override, "--set"),
            "columns": columns or 1,
            "formats": separated(formats or "pdf,png"),
        }
        options |= {"methods": method} if method else {}
        options |= {"datasets": dataset} if dataset else {}
        paths = write_figures(store, separated(kind), folder, options, metrics=metric or (), selection=chosen)
    for path in paths:
        say(path)
    if store is not None:
        say_left_out_of(store)
