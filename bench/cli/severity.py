"""``severity``: how methods hold out as degradations grow, from a store of a spec with the key ``severity``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .terminal import plain_console, say, say_left_out_of

if TYPE_CHECKING:
    from ..analysis.severity import CaseValues


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(severity)


def severity(
    store: Annotated[Path, typer.Argument(help="Folder that 'run' wrote with a spec of severities.")],
    acceptance: Annotated[
        str | None, typer.Option(metavar="METHOD", help="At or above this method a case is accepted.")
    ] = None,
    excellence: Annotated[str | None, typer.Option(metavar="METHOD", help="A method better than it.")] = None,
    metric: Annotated[list[str] | None, typer.Option(help="Metric id. Repeatable; default: all.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for severity-cases.csv and, with both lines, severity-rates.csv.")
    ] = None,
) -> None:
    """Print the mean values in every case of severity.

    With two lines, it also prints the rates of SEAL (acceptance, relative performance).
    """
    from ...datasets.errors import UsageError
    from ...datasets.images import write_atomically
    from ..analysis.severity import case_values
    from ..publish.severity_tables import cases_frame, rates_frame
    from ..store.store import open_store

    if (acceptance is None) != (excellence is None):
        raise UsageError("severity: give both lines, --acceptance METHOD and --excellence METHOD, or neither")
    say_left_out_of(store)
    with open_store(store) as opened:
        case_tables = list(case_values(opened, metric or ()))
    frames = {"severity-cases.csv": cases_frame(case_tables)}
    if acceptance is not None and excellence is not None:
        frames["severity-rates.csv"], without_rates = rates_frame(case_tables, acceptance, excellence)
        _print_rates(frames["severity-rates.csv"], acceptance, excellence)
        for error in without_rates:
            say(f"no rates: {error}", err=True)
    else:
        for values in case_tables:
            _print_cases(values)
    if out is not None:
        for name, frame in frames.items():
            write_atomically(out / name, frame.to_csv(index=False).encode())
            say(out / name)


def _print_rates(frame: object, acceptance: str, excellence: str) -> None:
    import pandas as pd
    from rich.table import Table

    from ...reports.terminal import escape

    assert isinstance(frame, pd.DataFrame)
    for (dataset, protocol), part in frame.groupby(["dataset", "protocol"], sort=False):
        title = f"{dataset}, {protocol}: accepted at or above {acceptance}, excellent at {excellence}"
        table = Table(title=escape(title), title_justify="left", box=None, pad_edge=False)
        for number, head in enumerate(("metric", "method", "cases", "AR [95 %]", "RPR [95 %]", "IQR")):
            table.add_column(head, justify="left" if number < 2 else "right", no_wrap=True)
        for row in part.to_dict("records"):
            left_out = f" (-{row['left_out']})" if row["left_out"] else ""
            table.add_row(
                escape(row["metric"]),
                escape(row["method"]),
                f"{row['cases']}{left_out}",
                f"{row['acceptance']:.2f} [{row['acceptance_low']:.2f}, {row['acceptance_high']:.2f}]",
                f"{row['relative']:.2f} [{row['relative_low']:.2f}, {row['relative_high']:.2f}]",
                f"{row['spread']:.2f}",
            )
        plain_console().print(table)


def _print_cases(values: CaseValues) -> None:
    from rich.table import Table

    from ...reports.grid import number
    from ...reports.terminal import escape
    from ..analysis.severity import varied

    factors, card = varied(values), values.card
    unit = f" [{card.unit}]" if card.unit else ""
    title = f"{values.dataset}, {values.protocol}, {len(values.images)} images: {card.title}{unit}"
    table = Table(title=escape(title), title_justify="left", box=None, pad_edge=False)
    for head in (*factors, *values.methods):
        table.add_column(escape(head), justify="right")
    for place, case in enumerate(values.cases):
        means = (number(float(of_method[:, place].mean()), card.digits) for of_method in values.methods.values())
        table.add_row(*(case.label(factor) for factor in factors), *means)
    plain_console().print(table)
