"""``status``: the progress of a run, from another terminal or after it; it only reads, so it does not delay the run."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...reports.progress import duration
from .terminal import JsonOption, plain_console, say, say_json, say_left_out

if TYPE_CHECKING:
    from rich.console import Console

    from ..execute.status_file import RunProgress
    from ..store.store import Store


_STATUSES = ("done", "failed", "unavailable")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(status)


def status(
    store: Annotated[Path, typer.Argument(help="Folder that 'run' wrote, or is writing.")],
    failed: Annotated[bool, typer.Option("--failed", help="List every failed cell with its error.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Tell what is done and what is missing, and how far a run is."""
    from rich.table import Table

    from ...reports.terminal import escape
    from ..analysis.order import methods_in_order
    from ..execute.status_file import read_progress
    from ..store.store import open_store

    console = plain_console()
    with open_store(store) as opened:
        if failed and as_json:
            say_json(list(opened.failed_cells()))
            return
        if failed:
            _tell_failures(opened)
            return
        runs, counts, problems = opened.runs(), opened.counts(), opened.problems()
        left_out = opened.left_out()
        methods = methods_in_order({method for _, _, method in counts}, opened)
    progress = read_progress(store)
    if as_json:
        cells = [
            {"protocol": protocol, "dataset": dataset, "method": method, **by_status}
            for (protocol, dataset, method), by_status in counts.items()
        ]
        alive = None if progress is None else progress.alive()
        ran = [{"id": run.id, "spec": run.spec.name, "started": run.started, "finished": run.finished} for run in runs]
        say_json(
            {
                "store": store,
                "runs": ran,
                "progress": progress,
                "alive": alive,
                "cells": cells,
                "problems": problems,
                "left_out": left_out,
            }
        )
        return
    if progress is not None:
        _tell_progress(console, progress)
    ended = runs[-1].finished if runs else None
    last = f"finished {ended}" if ended else "not finished"
    say(f"{store}: runs: {len(runs)}, last {last}")
    for protocol, dataset in dict.fromkeys(place[:2] for place in counts):
        table = Table(title=escape(f"{dataset}, {protocol}, cells"), title_justify="left", box=None, pad_edge=False)
        for column in ("method", *_STATUSES):
            table.add_column(column, justify="left" if column == "method" else "right")
        for method in methods:
            by_status = counts.get((protocol, dataset, method))
            if by_status is not None:
                table.add_row(escape(method), *(str(by_status.get(word, 0)) for word in _STATUSES))
        console.print(table)
    for problem in problems:
        say(f"{problem.status} ({problem.count}): {problem.dataset}, {problem.method}: {problem.message}")
    say_left_out(left_out)
    if any(problem.status == "failed" for problem in problems):
        say("'status --failed' lists each failed cell, 'run SPEC --retry-failed' tries them again")


def _tell_failures(store: Store) -> None:
    """Print each failed cell on a line, then each traceback once."""
    tracebacks: dict[str, list[str]] = {}
    for row in store.failed_cells():
        seed = f", seed {row.seed}" if row.seed else ""
        place = f"{row.dataset}/{row.image}, {row.method}{seed}, {row.metric}"
        say(f"{place} ({row.protocol}): {row.message}")
        if row.detail:
            tracebacks.setdefault(row.detail, []).append(place)
    for detail, places in tracebacks.items():
        more = f" and {len(places) - 1} more" if len(places) > 1 else ""
        say("")
        say(f"{places[0]}{more}:")
        for line in detail.splitlines():
            say(line)


def _tell_progress(console: Console, progress: RunProgress) -> None:
    from rich.table import Table

    from ...reports.terminal import escape
    from ..execute.prepare_inputs import STAGE

    now = time.time()
    heard = f"last heard of {duration(now - progress.heard)} ago"
    process_text = f"process {progress.process} on {progress.host}"
    alive = progress.alive()
    if progress.ending != "running":
        state = f"{progress.ending} after {duration(progress.heard - progress.started)}"
        state += f" ({progress.message})" if progress.message else ""
    elif alive is False:
        state = f"was killed ({process_text}, {heard}); run the same command to go on"
    else:
        state = f"runs since {duration(now - progress.started)} ({process_text}, {heard})"
    unit = "images" if progress.stage == STAGE else "cells"
    share = f" ({100 * progress.done / progress.total:.1f} %)" if progress.total else ""
    say(f"run {progress.run} {state}")
    say(
        f"  {progress.stage}: {progress.done} of {progress.total} {unit}{share}, {progress.failed} cells failed,"
        f" {progress.kept} kept from before"
    )
    if progress.ending == "running" and alive is not False:
        remaining = progress.seconds_left
        say(f"  {progress.rate:.3g} {unit}/s, {'about ' + duration(remaining) if remaining is not None else '?'} left")
        if progress.workers:
            table = Table("worker", "cells", "failed", "cells/s", "last job", "ago", box=None, pad_edge=False)
            for name, worker in sorted(progress.workers.items()):
                rate = worker.cells / max(worker.heard - progress.since, 1e-3)
                table.add_row(
                    escape(name),
                    str(worker.cells),
                    str(worker.failed),
                    f"{rate:.3g}",
                    escape(worker.last),
                    duration(now - worker.heard),
                )
            console.print(table)
