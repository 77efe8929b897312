"""The work of one worker: prepare inputs, restore images, store them, and measure missing metrics."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self

from ...methods import hr as ceiling
from ...methods.interface import Interface
from ..failures import Failure, explain
from ..metrics.measure import GPU_BATCH, Result, ahead
from ..metrics.metric import Metric, MetricError
from ..plan.inputs import Input, store_input
from ..plan.jobs import Job, Task
from ..protocols import Protocol
from ..store.images import DamagedObjectError, Objects, Pixels, StoreError
from ..store.records import OutputRecord
from .at_hand import AtHand, Loaded, require_planned
from .beside import Beside
from .library_noise import quiet_libraries
from .measure_outputs import Cells, Measurable, failed_cell, measurable, measure, needs_lq
from .restore_batches import ALONE, Batches
from .restore_image import LqImage, Restored
from .restore_images import restore_images
from .threads import fixed_threads


@dataclass(frozen=True)
class InputResult:
    """Digests of LQ and HR of one input, or the reason why there are none."""

    key: str
    lq: str | None = None
    reference: str | None = None
    error: str = ""


class InputWorker:
    """Reads or makes LQ and HR of inputs and stores both; entered once by every worker."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._open = ExitStack()

    def __reduce__(self) -> tuple[type[InputWorker], tuple[Objects]]:
        return InputWorker, (self._objects,)

    def __enter__(self) -> InputWorker:
        self._open.enter_context(fixed_threads(1))
        return self

    def __exit__(self, *error: Any) -> None:
        self._open.__exit__(*error)

    def __call__(self, work: tuple[str, Input]) -> InputResult:
        """Do one (key, input)."""
        key, item = work
        try:
            lq, reference = store_input(item, self._objects)
        except StoreError:
            raise
        except Exception as error:
            return InputResult(key, error=explain(error))
        return InputResult(key, lq, reference)


class Worker:
    """Does the jobs of one run. Executors enter it once in each worker; a pickled copy starts without loaded methods.

    Args:
        device: device of networks: ``auto``, ``cpu``, ``cuda:1``.
        threads: number of threads of methods and metrics; external programs have those of the user's environment.
        batches: number of images of one size that a network restores together.
    """

    def __init__(self, device: str, threads: int = 1, batches: Batches = ALONE) -> None:
        self._device, self._threads, self._batches = device, threads, batches
        self._at_hand = AtHand(device)
        self._open = ExitStack()

    def __reduce__(self) -> tuple[type[Worker], tuple[Any, ...]]:
        return type(self), (self._device, self._threads, self._batches)

    def __enter__(self) -> Self:
        quiet_libraries()  # a worker elsewhere begins here
        self._usual = self._open.enter_context(fixed_threads(self._threads))
        self._beside = self._open.enter_context(Beside(self._threads))
        return self

    def __exit__(self, *error: Any) -> None:
        self._open.__exit__(*error)

    def perform(self, job: Job, objects: Objects) -> list[OutputRecord]:
        """Do a job; an image that fails loses its own cells only.

        Networks measure up to ``GPU_BATCH`` images together, and memory holds no more of them. Where a GPU restores, a
        thread keeps and measures each image while the next is restored. On a CPU that would gain nothing: a run says
        how many threads a worker has, and what a thread takes would count as the method's cost.

        Args:
            job: its images of one dataset, for one method and seed.
            objects: where stored images are, and new ones go.

        Raises:
            StoreError: the store cannot be written (full or read-only disk): no further job would succeed.
        """
        tasks = sorted(job.tasks, key=lambda task: task.sr is None)  # as _restore yields them
        metrics = self._metrics(job)
        networks = {id: metric for id, metric in metrics.items() if isinstance(metric, Metric) and metric.batched}
        shared = _Shared(job, objects, metrics, networks.keys(), self._at_hand.protocol(job))
        hr_as_sr = job.method.id == ceiling.CARD.id  # then HR is read where it is restored
        compared = iter(()) if hr_as_sr else _ahead(partial(_hr, objects), tasks, 2 * GPU_BATCH)
        records: list[OutputRecord] = []
        pending: list[_Output | Callable[[], _Output]] = []
        for task, outcome in self._restore(job, tasks, objects):
            hr = next(compared, None)
            if isinstance(outcome, Failure):
                records.append(job.failed(task, outcome.message, outcome.detail))
            elif outcome.device in ("cpu", "external"):
                pending.append(_keep_and_measure(shared, task, outcome, outcome.pixels if hr_as_sr else hr))
            else:
                pending.append(self._beside.call(partial(_keep_and_measure, shared, task, outcome, hr)))
            if len(pending) == GPU_BATCH:
                records += _with_networks(networks, pending, self._device)
                pending = []
        return [*records, *_with_networks(networks, pending, self._device)]

    def _metrics(self, job: Job) -> dict[str, Metric | MetricError]:
        """All metrics that are missing of a job's images."""
        metrics: dict[str, Metric | MetricError] = {}
        for id in dict.fromkeys(id for task in job.tasks for id in task.metrics):
            try:
                metrics[id] = self._at_hand.metric(job, id)
            except MetricError as error:
                metrics[id] = error
        return metrics

    def _restore(self, job: Job, tasks: Sequence[Task], objects: Objects) -> _Outcomes:
        """SR pixels of every task, or the reason why there are none; those that the store has first."""
        known = [task for task in tasks if task.sr is not None]
        new = [task for task in tasks if task.sr is None]
        for task, image in zip(known, _ahead(partial(_known, objects), known, GPU_BATCH), strict=True):
            if image is not None:
                yield task, Restored(image)
            else:
                yield from self._restore_new(job, [replace(task, sr=None)], objects)
        if new:
            yield from self._restore_new(job, new, objects)

    def _restore_new(self, job: Job, new: Sequence[Task], objects: Objects) -> _Outcomes:
        try:
            loaded = self._at_hand.method(job, new[0])
        except Exception as error:
            yield from ((task, Failure.of(error)) for task in new)
            return
        if loaded.method is None:
            yield from ((task, _hr_as_sr(task, objects)) for task in new)
            return
        images = []
        for task in new:
            load = partial(objects.get_or_remove, task.lq)
            if loaded.entry.interface == Interface.FINISHED:
                load = partial(_planned_lq, loaded, job, task, objects)
            images.append(LqImage(task.image, load, task.lq, task.count))
        outcomes = restore_images(
            loaded.method,
            job.name,
            images,
            job.scale,
            job.seed,
            loaded.device,
            self._usual,
            self._batches,
            loaded.check,
            loaded.peaks,
        )
        yield from zip(new, outcomes, strict=True)


