"""``ablate``: the arms of one training, trained once, measured and compared."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...reports.progress import stage_progress
from .exit_codes import INCOMPLETE
from .run import given_options, print_board
from .running.stopping import Terminated, graceful
from .terminal import print_table, say

if TYPE_CHECKING:
    from ..train.ablation.study import Outcome


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(ablate)


def ablate(
    spec: Annotated[
        str, typer.Argument(help="A study of 'list studies' ('show STUDY' tells what it holds), or a YAML file.")
    ],
    data: Annotated[
        list[Path] | None, typer.Option(help="Folder of HQ images to train on, instead of the file's. Repeatable.")
    ] = None,
    dataset: Annotated[
        list[str] | None,
        typer.Option(help="Evaluate on this card, NAME=HR_DIR or held-out, instead of the file's. Repeatable."),
    ] = None,
    arm: Annotated[
        list[str] | None, typer.Option(help="Run only this arm of the file; others can follow. Repeatable.")
    ] = None,
    seed: Annotated[list[int] | None, typer.Option(help="Seed of sampling, instead of the file's. Repeatable.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the study; default runs/NAME.")] = None,
    workers: Annotated[
        int | None, typer.Option(help="Workers that evaluate at once, instead of the file's; no value depends on it.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
    train: Annotated[bool, typer.Option(help="Train what is missing; without it, evaluate what is there.")] = True,
    quick: Annotated[bool, typer.Option(help="Planned studies: the short form, in minutes.")] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Planned studies: trainings and restorations at once.")] = 1,
    batch: Annotated[int, typer.Option(min=1, help="Planned studies: images restored together.")] = 16,
    minutes: Annotated[
        float | None, typer.Option(help="Planned studies: begin no training after that time; measure what there is.")
    ] = None,
    outputs: Annotated[
        list[str] | None,
        typer.Option(
            help="Planned studies: TEACHER=FOLDER with a teacher's outputs ('sr') and their 'lq'. Repeatable."
        ),
    ] = None,
) -> None:
    """Train the arms that are missing, restore, measure and report. Stopped at any moment, the same command goes on."""
    from ..execute.prepare_inputs import StoppedError
    from ..train.ablation.spec import load_ablation
    from ..train.ablation.study import run_ablation
    from .running.planned import planned_study, run_planned

    if (planned := planned_study(spec)) is not None:
        if dataset or arm or seed or workers:
            raise typer.BadParameter(
                "a planned study is as its file says; --dataset, --arm, --seed, --workers change it"
            )
        run_planned(
            planned,
            data or (),
            out,
            device=device,
            train=train,
            quick=quick,
            jobs=jobs,
            batch=batch,
            minutes=minutes,
            outputs=outputs or (),
        )
        return
    loaded = load_ablation(spec, data or (), given_options(datasets=dataset, seeds=seed, workers=workers))
    try:
        with graceful() as stop, stage_progress() as progress:

            def tell(label: str) -> None:
                say(f"training: {label}")
                progress(f"training {label}", 0, 0)

            outcome = run_ablation(
                loaded,
                out or Path("runs", loaded.name),
                Path(spec).resolve().parent,
                only=arm or (),
                device=device,
                train=train,
                tell=tell,
                progress=progress,
                stop=stop,
            )
    except StoppedError:
        raise Terminated from None
    _print_results(out or Path("runs", loaded.name), outcome)
    for path in outcome.paths:
        say(path)
    summary = outcome.summary
    say(f"{summary.measured} cells measured, {summary.kept} kept from before")
    for message in summary.messages:
        say(f"  {message}", err=True)
    if not summary.complete:
        raise typer.Exit(INCOMPLETE)


def _print_results(folder: Path, outcome: Outcome) -> None:
    """Print the leaderboard of the arms, and what each factor changes."""
    from ..analysis.leaderboard import load_board
    from ..store.store import open_store

    with open_store(folder / "store") as store:
        print_board(load_board(store, title=folder.name))
    if outcome.effects:
        print_table(
            ("dataset", "setting", "metric", "factor", "images", "change", "95 % interval", "p (Holm)"),
            (
                (
                    effect.dataset,
                    effect.setting,
                    effect.metric,
                    effect.factor,
                    effect.n,
                    f"{effect.difference:+.4g}",
                    f"{effect.low:+.4g} to {effect.high:+.4g}",
                    f"{effect.p:.4f}",
                )
                for effect in outcome.effects
            ),
        )
