"""Send jobs to the workers of an executor and receive their rows, with time limits and, if needed, with images."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import replace

from ...methods.interface import Interface
from ..metrics.measure import images_together
from ..plan.experiment import Experiment
from ..plan.jobs import Job
from ..spec import Spec
from ..store.records import OutputRecord
from ..store.store import Store
from .executors.executor import Executor, Limits, WorkerDied
from .restore_batches import Batches
from .ship_pixels import ShippedJob, ShippedJobs, ShippingWorker
from .worker import StoreWorker

Results = Generator[tuple[Job, list[OutputRecord] | WorkerDied], None, None]


def dispatch(
    experiment: Experiment, executor: Executor, jobs: Sequence[Job], store: Store, stop: Callable[[], bool]
) -> Results:
    """Jobs with their rows, in any order; the images of a row are in the store before the row is returned.

    If a job of several images ends its worker or takes too long, it is done again image by image, so that only the
    image at fault loses its cells.

    Args:
        experiment: the experiment with device, threads and time limit.
        executor: executor of the jobs.
        jobs: the jobs to do.
        store: store from which images are read, and to which they are written.
        stop: asked again and again; once it returns true, no further job is started.
    """
    programs = {
        method.name
        for method in experiment.methods
        if method.entry is not None and method.entry.interface == Interface.FOLDER
    }
    alone: list[Job] = []
    send = _send if executor.shares_files else _ship
    for job, result in send(experiment, executor, jobs, store, stop, programs):
        if isinstance(result, WorkerDied) and len(job.tasks) > 1 and job.name not in programs:
            alone += [replace(job, tasks=(task,)) for task in job.tasks]
        else:
            yield job, result
    if alone:
        yield from send(experiment, executor, alone, store, stop, programs)


def _send(
    experiment: Experiment,
    executor: Executor,
    jobs: Sequence[Job],
    store: Store,
    stop: Callable[[], bool],
    programs: set[str],
) -> Results:
    spec = experiment.spec
    function = StoreWorker(spec.device, spec.threads, store.objects, _batches(spec))
    with closing(executor.map(function, jobs, stop, _limits(experiment, programs))) as results:
        yield from results


def _ship(
    experiment: Experiment,
    executor: Executor,
    jobs: Sequence[Job],
    store: Store,
    stop: Callable[[], bool],
    programs: set[str],
) -> Results:
    spec = experiment.spec
    function = ShippingWorker(spec.device, spec.threads, _batches(spec))
    of_jobs = _limits(experiment, programs)
    limits = Limits[ShippedJob](lambda shipped: of_jobs.seconds(shipped.job), lambda shipped: of_jobs.kind(shipped.job))
    with closing(executor.map(function, ShippedJobs(jobs, store.objects), stop, limits)) as results:
        for shipped, result in results:
            if isinstance(result, WorkerDied):
                yield shipped.job, result
            else:
                for digest in result.damaged:
                    store.objects.remove(digest)
                store.objects.write_files(result.new)
                yield shipped.job, result.records


def _batches(spec: Spec) -> Batches:
    """Number of images that are restored together: as the user says, else as many as certainly fit into memory."""
    together = images_together(spec.batch, spec.device)
    return Batches(together) if spec.batch is None else Batches(together, None)


def _limits(experiment: Experiment, programs: set[str]) -> Limits[Job]:
    """Time limit of a job in seconds; external programs have their own limit, which keeps finished images."""
    timeout = experiment.spec.timeout

    def seconds(job: Job) -> float | None:
        return None if timeout is None or job.name in programs else timeout * len(job.tasks)

    return Limits(seconds, lambda job: job.name)
