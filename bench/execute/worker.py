"""What one worker does with one job: restore images, keep them, and measure what is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from ..failures import Failure, explain, no_exit
from ..metrics.measure import GPU_BATCH, ahead, grouped
from ..plan.inputs import Input, store_input
from ..plan.jobs import Job, Task
from ..store.images import DamagedObjectError, Objects, Pixels, StoreError
from ..store.records import OutputRecord
from .beside import Beside, in_place
from .library_noise import quiet_libraries
from .loaded_methods import Loaded, LoadedMethods, require_planned
from .measure_outputs import Cells, Measurable, failed_cell, is_network, measurable, measure, needs_lq
from .restore_image import Restored
from .restore_images import LqImage, restore_images
from .threads import fixed_threads


@dataclass(frozen=True)
class InputResult:
    """LQ and HR digests of one input, or why there are none."""

    key: str
    lq: str | None = None
    reference: str | None = None
    error: str = ""


def prepare(work: tuple[str, Input], *, objects: Objects) -> InputResult:
    """Load or make the LQ and HR of one (key, input) and keep both in the store."""
    key, item = work
    try:
        with fixed_threads(1):
            lq, reference = store_input(item, objects)
    except StoreError:
        raise
    except Exception as error:
        return InputResult(key, error=explain(error))
    return InputResult(key, lq, reference)


def perform(
    job: Job, *, objects: Objects, device: str, threads: int = 1, methods: LoadedMethods | None = None
) -> list[OutputRecord]:
    """Do a job; an image that fails costs its own cells alone.

    Args:
        job: its images of one dataset, for one method and seed.
        objects: where stored images are, and new ones go.
        device: of the run, for networks: ``auto``, ``cpu``, ``cuda:1``.
        threads: with which methods and metrics compute; external programs have those of the user's environment.
        methods: what this worker has loaded, kept from job to job; None: nothing.

    Raises:
        StoreError: the store cannot be written (full or read-only disk): no further job would succeed.
    """
    quiet_libraries()  # a worker elsewhere begins here
    with fixed_threads(threads) as usual, Beside(threads) as beside:
        return _perform(job, objects, device, methods or LoadedMethods(), usual, beside)


def _perform(
    job: Job, objects: Objects, device: str, methods: LoadedMethods, usual: Mapping[str, str | None], beside: Beside
) -> list[OutputRecord]:
    """Restore image by image; networks measure up to ``GPU_BATCH`` of them together, and memory holds no more.

    Where a GPU restores, a thread keeps and measures each image while the next is restored. On a CPU that would gain
    nothing: a run says how many threads a worker has, and what a thread takes would count as the method's cost.
    """
    tasks = sorted(job.tasks, key=lambda task: task.sr is None)  # as _restore yields them
    # HR itself is read where it is restored.
    compared = iter(()) if job.restores_hr else ahead(partial(_hr, objects), tasks, 2 * GPU_BATCH)
    records: list[OutputRecord] = []
    for group in grouped(_restore(job, tasks, objects, device, methods, usual), GPU_BATCH):
        pending: list[Callable[[], _Output]] = []
        for task, outcome in group:
            hr = next(compared, None)
            if isinstance(outcome, Failure):
                records.append(job.failed(task, outcome.message, outcome.detail))
                continue
            call = beside.call if outcome.on_gpu else in_place
            hr = outcome.pixels if job.restores_hr else hr
            pending.append(call(partial(_keep_and_measure, job, task, outcome, hr, objects)))
        records += _with_networks(job, [output() for output in pending], device)
    return records


@dataclass(frozen=True)
class _Output:
    """An image that is kept and measured, apart from what networks measure."""

    task: Task
    record: OutputRecord
    image: Measurable | None
    """None where its metrics are not measured."""
    cells: Cells


def _keep_and_measure(
    job: Job, task: Task, restored: Restored, hr: Pixels | Failure | None, objects: Objects
) -> _Output:
    record = job.record(task)
    if task.sr is None:
        sr = task.reference if job.restores_hr else objects.put(restored.pixels)
        record = replace(
            record, sr=sr, seconds=restored.seconds, memory=restored.memory, device=restored.device,
            parameters=restored.parameters,
        )  # fmt: skip
        task = replace(task, sr=sr)
    if not task.metrics:
        return _Output(task, record, None, {})
    lq = restored.lq
    try:
        if lq is None and needs_lq(job, task, restored.pixels):
            lq = objects.get_or_remove(task.lq)
    except DamagedObjectError as error:
        hr = Failure.of(error)
    if isinstance(hr, Failure):
        return _Output(task, record, None, {id: failed_cell(id, hr) for id in task.metrics})
    image = measurable(job, task, restored.pixels, hr, lq)
    (cells,) = measure(job, [image], "cpu", lambda id: not is_network(job, id))
    return _Output(task, record, image, cells)


def _with_networks(job: Job, outputs: Sequence[_Output], device: str) -> Iterator[OutputRecord]:
    """The rows of outputs, after networks measured those that they take."""
    images = [output.image for output in outputs if output.image is not None]
    measured = iter(measure(job, images, device, lambda id: is_network(job, id)))
    for output in outputs:
        cells = output.cells if output.image is None else output.cells | next(measured)
        yield replace(output.record, cells=tuple(cells[id] for id in output.task.metrics))


def _hr(objects: Objects, task: Task) -> Pixels | Failure | None:
    """HR of a task, where something of it is to be measured and the set has one."""
    if not task.metrics or task.reference is None:
        return None
    try:
        return objects.get_or_remove(task.reference)
    except DamagedObjectError as error:
        return Failure.of(error)


_Outcomes = Iterator[tuple[Task, Restored | Failure]]
"""What became of each task."""


def _restore(
    job: Job, tasks: Sequence[Task], objects: Objects, device: str, methods: LoadedMethods,
    usual: Mapping[str, str | None],
) -> _Outcomes:  # fmt: skip
    """SR pixels of every task, or the reason why there are none; those that the store has first."""
    known = [task for task in tasks if task.sr is not None]
    new = [task for task in tasks if task.sr is None]
    for task, image in zip(known, ahead(partial(_known, objects), known, GPU_BATCH), strict=True):
        if image is not None:
            yield task, Restored(image)
        else:
            yield from _restore_new(job, [replace(task, sr=None)], objects, device, methods, usual)
    if new:
        yield from _restore_new(job, new, objects, device, methods, usual)


def _known(objects: Objects, task: Task) -> Pixels | None:
    """SR pixels that the store has; None where they are damaged."""
    try:
        return objects.get_or_remove(str(task.sr))
    except DamagedObjectError:
        return None


def _restore_new(
    job: Job, new: Sequence[Task], objects: Objects, device: str, methods: LoadedMethods,
    usual: Mapping[str, str | None],
) -> _Outcomes:  # fmt: skip
    try:
        with no_exit():
            loaded = methods.of(job, new[0], device)
    except Exception as error:
        yield from ((task, Failure.of(error)) for task in new)
        return
    if loaded.method is None:
        yield from ((task, _hr_as_sr(task, objects)) for task in new)
        return
    images = [LqImage(task.image, partial(_planned_lq, loaded, job, task, objects), task.lq) for task in new]
    outcomes = restore_images(loaded.method, job.name, images, job.scale, job.seed, loaded.device, usual)
    yield from zip(new, outcomes, strict=True)


def _planned_lq(loaded: Loaded, job: Job, task: Task, objects: Objects) -> Pixels:
    """LQ of a task, if what its method makes of it is what was planned."""
    if loaded.entry.is_finished:
        require_planned(loaded.entry, job, task)
    return objects.get_or_remove(task.lq)


def _hr_as_sr(task: Task, objects: Objects) -> Restored | Failure:
    if task.reference is None:
        return Failure("the set has no HR")
    try:
        return Restored(objects.get_or_remove(task.reference))
    except DamagedObjectError as error:
        return Failure.of(error)
