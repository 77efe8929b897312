"""What one worker does with one job: restore images, keep them, and measure what is missing."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial

from ...datasets.ground_truth.kinds import Truth
from ...datasets.images import read_image
from ...methods.entry import MethodEntry
from ...methods.interface import AnyMethod, FinishedImages, FolderMethod, Method, PixelMethod
from ...methods.registry import resolve
from ..failures import Failure, explain, no_exit
from ..metrics.measure import GPU_BATCH, TooLargeError, ahead, grouped, measure_each
from ..metrics.metric import Metric, MetricError, Pair
from ..plan.inputs import Input, store_input
from ..plan.jobs import Job, Task, key_of, restoration_of
from ..protocols import get_protocol
from ..store.images import DamagedObjectError, Objects, Pixels, StoreError
from ..store.keys import digest
from ..store.records import CellRecord, OutputRecord, Status
from .check_output import read_pixels
from .cost import Meter
from .external_programs import restore_folder
from .library_noise import quiet_libraries
from .restore_image import Restored, restore_image, torch_device
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


def perform(job: Job, *, objects: Objects, device: str, threads: int = 1) -> list[OutputRecord]:
    """Do a job; an image that fails costs its own cells alone.

    Args:
        threads: with which methods and metrics compute; external programs have those of the user's environment.

    Raises:
        StoreError: the store cannot be written (full or read-only disk): no further job would succeed.
    """
    quiet_libraries()  # a worker elsewhere begins here
    with fixed_threads(threads) as usual:
        return _perform(job, objects, device, usual)


def _perform(job: Job, objects: Objects, device: str, usual: Mapping[str, str | None]) -> list[OutputRecord]:
    tasks = sorted(job.tasks, key=lambda task: task.sr is None)  # as _restore yields them
    job = replace(job, tasks=tuple(tasks))
    references = ahead(partial(_references, objects), tasks, 2 * GPU_BATCH)
    records = []
    for group in grouped(zip(_restore(job, objects, device, usual), references, strict=True), GPU_BATCH):
        finished: list[_Finished] = []
        restored: list[OutputRecord] = []
        for (task, outcome), compared in group:
            if isinstance(outcome, Failure):
                records.append(job.failed(task, outcome.message, outcome.detail))
                continue
            record = job.record(task)
            if task.sr is None:
                sr = objects.put(outcome.pixels)
                record = replace(
                    record, sr=sr, seconds=outcome.seconds, memory=outcome.memory, device=outcome.device,
                    parameters=outcome.parameters,
                )  # fmt: skip
                task = replace(task, sr=sr)
            if isinstance(compared, Failure):
                records.append(replace(record, cells=_all_failed(task, compared)))
                continue
            restored.append(record)
            finished.append(_finished(job, task, outcome.pixels, *compared))
        cells = _measure(job, finished, device)
        records += [replace(record, cells=measured) for record, measured in zip(restored, cells, strict=True)]
    return records


def _all_failed(task: Task, failure: Failure) -> tuple[CellRecord, ...]:
    return tuple(CellRecord(id, "failed", message=failure.message, detail=failure.detail) for id in task.metrics)


def _references(objects: Objects, task: Task) -> tuple[Pixels | None, Pixels | None] | Failure:
    """HR and LQ of a task, where something of it is to be measured."""
    if not task.metrics:
        return None, None
    try:
        return None if task.reference is None else objects.get_or_remove(task.reference), objects.get_or_remove(task.lq)
    except DamagedObjectError as error:
        return Failure.of(error)


_Outcomes = Iterator[tuple[Task, Restored | Failure]]
"""What became of each task."""


def _restore(job: Job, objects: Objects, device: str, usual: Mapping[str, str | None]) -> _Outcomes:
    """SR pixels of every task, or the reason why there are none; those that the store has first."""
    known = [task for task in job.tasks if task.sr is not None]
    new = [task for task in job.tasks if task.sr is None]
    for task, image in zip(known, ahead(partial(_known, objects), known, GPU_BATCH), strict=True):
        if image is not None:
            yield task, Restored(image)
        else:
            yield from _restore_new(job, [replace(task, sr=None)], objects, device, usual)
    if new:
        yield from _restore_new(job, new, objects, device, usual)


def _known(objects: Objects, task: Task) -> Pixels | None:
    """SR pixels that the store has; None where they are damaged."""
    try:
        return objects.get_or_remove(str(task.sr))
    except DamagedObjectError:
        return None


def _restore_new(
    job: Job, new: list[Task], objects: Objects, device: str, usual: Mapping[str, str | None]
) -> _Outcomes:
    try:
        with no_exit():
            entry = resolve(json.loads(job.reference))
            if entry.interface not in ("finished", "reference"):  # what identifies those differs from image to image
                _require_planned(entry, job, new[0])
            target = torch_device(device) if entry.interface == "tensor" else "cpu"
            method = None if entry.interface == "reference" else _method(entry, job, target)
    except Exception as error:
        yield from ((task, Failure.of(error)) for task in new)
        return
    if method is None:
        yield from ((task, _hr_of(task, objects)) for task in new)
        return
    if isinstance(method, FolderMethod):
        images = [(task.image, partial(objects.get_or_remove, task.lq)) for task in new]
        yield from zip(new, restore_folder(method, job.method, images, job.scale, job.seed, usual), strict=True)
        return
    for task in new:
        try:
            if entry.interface == "finished":
                _require_planned(entry, job, task)
            with no_exit():
                restored = _restore_one(method, job, task, objects, target)
        except StoreError:
            raise
        except Exception as error:
            yield task, Failure.of(error)
        else:
            yield task, restored


def _require_planned(entry: MethodEntry, job: Job, task: Task) -> None:
    """A worker elsewhere may have other weights or code: its pixels must not get the name of those that were planned.

    Raises:
        ValueError: they differ.
    """
    if restoration_of(entry, job, task) != task.restoration:
        raise ValueError(
            f"{platform.node()} has other weights, code or files of {job.method} than this run was planned with; make"
            " them the same and run again"
        )


def _hr_of(task: Task, objects: Objects) -> Restored | Failure:
    if task.reference is None:
        return Failure("the set has no HR")
    try:
        return Restored(objects.get_or_remove(task.reference))
    except DamagedObjectError as error:
        return Failure.of(error)


def _restore_one(
    method: Method | PixelMethod | FinishedImages, job: Job, task: Task, objects: Objects, device: str
) -> Restored:
    lq = objects.get_or_remove(task.lq)
    if isinstance(method, FinishedImages):
        path = method.image_path(task.image, job.scale)
        return Restored(read_pixels(read_image(path), lq, job.scale, str(path)))
    on_pixels = isinstance(method, PixelMethod)
    with Meter("cpu" if on_pixels else device) as meter:
        sr = restore_image(method, lq, job.scale, job.seed, device)
    place = "cpu" if on_pixels else device
    return Restored(sr, meter.seconds, meter.memory, place, method.card.parameters)


@dataclass(frozen=True)
class _Finished:
    """A restored image, ready to be measured."""

    task: Task
    pair: Pair
    broken: Mapping[str, Failure]
    """Kinds of ground truth that cannot be read, with the reason."""


def _finished(job: Job, task: Task, sr: Pixels, hr: Pixels | None, lq: Pixels | None) -> _Finished:
    truths: dict[str, Truth] = {}
    broken: dict[str, Failure] = {}
    for source in task.truths:
        try:
            truths[source.kind] = source.load(*sr.shape[:2])
        except Exception as error:
            broken[source.kind] = Failure.of(error)
    return _Finished(task, Pair(sr, hr, get_protocol(job.protocol, job.scale), lq, truths), broken)


def _measure(job: Job, images: Sequence[_Finished], device: str) -> list[tuple[CellRecord, ...]]:
    """The missing cells of each image, metric by metric, so that networks take images together."""
    cells: list[dict[str, CellRecord]] = [{} for _ in images]
    for id in dict.fromkeys(id for image in images for id in image.task.metrics):
        try:
            metric = job.metric(id)
        except MetricError as error:
            for cell in cells:
                cell[id] = CellRecord(id, "failed", message=explain(error))
            continue
        chosen = []
        for index, image in enumerate(images):
            if metric.needs in image.broken:
                failure = image.broken[metric.needs]
                cells[index][id] = CellRecord(id, "failed", message=failure.message, detail=failure.detail)
            elif id in image.task.metrics:
                chosen.append(index)
        results = _results(metric, [images[index].pair for index in chosen], device)
        for index, result in zip(chosen, results, strict=True):
            cells[index][id] = _cell(metric, images[index], result)
    return [tuple(found[id] for id in image.task.metrics) for found, image in zip(cells, images, strict=True)]


def _results(metric: Metric, pairs: Sequence[Pair], device: str) -> list[float | Exception]:
    try:
        target = "cpu" if metric.measure_many is None else torch_device(device)
    except ValueError as error:  # no such device
        return [error] * len(pairs)
    return measure_each(metric, pairs, target)


def _cell(metric: Metric, image: _Finished, result: float | Exception) -> CellRecord:
    if isinstance(result, Exception):
        status: Status = "unavailable" if isinstance(result, TooLargeError) else "failed"
        failure = Failure.of(result)
        return CellRecord(metric.id, status, message=failure.message, detail=failure.detail)
    try:
        with no_exit():
            payload = None if metric.payload is None else metric.payload(image.pair)
    except Exception as error:
        failure = Failure.of(error)
        return CellRecord(metric.id, "failed", message=failure.message, detail=failure.detail)
    key = key_of(metric, image.task, image.pair.protocol)
    return CellRecord(metric.id, "done", key=key, value=result, payload=payload)


@dataclass(frozen=True)
class _Loading:
    """A method on a device. Two are the same where their pixels are, whatever they are called."""

    identity: str
    device: str
    entry: MethodEntry = field(compare=False)


def _method(entry: MethodEntry, job: Job, device: str) -> AnyMethod:
    if entry.interface == "finished":
        return entry.load(device)
    return _loaded(_Loading(digest(entry.identity(job.tasks[0].image, job.scale)), device, entry))


@lru_cache(maxsize=1)  # jobs come method by method, so a worker holds one model at a time
def _loaded(wanted: _Loading) -> AnyMethod:
    return wanted.entry.load(wanted.device)
