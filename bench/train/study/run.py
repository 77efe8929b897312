"""Run a planned study: do the trainings and measurements that are missing, several at once, and return the results."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pandas as pd

from ....datasets.images import write_atomically
from ....reports.tables import csv_text
from ...execute.library_noise import quiet_libraries
from ...execute.restore_image import torch_device
from ...execute.threads import fixed_threads
from ...metrics.metric import Metric
from ...metrics.registry import get_metric
from ..ablation.arms import TrainingContext, held_out_images
from .contrasts import Difference, Scores, choice_marks, chosen_settings, contrasts, explored
from .images import FILE, ImageSet, prepared_sets
from .models import ablation_of, adversary_of, reference_of
from .points import Point, Setting, points_of, seeds_of, settings_of
from .spec import PRIOR, Study, study_text

PLAN = "plan.yaml"
SCORES = "scores"
DIRECTIONS = "directions"


@dataclass(frozen=True)
class Work:
    """One piece of work for one process: train a setting with one seed, then restore and score its points."""

    setting: Setting
    seed: int
    points: tuple[Point, ...]
    sets: tuple[str, ...]
    sampling_seeds: tuple[int, ...]
    adversary: str = ""
    """Train the adversary of this teacher, and nothing else."""
    directions: bool = False
    """Compare that adversary with the Riesz direction, and nothing else."""


@dataclass(frozen=True)
class StudyOptions:
    """Folder, device, number of processes and time limit of a study."""

    out: Path
    device: str = "auto"
    jobs: int = 1
    """Number of processes that work at once."""
    batch: int = 16
    """Number of images that are restored at once."""
    minutes: float | None = None
    """Time after which no training is started; what is trained by then is measured and reported."""
    train: bool = True
    """False: report what is measured already."""


@dataclass(frozen=True)
class Result:
    """Results of a planned study."""

    scores: pd.DataFrame
    chosen: dict[str, Setting]
    marks: list[tuple[Setting, float]]
    """Mark of each setting, by which it was chosen or not: see ``choice_marks``."""
    differences: list[Difference]
    explored: list[Difference]
    """Comparisons that are not in the plan, without correction."""
    unavailable: dict[str, str]
    """Metrics that this machine cannot measure, and why."""
    undone: tuple[str, ...]
    """Pieces of work that were not started in time, or failed."""


@dataclass(frozen=True)
class Undone:
    """Pieces of work that were not started in time, or failed."""

    works: tuple[str, ...]
    trainings: frozenset[str]
    """Trainings of which no piece of work was finished: their models may be missing."""


def run_study(study: Study, options: StudyOptions, tell: Callable[[str], None] = lambda message: None) -> Result:
    """Train, restore and measure what is missing of a study; after a stop at any moment, the same call goes on.

    First every setting is trained and scored on the sets of the choice. Then the chosen settings are scored on the sets
    of the report.

    Raises:
        SpecError, TrainingError, MethodError, DatasetError: see what each step raises.
    """
    started = time.monotonic()
    metrics, unavailable = available(study.measurement.metrics)
    settings = settings_of(study)
    if not options.train:
        return _result(study, options, {id: get_metric(id) for id in study.measurement.metrics}, {}, ())
    write_atomically(options.out / PLAN, study_text(study).encode())
    _images(study, options)
    first = _do(study, options, list(_first_works(study, settings)), started, tell)
    chosen = chosen_settings(study, settings, _scores(options, metrics))
    tell("chosen: " + ", ".join(setting.name for setting in chosen.values()))
    directions = [
        Work(settings[0], 0, (), (), (), teacher, directions=True) for teacher in study.teachers or ("shipped",)
    ]
    second = _do(study, options, [*_report_works(study, chosen, first.trainings), *directions], None, tell)
    return _result(study, options, metrics, unavailable, (*first.works, *second.works))


def _result(
    study: Study,
    options: StudyOptions,
    metrics: Mapping[str, Metric],
    unavailable: dict[str, str],
    undone: tuple[str, ...],
) -> Result:
    settings, scores = settings_of(study), _scores(options, metrics)
    same_noise = Scores(scores.frame[scores.frame["seed"] == study.measurement.seeds[0]], metrics)
    chosen = chosen_settings(study, settings, scores)
    return Result(
        scores.frame,
        chosen,
        choice_marks(study, settings, scores),
        contrasts(study, chosen, scores),
        explored(study, chosen, same_noise),
        unavailable,
        undone,
    )


def available(ids: Sequence[str]) -> tuple[dict[str, Metric], dict[str, str]]:
    """The metrics that this machine can measure, and why it cannot measure the others."""
    metrics = {id: get_metric(id) for id in ids}
    missing = {id: reason for id, metric in metrics.items() if (reason := metric.missing())}
    return {id: metric for id, metric in metrics.items() if id not in missing}, missing


def collected(folder: Path) -> pd.DataFrame:
    """All scores of a study, from the files in its folder of scores."""
    files = sorted(folder.glob("*.csv"))
    return pd.concat([pd.read_csv(path, keep_default_na=True) for path in files], ignore_index=True)


def _scores(options: StudyOptions, metrics: Mapping[str, Metric]) -> Scores:
    return Scores(collected(options.out / SCORES), metrics)


def _images(study: Study, options: StudyOptions) -> dict[str, ImageSet]:
    wants = "held-out" in study.measurement.choice and not (options.out / FILE).is_file()
    held_out = held_out_images(ablation_of(study), options.out) if wants else None
    return prepared_sets(study.measurement, options.out, held_out)


def _first_works(study: Study, settings: Sequence[Setting]) -> Iterator[Work]:
    """Adversaries, the prior's points, then the arms: all arms with the first seed before any arm with the second."""
    sets, seeds = study.measurement.choice, study.measurement.seeds[:1]
    for teacher in study.teachers:
        yield Work(settings[0], 0, (), (), (), adversary=teacher)
    yield from _prior_works(study, settings[0], sets, seeds)
    arms = [setting for setting in settings if setting.family != PRIOR]
    for number in range(len(study.training_seeds)):
        for setting in sorted(arms, key=lambda setting: bool(setting.weight)):
            training_seeds = seeds_of(study, setting)
            if number < len(training_seeds):
                points = tuple(Point(setting, steps) for steps in study.tested_steps)
                yield Work(setting, training_seeds[number], points, sets, seeds)


