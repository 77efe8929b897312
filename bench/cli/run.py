"""``run``: run a spec into a store, and print its table at the end."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...reports.progress import stage_progress
from .exit_codes import INCOMPLETE
from .options import complete
from .options.assignments import assignments
from .options.scale import scale_option
from .running.forecast import tell_forecast
from .running.stopping import Terminated, graceful
from .terminal import plain_console, say

if TYPE_CHECKING:
    from rich.console import Console

    from ...reports.board import Board
    from ..execute.run import Summary
    from ..plan.missing import Scope
    from ..spec import Spec
    from ..store.store import Store


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(run)


def run(
    spec: Annotated[
        str, typer.Argument(help="A shipped spec (see 'list specs') or a YAML file.", autocompletion=complete.specs)
    ],
    dataset: Annotated[
        list[str] | None,
        typer.Option(
            help="Card id or path, NAME=HR_DIR, NAME=LQ_DIR,HR_DIR, NAME=LQ_DIR, (no HR), module:object. Repeatable.",
            autocompletion=complete.datasets,
        ),
    ] = None,
    truth: Annotated[
        list[str] | None,
        typer.Option(help="Ground truth: DATASET=text:PATH, DATASET=instances:FILE, DATASET=labels:DIR. Repeatable."),
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(
            help="Method id, weight file, predictions:DIR, module:object, or NAME=any of these. Repeatable.",
            autocompletion=complete.methods,
        ),
    ] = None,
    metric: Annotated[
        list[str] | None, typer.Option(help="Metric id or module:object. Repeatable.", autocompletion=complete.metrics)
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option(help="Protocol name (see 'list protocols') or module:object.", autocompletion=complete.protocols),
    ] = None,
    scale: Annotated[float | None, scale_option("Scale, such as 4 or 1.5; the protocol follows it.")] = None,
    lq_rule: Annotated[
        str | None, typer.Option(help="How LQ is made from HR: matlab-bicubic, degradation:PRESET or severity:CASE.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="The first so many images of each dataset; tables call it a part.")
    ] = None,
    images: Annotated[
        list[str] | None, typer.Option(help="Images to take by name, with * and ?; tables call it a part. Repeatable.")
    ] = None,
    crop: Annotated[int | None, typer.Option(help="Side of a centre crop of every HR image.")] = None,
    seed: Annotated[list[int] | None, typer.Option(help="Seed of seeded methods. Repeatable.")] = None,
    store: Annotated[Path | None, typer.Option(help="Folder of results; default runs/SPEC.")] = None,
    workers: Annotated[int | None, typer.Option(help="Workers at once; default 1, or all of a Ray cluster.")] = None,
    threads: Annotated[
        int | None, typer.Option(help="Threads of each, 1 unless given; last digits depend on it.")
    ] = None,
    timeout: Annotated[
        float | None, typer.Option(help="Seconds that an image may take before its cells fail; default: any time.")
    ] = None,
    executor: Annotated[str | None, typer.Option(help="Where they work: local, ray or slurm.")] = None,
    cluster: Annotated[
        list[str] | None, typer.Option(help="KEY=VALUE, an option of ray or slurm; see docs/clusters.md. Repeatable.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = None,
    batch: Annotated[
        int | None,
        typer.Option(help="Images that networks restore and measure together; default 8 on a GPU, 1 on a CPU."),
    ] = None,
    only_missing: Annotated[bool, typer.Option("--only-missing", help="Leave cells alone that failed before.")] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try the cells again that failed before, and no others.")
    ] = False,
    log: Annotated[Path | None, typer.Option(help="File to which events are added, one JSON object a line.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell what would be done, what is unavailable, disk and time; do nothing.")
    ] = False,
    report: Annotated[bool, typer.Option(help="Write the report into the store's folder.")] = True,
) -> None:
    """Restore and measure what a store lacks of a spec. Stop it at any moment and run it again: nothing is lost.

    Options replace the spec's entries of the same name.
    """
    from ..execute.prepare_inputs import StoppedError
    from ..execute.run import run as execute
    from ..execute.threads import cores
    from ..spec import SpecError, load_spec
    from .running.logs import logging_to

    overrides = given_options(
        datasets=dataset,
        methods=method,
        metrics=metric,
        seeds=seed,
        protocol=protocol,
        scale=scale,
        workers=workers,
        threads=threads,
        timeout=timeout,
        device=device,
        lq_rule=lq_rule,
        truth=truth,
        crop=crop,
        batch=batch,
        limit=limit,
        images=images,
        executor=executor,
        cluster=assignments(cluster, "--cluster"),
    )
    if only_missing and retry_failed:
        raise SpecError("--only-missing leaves failed cells alone and --retry-failed tries them; give one of them")
    scope: Scope = "untried" if only_missing else "failed" if retry_failed else "all"
    loaded = load_spec(spec, overrides)
    root = store or Path("runs", loaded.name)
    if dry_run:
        tell_forecast(loaded, root, scope)
        return
    began = time.monotonic()
    try:
        with logging_to(log), graceful() as stop, stage_progress() as progress:
            summary = execute(loaded, root, scope=scope, progress=progress, stop=stop)
    except StoppedError:
        raise Terminated from None
    hint = idle_cores(loaded, time.monotonic() - began, cores())
    _show(root, summary, report=report)
    if hint:
        say(hint, err=True)
    if not summary.complete:
        raise typer.Exit(INCOMPLETE)


_WORTH_TELLING = 60.0
"""Shortest run in seconds after which idle cores are mentioned."""


def idle_cores(spec: Spec, seconds: float, available: int) -> str:
    """Advice to use idle cores after a long run on a CPU; '' if all cores were used, or the run was elsewhere.

    Args:
        spec: the spec of the run.
        seconds: duration of the run.
        available: number of cores of this machine.
    """
    from ..metrics.measure import images_together

    used = (spec.workers or 1) * spec.threads
    elsewhere = spec.executor != "local" or images_together(None, spec.device) > 1
    if elsewhere or seconds < _WORTH_TELLING or used >= available:
        return ""
    return (
        f"{used} of {available} cores computed: --workers {max(2, available // spec.threads)} is faster, with the same"
        " numbers"
    )


def given_options(**options: Any) -> dict[str, Any]:
    """The options that were given on the command line."""
    return {name: value for name, value in options.items() if value not in (None, [], {})}


def _show(root: Path, summary: Summary, *, report: bool) -> None:
    """Print the tables and write the report; if the store is unchanged since the last time, the kept texts are used."""
    from ..store.fingerprint import fingerprint
    from ..store.store import open_store
    from .running.printed_tables import Printed, keep_printed, read_printed, terminal_of

    console = plain_console()
    title, page = root.resolve().name, root / "report" / "leaderboard.html"
    printed, terminal = read_printed(root), terminal_of(console, title)
    with open_store(root) as opened:
        state = fingerprint(opened)
        stale = report and (printed.page != state or not page.exists())
        if stale or not printed.fits(state, terminal):
            text = _tables_text(opened, title, console, page.parent if stale else None)
            printed = Printed(state, state if stale else printed.page, terminal, text)
            keep_printed(root, printed)
    typer.echo(printed.text, nl=False, color=True)  # the console decided on colours
    _tell(root, summary)
    if report:
        say(f"report: {page}")


def print_board(board: Board, console: Console | None = None) -> None:
    """Print the tables of a leaderboard, as wide as the terminal."""
    from ...reports.terminal import to_terminal

    console = console or plain_console()
    for table in to_terminal(board, console.width):
        console.print(table)


def _tables_text(store: Store, title: str, console: Console, report: Path | None) -> str:
    """The tables of a store as printed text; the report is written first."""
    from ..analysis.leaderboard import load_board, scores_of

    scores = scores_of(store)
    board = load_board(store, title=title, scores=scores)
    if report is not None:
        from ..publish.leaderboards import write_board

        write_board(store, scores, board, report)
    with console.capture() as capture:
        print_board(board, console)
    return capture.get()


def _tell(root: Path, summary: Summary) -> None:
    say(f"{summary.measured} cells measured, {summary.kept} kept from before")
    for kind, count in (("failed", summary.failed), ("unavailable", summary.unavailable)):
        if count:
            say(f"{count} cells {kind}", err=True)
    for message in summary.messages:
        say(f"  {message}", err=True)
    for message in summary.spared:
        say(f"left out: {message}")
    if summary.details and os.environ.get("ASASR_BENCH_DEBUG"):
        for detail in summary.details:
            for line in detail.splitlines():
                say(line, err=True)
    elif summary.details:
        say(f"  where in the code: asasr-bench status {root} --failed", err=True)
