"""``import`` and ``reproduce``: read results of others, and check whether their commands give the same results."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from .exit_codes import GATE_FAILED
from .terminal import say

_SHOWN = 20
"""Number of differences that are printed one by one."""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("import")(import_)
    app.command()(reproduce)


def import_(
    results: Annotated[
        Path, typer.Argument(help="What 'export' wrote, or another program: .json, .parquet, .yaml, .md, or a folder.")
    ],
    out: Annotated[
        Path, typer.Option(help="Folder of a new store for values of images; of a store that has one for means.")
    ],
) -> None:
    """Make a store of exported results, or add means of others."""
    from ..exchange.import_results import import_results

    imported = import_results(results, out)
    if imported.outputs:
        say(f"{imported.outputs} outputs in {out}, without pixels: for 'report', 'leaderboard', 'compare' and 'merge'")
        return
    for path in imported.files:
        say(path)
    say(f"{imported.claims} means beside the results of {out}; 'report {out} --published' shows them")


def reproduce(
    results: Annotated[Path, typer.Argument(help="A store, a report in its folder, or a file that 'export' wrote.")],
    run: Annotated[bool, typer.Option("--run", help="Run the commands and compare digests and values.")] = False,
    store: Annotated[Path, typer.Option(help="Folder of the new store.")] = Path("runs/reproduced"),
    out: Annotated[Path | None, typer.Option(help="Folder for the specs and reproduce.sh.")] = None,
) -> None:
    """Print the commands that made results, or run them again.

    After a run, it prints the differences.
    """
    from ..exchange.reproduce import read_results, run_again, steps, write_steps

    document = read_results(results)
    plan = steps(document)
    if out is not None:
        for path in write_steps(plan, out, str(store.resolve())):
            say(path)
    for number, step in enumerate(plan, 1):
        name, text, command = step.script(number, str(store))
        say(f"# run {number} of {step.started}; it was: {step.command}")
        for difference in step.surroundings:
            say(f"#   then {difference}")
        if out is None:
            say(f"cat > {name} <<'END'")
            for line in text.rstrip("\n").split("\n"):
                say(line)
            say("END")
        say(command)
    if not run:
        return
    result = run_again(document, plan, store, partial(say, err=True))
    for line in result.digests[:_SHOWN]:
        say(line)
    if len(result.digests) > _SHOWN:
        say(f"and {len(result.digests) - _SHOWN} more digests that differ")
    for cell in result.values[:_SHOWN]:
        now = "no value" if cell.after is None else f"{cell.after:.6g}"
        say(f"{cell.dataset}/{cell.image}, {cell.method}, {cell.metric}: {cell.before:.6g}, here {now}")
    if len(result.values) > _SHOWN:
        say(f"and {len(result.values) - _SHOWN} more values that differ")
    say(
        f"{result.compared} values compared: {len(result.values)} differ or are missing; "
        f"{len(result.digests)} digests of pixels differ"
    )
    if not result.reproduced:
        raise typer.Exit(GATE_FAILED)