def _prior_works(study: Study, prior: Setting, sets: tuple[str, ...], seeds: tuple[int, ...]) -> Iterator[Work]:
    """The prior's points; all blends are one piece of work, since they share samples."""
    points = list(points_of(study, prior))
    blends = tuple(point for point in points if point.blend)
    if blends:
        yield Work(prior, 0, blends, sets, seeds)
    for point in points:
        if not point.blend:
            yield Work(prior, 0, (point,), sets, seeds)


def _report_works(study: Study, chosen: Mapping[str, Setting], untrained: Container[str]) -> Iterator[Work]:
    """Families of the contrasts with all points and seeds; then the others at the tested steps, with one seed."""
    sets, seeds = study.measurement.report, study.measurement.seeds
    contrasted = {name for contrast in study.contrasts for name in (contrast.first, contrast.second)}
    for setting in sorted(chosen.values(), key=lambda setting: setting.family not in contrasted):
        if setting.family == PRIOR:
            yield from _prior_works(study, setting, sets, seeds)
            continue
        whole = setting.family in contrasted
        points = points_of(study, setting) if whole else (Point(setting, steps) for steps in study.tested_steps)
        for point, seed in itertools.product(points, seeds_of(study, setting)):
            if f"{setting.training.name}, seed {seed}" not in untrained:
                yield Work(setting, seed, (point,), sets, seeds if whole else seeds[:1])


