"""``user-study``: people judge the outputs of a store on a blind page, and their votes become a report.

Ablation studies, which train and measure, are ``ablate``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .terminal import plain_console, say

if TYPE_CHECKING:
    from ...reports.user_study.board import StudyBoard

app = typer.Typer(
    no_args_is_help=True,
    help="Let people judge: a blind page, and what their votes say. (Studies that train are 'ablate'.)",
)


@app.command()
def make(
    store: Annotated[Path, typer.Argument(help="Folder that 'run' wrote.")],
    out: Annotated[Path, typer.Option(help="Folder for page.html (for raters) and key.json (for you alone).")],
    design: Annotated[
        str, typer.Option(help="pairs, best-of, asasr-top1 (the paper's: 64 images, 50 people), or a YAML file.")
    ] = "pairs",
    method: Annotated[list[str] | None, typer.Option(help="Method to judge. Repeatable; default: all.")] = None,
    dataset: Annotated[list[str] | None, typer.Option(help="Dataset to show. Repeatable; default: all.")] = None,
    protocol: Annotated[str | None, typer.Option(help="Where the store has several.")] = None,
    beside: Annotated[bool, typer.Option("--beside", help="Images are files beside the page, not in it.")] = False,
    override: Annotated[
        list[str] | None, typer.Option("--set", help="KEY=VALUE of the design, such as images=32 or crop=256.")
    ] = None,
) -> None:
    """Write a blind page for raters.

    It has neutral names, shuffled sides and order, and catch trials; it works offline and sends nothing.
    """
    from ..user_study.design import load_design
    from ..user_study.make import make_study
    from .options.assignments import assignments

    chosen = load_design(design, assignments(override, "--set"))
    study = make_study(
        store,
        out,
        chosen,
        methods=method,
        datasets=dataset,
        protocol=protocol,
        beside=beside,
        tell=lambda text: say(text, err=True),
    )
    people = f", meant for {chosen.raters} raters" if chosen.raters else ""
    say(f"{study.trials} trials on {study.images} images; each rater answers {study.per_rater}{people}")
    say(f"{study.page}: give it to raters{' together with the folder images' if beside else ''}")
    say(f"{study.key}: keep it; whoever has it knows which method is which")


@app.command()
def read(
    key: Annotated[Path, typer.Argument(help="key.json of 'user-study make'.")],
    votes: Annotated[list[Path], typer.Argument(help="Files that raters sent, or folders of them.")],
    store: Annotated[Path | None, typer.Option(help="The study's store: compare its metrics with the votes.")] = None,
    dataset: Annotated[list[str] | None, typer.Option(help="Dataset that counts. Repeatable; default: all.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the report (md, html, csv).")] = None,
) -> None:
    """Read votes, and tell what they say.

    Shares, wins, Bradley-Terry strengths, agreement of raters, and which metrics go with the votes.
    """
    from ..user_study.read import read_study, write_study
    from .exit_codes import INCOMPLETE

    done = read_study(key, votes, store=store, datasets=dataset)
    _print(done.board)
    for line in done.board.problems:
        say(line, err=True)
    if out is not None:
        for path in write_study(done, out):
            say(path)
    if done.board.problems:
        raise typer.Exit(INCOMPLETE)


def _print(board: StudyBoard) -> None:
    from rich.table import Table

    from ...reports.terminal import escape
    from ...reports.user_study.report import facts, terminal_tables

    for fact in facts(board):
        say(fact)
    console = plain_console()
    for title, columns, rows in terminal_tables(board):
        table = Table(title=escape(title), title_justify="left", box=None, pad_edge=False)
        for place, name in enumerate(columns):
            table.add_column(escape(name), justify="left" if place == 0 else "right", overflow="fold")
        for row in rows:
            table.add_row(*map(escape, row))
        console.print(table)
