"""``baseline``, ``check`` and ``history``: check whether results have changed."""

from __future__ import annotations

from math import inf
from pathlib import Path
from typing import Annotated

import typer

from .exit_codes import GATE_FAILED
from .terminal import plain_console, say, say_left_out_of

_SHOWN = 30
"""Number of cells that are printed; files have all."""

ToleranceOption = Annotated[
    list[str] | None, typer.Option(help="METRIC=DIFFERENCE that is no drift; default: half the last printed digit.")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (baseline, check, history):
        app.command()(command)


def baseline(
    store: Annotated[Path, typer.Argument(help="Folder that 'run' wrote.")],
    out: Annotated[Path, typer.Option(help="JSON file to write and commit.")],
    method: Annotated[list[str] | None, typer.Option(help="Methods to keep; default: all. Repeatable.")] = None,
    dataset: Annotated[list[str] | None, typer.Option(help="Datasets to keep; default: all. Repeatable.")] = None,
    metric: Annotated[list[str] | None, typer.Option(help="Metrics to keep; default: all. Repeatable.")] = None,
    tolerance: ToleranceOption = None,
) -> None:
    """Keep a store's values, to check later ones against them."""
    from ..drift.baseline import write_baseline

    snapshot = write_baseline(
        store,
        out,
        methods=method or (),
        datasets=dataset or (),
        metrics=metric or (),
        tolerances=_tolerances(tolerance),
    )
    values = sum(score.value is not None for output in snapshot.outputs.values() for score in output.scores.values())
    say(f"{values} values of {len(snapshot.outputs)} outputs in {out}")
    say_left_out_of(store)


def check(
    store: Annotated[Path, typer.Argument(help="Folder that 'run' wrote.")],
    baseline: Annotated[Path, typer.Option(help="File that 'baseline' wrote.")],
    tolerance: ToleranceOption = None,
    md: Annotated[Path | None, typer.Option(help="Markdown file to write.")] = None,
    json: Annotated[Path | None, typer.Option(help="JSON file to write.")] = None,
    junit: Annotated[Path | None, typer.Option(help="JUnit XML file to write.")] = None,
) -> None:
    """Compare a store with a baseline. Exit 1: a value drifted beyond its tolerance, or is missing."""
    from ...datasets.images import write_atomically
    from ...reports.drift import to_json, to_junit, to_markdown, to_text
    from ..drift.baseline import read_baseline
    from ..drift.check import check_store, groups

    report = check_store(store, baseline, _tolerances(tolerance))
    for path, text in ((md, to_markdown), (json, to_json)):
        if path is not None:
            write_atomically(path, text(report).encode())
    if junit is not None:
        write_atomically(junit, to_junit(report, groups(read_baseline(baseline))).encode())
    for line in to_text(report, limit=_SHOWN).rstrip("\n").split("\n"):
        say(line)
    say_left_out_of(store)
    if not report.passed:
        raise typer.Exit(GATE_FAILED)


def history(
    stores: Annotated[list[Path], typer.Argument(help="Folders that 'run' wrote, in any order.")],
    method: Annotated[list[str] | None, typer.Option(help="Methods to follow; default: all. Repeatable.")] = None,
    dataset: Annotated[list[str] | None, typer.Option(help="Datasets to follow; default: all. Repeatable.")] = None,
    metric: Annotated[list[str] | None, typer.Option(help="Metrics to follow; default: all. Repeatable.")] = None,
    tolerance: ToleranceOption = None,
    md: Annotated[Path | None, typer.Option(help="Markdown file to write.")] = None,
    json: Annotated[Path | None, typer.Option(help="JSON file to write.")] = None,
) -> None:
    """Find where in many stores a value took another level. What changed there is told too."""
    from rich.table import Table

    from ...datasets.images import write_atomically
    from ...reports.drift import number, signed, versions
    from ...reports.history import label, sparkline, to_json, to_markdown
    from ...reports.terminal import escape
    from ..drift.history import history as follow

    report = follow(
        stores, methods=method or (), datasets=dataset or (), metrics=metric or (), tolerances=_tolerances(tolerance)
    )
    for path, text in ((md, to_markdown), (json, to_json)):
        if path is not None:
            write_atomically(path, text(report).encode())
    table = Table()
    for name in ("series", "course", "store", "before", "after", "difference", "changed"):
        table.add_column(name, justify="right" if name in ("before", "after", "difference") else "left")
    for series in report.series:
        for step in series.steps:
            changed = ", ".join(step.changed) + (f" ({versions(step.packages)})" if step.packages else "")
            table.add_row(
                escape(label(series)),
                sparkline(series.values),
                escape(Path(report.stores[step.at]).name),
                number(step.before),
                number(step.after),
                signed(step.after - step.before),
                escape(changed),
            )
    console = plain_console()
    if report.steps:
        console.print(table)
    console.print(f"{report.steps} steps in {len(report.series)} series over {len(report.stores)} stores")


def _tolerances(texts: list[str] | None) -> dict[str, float]:
    from ..drift.baseline import BaselineError

    tolerances = {}
    for text in texts or []:
        metric, _, value = text.partition("=")
        try:
            tolerances[metric] = float(value)
        except ValueError:
            raise BaselineError(f"--tolerance {text}: write METRIC=DIFFERENCE, such as psnr_y=0.01") from None
        if not 0 <= tolerances[metric] < inf:
            raise BaselineError(f"--tolerance {text}: a difference is 0 or a positive number, else nothing is checked")
    return tolerances
