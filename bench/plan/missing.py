"""Plan the jobs whose results a store lacks; planning reads digests and keys, but no image and no network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from itertools import groupby
from math import ceil
from typing import Literal, Protocol

from ...datasets.dataset import Dataset
from ...methods.errors import MethodError
from ...methods.interface import Interface
from ..metrics.measure import grouped, images_together
from ..store.records import CellRecord, OutputRecord, Place, PlaceState
from ..store.store import Store
from .experiment import Experiment, PlannedMethod
from .inputs import Input, InputPlace, PreparedInput
from .jobs import Job, MetricCode, Task, key_of, restoration_of

_STRETCH = 1024
"""Number of outputs that are planned together, so that neighbours can share a job."""
Scope = Literal["all", "untried", "failed"]
"""Cells without a value that a run tries: all, those that never failed, or only those that failed."""


@dataclass(frozen=True)
class Planned:
    """Result of planning an output, or a job for several outputs."""

    job: Job | None = None
    record: OutputRecord | None = None
    """A row that needs no work: its results are known under another name, or the output cannot be made."""
    stored: bool = False
    """The store has this row already, so that it is counted but not written."""
    done: int = 0
    """Number of cells whose scores the store has."""


class Inputs(Protocol):
    """Prepared inputs by place."""

    def find(self, place: InputPlace) -> PreparedInput:
        """The digests of an input, or the reason why there are none."""


def plan(experiment: Experiment, store: Store, inputs: Inputs, scope: Scope = "all") -> Iterator[Planned]:
    """Compare an experiment with a store, as a stream: memory does not grow with the dataset.

    Args:
        experiment: what is to be restored and measured.
        store: store with earlier results.
        inputs: prepared inputs.
        scope: which cells without a value are tried.
    """
    unavailable = {metric.id: metric.missing() for metric in experiment.metrics}
    # Keys contain digests of weights; if weights are missing, the version with which the store was measured counts.
    cards = store.metrics()
    implementations = {
        metric.id: (cards[metric.id].version if metric.id in cards else "")
        if unavailable[metric.id]
        else metric.implementation
        for metric in experiment.metrics
    }
    code = tuple(
        MetricCode(metric.id, metric.code, implementations[metric.id]) for metric in experiment.metrics if metric.code
    )

    own_protocol = experiment.protocol if experiment.protocol.own else None

    @cache
    def applicable(reference: bool, lq_rule: str, truths: tuple[str, ...], is_hr: bool) -> tuple[str, ...]:
        """Ids of the metrics that are defined for an image; cached, since they are the same for most images."""
        return tuple(
            metric.id
            for metric in experiment.metrics
            if metric.applies(reference=reference, lq_rule=lq_rule, truths=truths)
            and (metric.card.bounded or not is_hr)
        )

    counted = {
        (name, dataset)
        for name, method in store.methods().items()
        for dataset in method.operations
        if method.operations_on(dataset, experiment.spec.scale) is not None
    }
    folders: dict[tuple[str, str, int], tuple[Job, list[Task]]] = {}
    for stretch in grouped(experiment.outputs(), _STRETCH):
        jobs: list[Job] = []
        for method, seed, dataset, item in stretch:
            blank = Job(
                dataset=dataset.name,
                name=method.name,
                method=method.reference,
                protocol=experiment.protocol.name,
                scale=experiment.spec.scale,
                seed=seed,
                lq_rule=dataset.lq_rule,
                tasks=(),
                code=code,
                conventions=own_protocol,
            )
            place = Place(blank.protocol, blank.scale, blank.dataset, item.image, blank.name, blank.seed)
            state = store.state_of(place)
            if scope == "untried" and state is not None and state.status == "failed":
                continue
            if scope == "failed" and (state is None or not state.failed):
                continue
            task = _task(applicable, blank, method, dataset, item, store, inputs)
            if isinstance(task, OutputRecord):
                yield Planned(record=task)
                continue
            if scope != "all" and state is not None:
                failed_before = scope == "failed"
                task = replace(task, metrics=tuple(id for id in task.metrics if (id in state.failed) is failed_before))
            cells = _known_cells(experiment, task, store, implementations)
            yield Planned(done=len(cells))
            cells |= {
                metric: CellRecord(metric, "unavailable", message=unavailable[metric])
                for metric in task.metrics
                if metric not in cells and unavailable[metric]
            }
            missing = tuple(metric for metric in task.metrics if metric not in cells)
            if cells or not missing:
                record = replace(blank.record(task), cells=tuple(cells.values()))
                if task.sr is not None and not missing:
                    yield Planned(record=record, stored=_recorded(state, task, cells))
                    continue
                if cells:
                    yield Planned(record=record)
            computes = method.entry is not None and method.entry.interface == Interface.TENSOR
            count = computes and task.sr is None and (blank.name, blank.dataset) not in counted
            if count:
                counted.add((blank.name, blank.dataset))
            task = replace(task, metrics=missing, count=count)
            if method.entry is not None and method.entry.interface == Interface.FOLDER:
                folders.setdefault((blank.dataset, blank.name, blank.seed), (blank, []))[1].append(task)
            else:
                jobs.append(replace(blank, tasks=(task,)))
        yield from (Planned(job=job) for job in _joined(jobs, experiment))
    yield from (Planned(job=replace(job, tasks=tuple(tasks))) for job, tasks in folders.values())


def _joined(jobs: list[Job], experiment: Experiment) -> list[Job]:
    """Put neighbouring images of one method into one job if networks restore or measure them in batches."""
    spec = experiment.spec
    together = images_together(spec.batch, spec.device)
    measuring = {metric.id for metric in experiment.metrics if metric.batched}
    restoring = {
        method.name
        for method in experiment.methods
        if method.entry is not None and method.entry.interface == Interface.TENSOR
    }
    if together == 1:
        return jobs

    def needs_network(job: Job) -> bool:
        (task,) = job.tasks
        return (task.sr is None and job.name in restoring) or not measuring.isdisjoint(task.metrics)

    joined: list[Job] = []
    for (_, _, _, uses_network), alike in groupby(
        jobs, key=lambda job: (job.dataset, job.name, job.seed, needs_network(job))
    ):
        remaining_jobs = list(alike)
        size = min(
            together, ceil(len(remaining_jobs) / (spec.workers or 1))
        )  # no worker waits while another has several
        joined += [
            replace(part[0], tasks=tuple(task for job in part for task in job.tasks))
            for part in grouped(remaining_jobs, size if uses_network else 1)
        ]
    return joined


def _task(
    applicable: Callable[[bool, str, tuple[str, ...], bool], tuple[str, ...]],
    job: Job,
    method: PlannedMethod,
    dataset: Dataset,
    item: Input,
    store: Store,
    inputs: Inputs,
) -> Task | OutputRecord:
    """The task of one output, or the row that says why the output cannot be made."""
    prepared = inputs.find((dataset.name, item.image, item.on_luma))
    has_hr, kinds = item.hr is not None, tuple(source.kind for source in item.truths)
    is_hr = method.entry is not None and method.entry.interface == Interface.HR
    metrics = applicable(has_hr, job.lq_rule, kinds, is_hr)
    blank = Task(item.image, prepared.lq, prepared.reference, "", None, metrics, item.truths)
    if prepared.error:
        return job.failed(blank, prepared.error)
    if method.entry is None:
        cells = tuple(CellRecord(metric, "unavailable", message=method.unavailable) for metric in metrics)
        return replace(job.record(blank), status="unavailable", message=method.unavailable, cells=cells)
    try:
        key = restoration_of(method.entry, job, blank)
    except (MethodError, OSError) as problem:
        return job.failed(blank, str(problem))
    sr = store.restoration_of(key)
    if sr is not None and store.objects.path(sr) is None:
        sr = None
    return replace(blank, restoration=key, sr=sr)


def _known_cells(
    experiment: Experiment, task: Task, store: Store, implementations: Mapping[str, str]
) -> dict[str, CellRecord]:
    """Cells of a task whose scores the store has."""
    if task.sr is None:
        return {}
    keys = {
        metric.id: key_of(metric, task, experiment.protocol, implementations[metric.id])
        for metric in experiment.metrics
        if metric.id in task.metrics
    }
    return {id: CellRecord(id, "done", key=key) for id, key in keys.items() if store.has_score(key)}


def _recorded(state: PlaceState | None, task: Task, cells: Mapping[str, CellRecord]) -> bool:
    return (
        state is not None
        and state.status == "done"
        and (state.restoration, state.lq, state.reference) == (task.restoration, task.lq, task.reference)
        and all(state.cells.get(id) == (cell.key, cell.status) for id, cell in cells.items())
    )
