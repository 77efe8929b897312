"""``ablate`` of planned studies: print their cost, their progress and their results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import typer

from ..terminal import say


def planned_study(source: str) -> Path | None:
    """The file of a planned study; None if it is an ablation, or the file does not exist."""
    from ...train.ablation.spec import study_file
    from ...train.study.spec import is_planned

    path = study_file(source)
    return path if path.is_file() and is_planned(path) else None


def run_planned(
    path: Path,
    data: Sequence[Path],
    out: Path | None,
    *,
    device: str,
    train: bool,
    quick: bool,
    jobs: int,
    batch: int,
    minutes: float | None,
    outputs: Sequence[str],
) -> None:
    """Run a planned study; print its cost before and its tests after.

    Args:
        path: file of the study.
        data: folders of HQ images to train on, instead of the file's.
        out: folder of the study; None: ``runs/NAME``.
        device: torch device, or ``auto``.
        train: False: report what is measured already.
        quick: use the short form of the study.
        jobs: number of processes that work at once.
        batch: number of images that are restored at once.
        minutes: time after which no training is started; None: no limit.
        outputs: texts TEACHER=FOLDER with outputs of teachers.
    """
    from ...train.study.cost import cost_line
    from ...train.study.report import summary_lines, write_report
    from ...train.study.run import StudyOptions, run_study
    from ...train.study.spec import load_study

    study = load_study(path, quick=quick, data=data)
    ready = {}
    for text in outputs:
        teacher, _, folder = text.partition("=")
        if teacher not in study.teachers or not (Path(folder) / "sr").is_dir():
            raise typer.BadParameter(
                f"--outputs {text}: give TEACHER=FOLDER, a teacher of {', '.join(study.teachers) or 'none'} and a"
                " folder with 'sr' and 'lq'"
            )
        ready[teacher] = str(Path(folder).resolve())
    study = study.model_copy(update={"outputs": ready})
    options = StudyOptions(
        (out or Path("runs", study.name)).resolve(),
        device,
        jobs=jobs,
        batch=batch,
        minutes=minutes,
        train=train,
    )
    say(study.title)
    if train:
        say(cost_line(study))
    result = run_study(study, options, say)
    for line in summary_lines(result):
        say(line)
    for written in write_report(study, options, result):
        say(written)