class StoreWorker(Worker):
    """Does jobs whose images are in the folder of the store."""

    def __init__(self, device: str, threads: int, objects: Objects, batches: Batches = ALONE) -> None:
        super().__init__(device, threads, batches)
        self._objects = objects

    def __reduce__(self) -> tuple[type[Worker], tuple[Any, ...]]:
        return StoreWorker, (self._device, self._threads, self._objects, self._batches)

    def __call__(self, job: Job) -> list[OutputRecord]:
        """Do one; see ``Worker.perform``."""
        return self.perform(job, self._objects)


_Outcomes = Iterator[tuple[Task, Restored | Failure]]
"""What became of each task."""


@dataclass(frozen=True)
class _Shared:
    """What all images of a job share when they are kept and measured."""

    job: Job
    objects: Objects
    metrics: Mapping[str, Metric | MetricError]
    networks: Container[str]
    """Those of the metrics that take images together, on a device."""
    protocol: Protocol


@dataclass(frozen=True)
class _Output:
    """An image that is kept and measured, apart from what networks measure."""

    task: Task
    record: OutputRecord
    image: Measurable | None
    """None where its metrics are not measured."""
    cells: Cells


def _keep_and_measure(shared: _Shared, task: Task, restored: Restored, hr: Pixels | Failure | None) -> _Output:
    record = shared.job.record(task)
    if task.sr is None:
        sr = task.reference if restored.pixels is hr else shared.objects.put(restored.pixels)
        record = replace(
            record,
            sr=sr,
            seconds=restored.seconds,
            memory=restored.memory,
            device=restored.device,
            parameters=restored.parameters,
            operations=restored.operations,
        )
        task = replace(task, sr=sr)
    if not task.metrics:
        return _Output(task, record, None, {})
    lq = restored.lq
    try:
        if lq is None and needs_lq(shared.metrics, task, restored.pixels):
            lq = shared.objects.get_or_remove(task.lq)
    except DamagedObjectError as error:
        hr = Failure.of(error)
    if isinstance(hr, Failure):
        return _Output(task, record, None, {id: failed_cell(id, hr) for id in task.metrics})
    image = measurable(task, shared.protocol, restored.pixels, hr, lq)
    alone = {id: shared.metrics[id] for id in task.metrics if id not in shared.networks}
    (cells,) = measure(alone, [image], "cpu")
    return _Output(task, record, image, cells)


def _with_networks(
    networks: Mapping[str, Metric | MetricError], pending: Sequence[_Output | Callable[[], _Output]], device: str
) -> list[OutputRecord]:
    """The rows of outputs, once all are there and networks have measured those that they take."""
    outputs = [output if isinstance(output, _Output) else output() for output in pending]
    images = [output.image for output in outputs if output.image is not None]
    measured = iter(measure(networks, images, device) if networks else [{}] * len(images))
    records = []
    for output in outputs:
        cells = output.cells if output.image is None else output.cells | next(measured)
        records.append(replace(output.record, cells=tuple(cells[id] for id in output.task.metrics)))
    return records


def _ahead(function: Callable[[Task], Result], tasks: Sequence[Task], window: int) -> Iterator[Result]:
    """See ``ahead``; one image alone needs no threads."""
    return map(function, tasks) if len(tasks) < 2 else ahead(function, tasks, window)


def _hr(objects: Objects, task: Task) -> Pixels | Failure | None:
    """HR of a task, where something of it is to be measured and the set has one."""
    if not task.metrics or task.reference is None:
        return None
    try:
        return objects.get_or_remove(task.reference)
    except DamagedObjectError as error:
        return Failure.of(error)


def _known(objects: Objects, task: Task) -> Pixels | None:
    """SR pixels that the store has; None where they are damaged."""
    try:
        return objects.get_or_remove(str(task.sr))
    except DamagedObjectError:
        return None


def _planned_lq(loaded: Loaded, job: Job, task: Task, objects: Objects) -> Pixels:
    """LQ of a task, if its finished image is the one that was planned."""
    require_planned(loaded.entry, job, task)
    return objects.get_or_remove(task.lq)


def _hr_as_sr(task: Task, objects: Objects) -> Restored | Failure:
    if task.reference is None:
        return Failure("the set has no HR")
    try:
        return Restored(objects.get_or_remove(task.reference))
    except DamagedObjectError as error:
        return Failure.of(error)
