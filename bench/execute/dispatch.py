"""Jobs out to an executor's workers, rows back: what travels with them, and how long they may take."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import Any

from ..plan.experiment import Experiment
from ..plan.jobs import Job
from ..store.records import OutputRecord
from ..store.store import Store
from .executors.executor import Executor, Limits, TwoHalves, WorkerDied
from .restore_then_measure import begin, finish
from .ship_pixels import Parcel, Parcels, begin_parcel, finish_parcel, perform_parcel
from .worker import perform

Results = Generator[tuple[Job, list[OutputRecord] | WorkerDied], None, None]


def dispatch(
    experiment: Experiment, executor: Executor, jobs: Sequence[Job], store: Store, stop: Callable[[], bool]
) -> Results:
    """Jobs with their rows, in any order; the images that rows refer to are in the store before them.

    A job of several images that ends its worker or takes too long is done again image by image, so that it costs the
    cells of the image at fault.
    """
    programs = {method.name for method in experiment.methods if method.entry is not None and method.entry.takes_folders}
    alone: list[Job] = []
    send = _send if executor.shares_files else _send_parcels
    for job, result in send(experiment, executor, jobs, store, stop, programs):
        if isinstance(result, WorkerDied) and len(job.tasks) > 1 and job.method not in programs:
            alone += [replace(job, tasks=(task,)) for task in job.tasks]
        else:
            yield job, result
    if alone:
        yield from send(experiment, executor, alone, store, stop, programs)


def _send(
    experiment: Experiment, executor: Executor, jobs: Sequence[Job], store: Store, stop: Callable[[], bool],
    programs: set[str],
) -> Results:  # fmt: skip
    objects, settings = store.objects, _settings(experiment)
    function = TwoHalves(
        partial(perform, objects=objects, **settings),
        partial(begin, objects=objects, **settings),
        partial(finish, objects=objects, threads=settings["threads"]),
    )
    with closing(executor.map(function, jobs, stop, _limits(experiment, programs))) as results:
        yield from results


def _send_parcels(
    experiment: Experiment, executor: Executor, jobs: Sequence[Job], store: Store, stop: Callable[[], bool],
    programs: set[str],
) -> Results:  # fmt: skip
    settings = _settings(experiment)
    function = TwoHalves(
        partial(perform_parcel, **settings),
        partial(begin_parcel, **settings),
        partial(finish_parcel, threads=settings["threads"]),
    )
    of_jobs = _limits(experiment, programs)
    limits = Limits[Parcel](lambda parcel: of_jobs.seconds(parcel.job), lambda parcel: of_jobs.kind(parcel.job))
    with closing(executor.map(function, Parcels(jobs, store.objects), stop, limits)) as results:
        for parcel, result in results:
            if isinstance(result, WorkerDied):
                yield parcel.job, result
            else:
                for digest in result.damaged:
                    store.objects.remove(digest)
                store.objects.write_files(result.new)
                yield parcel.job, result.records


def _settings(experiment: Experiment) -> dict[str, Any]:
    return {"device": experiment.spec.device, "threads": experiment.spec.threads}


def _limits(experiment: Experiment, programs: set[str]) -> Limits[Job]:
    """External programs end by their own limit, which keeps what they finished."""
    timeout = experiment.spec.timeout

    def seconds(job: Job) -> float | None:
        return None if timeout is None or job.method in programs else timeout * len(job.tasks)

    return Limits(seconds, lambda job: job.method)
