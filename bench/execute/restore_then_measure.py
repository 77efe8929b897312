"""A job in two halves, so that a GPU restores the next image while cores measure the last."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..metrics.metric import MetricError
from ..plan.jobs import Job, Task
from ..store.images import Objects
from ..store.records import OutputRecord
from .worker import perform


@dataclass(frozen=True)
class Begun:
    """What the first half leaves: rows with the values that networks measure, and the job that is left."""

    records: tuple[OutputRecord, ...]
    rest: Job


def begin(job: Job, *, objects: Objects, device: str, threads: int = 1) -> Begun:
    """Restore the images of a job, and measure what networks measure.

    Raises:
        StoreError: see ``perform``.
    """
    whole = {task.image: task for task in job.tasks}
    quick = replace(job, tasks=tuple(_only(job, task, networks=True) for task in job.tasks))
    records: list[OutputRecord] = []
    rest: list[Task] = []
    for record in perform(quick, objects=objects, device=device, threads=threads):
        task = whole[record.image]
        if record.status != "done":
            records.append(job.failed(task, record.message))
            continue
        records.append(record)
        left = replace(_only(job, task, networks=False), sr=record.sr or task.sr)
        if left.metrics:
            rest.append(left)
    return Begun(tuple(records), replace(job, tasks=tuple(rest)))


def finish(begun: Begun, *, objects: Objects, threads: int = 1) -> list[OutputRecord]:
    """Measure the rest, on cores."""
    measured = perform(begun.rest, objects=objects, device="cpu", threads=threads)
    cells = {record.image: record.cells for record in measured}
    return [replace(record, cells=(*record.cells, *cells.get(record.image, ()))) for record in begun.records]


def _only(job: Job, task: Task, *, networks: bool) -> Task:
    return replace(task, metrics=tuple(id for id in task.metrics if _is_network(job, id) == networks))


def _is_network(job: Job, id: str) -> bool:
    try:
        return job.metric(id).measure_many is not None
    except MetricError:  # measuring says so for each image
        return False