def _do(
    study: Study, options: StudyOptions, works: list[Work], started: float | None, tell: Callable[[str], None]
) -> Undone:
    """Do pieces of work, ``options.jobs`` at once; a piece that needs an adversary waits until that is trained."""
    undone: list[Work] = []
    trained: set[str] = set()

    def in_time() -> bool:
        return started is None or options.minutes is None or time.monotonic() - started < 60 * options.minutes

    def skip(work: Work) -> bool:
        if in_time() or work.setting.changes is None or _training(work) in trained:
            return False
        undone.append(work)
        return True

    def undone_works() -> Undone:
        without = {_training(work) for work in undone if work.setting.changes is not None} - trained
        return Undone(tuple(map(_title, undone)), frozenset(without))

    if options.jobs == 1:
        for number, work in enumerate(works, start=1):
            if not skip(work):
                tell(f"{number}/{len(works)}: {_title(work)}")
                perform(study, options, work)
                trained.add(_training(work))
        return undone_works()
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        asking = {setting.training.name for setting in _distinct(works) if _asks_adversary(study, setting)}
        running: dict[Future[str], Work] = {}
        waiting, done = list(works), 0
        taught = set[str]() if started is not None else set(study.teachers)
        busy: set[str] = set()
        try:
            while waiting or running:
                for work in list(waiting):
                    if len(running) >= options.jobs:
                        break
                    trains = _training(work)
                    if _needs(study, work, asking) - taught or trains in busy:
                        continue
                    waiting.remove(work)
                    if not skip(work):
                        busy.add(trains)
                        running[pool.submit(perform, study, options, work)] = work
                for future in wait(running, return_when=FIRST_COMPLETED).done if running else ():
                    work = running.pop(future)
                    done += 1
                    busy.discard(_training(work))
                    taught |= {work.adversary} if work.adversary else set()
                    failure = future.exception()
                    if failure is not None and not isinstance(failure, Exception):
                        raise failure
                    tell(f"{done}/{len(works)}: {_title(work)}" + (f": failed, {failure}" if failure else ""))
                    if failure is None:
                        trained.add(_training(work))
                    else:  # the other pieces of work go on
                        undone.append(work)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return undone_works()


def _distinct(works: Sequence[Work]) -> list[Setting]:
    """One setting of each training."""
    return list(
        {work.setting.training.name: work.setting for work in works if work.setting.changes is not None}.values()
    )


def _needs(study: Study, work: Work, asking: Container[str]) -> set[str]:
    """Teachers whose adversaries must be trained before this piece of work starts.

    Args:
        study: the plan.
        work: the piece of work.
        asking: names of trainings whose losers come from an adversary.
    """
    if work.adversary or not study.teachers or (work.setting.changes is None and not work.setting.weight):
        return set()
    if work.setting.weight or work.points == () or work.setting.training.name in asking:
        return {work.setting.teacher}
    return set()


def _asks_adversary(study: Study, setting: Setting) -> bool:
    from ....asasr.errors import TrainingConfigError
    from ..ablation.arms import arm_config

    try:
        preference = arm_config(ablation_of(study), setting.training, 0).preference
    except TrainingConfigError:  # the training itself reports it, and the other pieces of work do not wait for it
        return False
    return preference is not None and any(negative.kind == "adversary" for negative in preference.negatives)


def _training(work: Work) -> str:
    """Name of what a piece of work trains; of two with the same name, the second waits for the first."""
    if work.setting.changes is None or work.adversary:
        return f"{_title(work)}"
    return f"{work.setting.training.name}, seed {work.seed}"


def _title(work: Work) -> str:
    if work.adversary:
        return f"adversary of {work.adversary}" + (", its direction" if work.directions else "")
    return f"{work.setting.name}, seed {work.seed}, {' '.join(point.name for point in work.points)}"


def perform(study: Study, options: StudyOptions, work: Work) -> str:
    """Do one piece of work in this process."""
    quiet_libraries()
    device = torch_device(options.device)
    context = TrainingContext(options.out, device)
    if work.directions:
        return str(_directions(study, options, work, context))
    if work.adversary:
        return str(adversary_of(study, work.adversary, context))
    reference = reference_of(study, work.setting, work.seed, context)
    metrics: Any = list(available(study.measurement.metrics)[0].values())
    from .scoring import score_point

    sets = _images(study, options)
    memory: dict[Any, Any] = {}
    with fixed_threads(1) if options.jobs > 1 else _nothing():
        for point in work.points:
            for name in work.sets:
                score_point(
                    point,
                    reference,
                    work.seed,
                    sets[name],
                    work.sampling_seeds,
                    measurement=study.measurement,
                    metrics=metrics,
                    folder=options.out / SCORES,
                    device=device,
                    batch=options.batch,
                    memory=memory,
                )
    return reference


def _directions(study: Study, options: StudyOptions, work: Work, context: TrainingContext) -> Path:
    from .directions import agreement

    path = options.out / DIRECTIONS / f"{work.adversary}.csv"
    if not path.is_file():
        folder = Path(reference_of(study, work.setting, 0, context).removeprefix("asasr:"))
        image_set = _images(study, options)[study.measurement.choice[0]]
        frame = agreement(
            folder, adversary_of(study, work.adversary, context), work.adversary, image_set, context.device
        )
        write_atomically(path, csv_text(frame).encode())
    return path


def _nothing() -> Any:
    from contextlib import nullcontext

    return nullcontext()
