"""From SR pixels to the cells of an output: the missing metrics of one image, or of several together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ...datasets.ground_truth.kinds import Truth
from ..failures import Failure, explain, no_exit
from ..metrics.measure import TooLargeError, measure_each
from ..metrics.metric import Metric, MetricError, Pair
from ..plan.jobs import Job, Task, key_of
from ..protocols import get_protocol
from ..store.images import Pixels
from ..store.records import CellRecord, Status
from .restore_image import torch_device


@dataclass(frozen=True)
class Measurable:
    """A restored image with all that its metrics compare it with."""

    task: Task
    """With the digest of SR."""
    pair: Pair
    broken: Mapping[str, Failure]
    """Kinds of ground truth that cannot be read, with the reason."""


Cells = dict[str, CellRecord]
"""By the id of the metric."""


def measurable(job: Job, task: Task, sr: Pixels, hr: Pixels | None, lq: Pixels | None) -> Measurable:
    """Read the ground truth of an image.

    Args:
        sr: uint8 ``[H, W]`` or ``[H, W, 3]``.
        hr: None where the set has none.
        lq: None where no metric asks for it; see ``needs_lq``.
    """
    truths: dict[str, Truth] = {}
    broken: dict[str, Failure] = {}
    for source in task.truths:
        try:
            truths[source.kind] = source.load(*sr.shape[:2])
        except Exception as error:
            broken[source.kind] = Failure.of(error)
    return Measurable(task, Pair(sr, hr, get_protocol(job.protocol, job.scale), lq, truths), broken)


def needs_lq(job: Job, task: Task, sr: Pixels) -> bool:
    """Whether a metric compares SR with LQ, or has to know whether SR is a Y plane, as a float LQ is."""
    return sr.ndim == 2 or any(_need(job, id) == "lq" for id in task.metrics)


def _need(job: Job, id: str) -> str:
    try:
        return job.metric(id).needs
    except MetricError:  # measuring says so
        return ""


def is_network(job: Job, id: str) -> bool:
    """Whether a metric of a job takes images together, on a device."""
    try:
        return job.metric(id).measure_many is not None
    except MetricError:  # measuring says so for each image
        return False


def measure(job: Job, images: Sequence[Measurable], device: str, wanted: Callable[[str], bool]) -> list[Cells]:
    """Cells of each image, metric by metric, so that networks take images together.

    Args:
        device: of the run, for networks.
        wanted: which of the missing metrics, by their ids.
    """
    cells: list[Cells] = [{} for _ in images]
    for id in filter(wanted, dict.fromkeys(id for image in images for id in image.task.metrics)):
        try:
            metric = job.metric(id)
        except MetricError as error:
            for cell in cells:
                cell[id] = CellRecord(id, "failed", message=explain(error))
            continue
        chosen = []
        for index, image in enumerate(images):
            if metric.needs in image.broken:
                cells[index][id] = failed_cell(id, image.broken[metric.needs])
            elif id in image.task.metrics:
                chosen.append(index)
        results = _results(metric, [images[index].pair for index in chosen], device)
        for index, result in zip(chosen, results, strict=True):
            cells[index][id] = _cell(metric, images[index], result)
    return cells


def failed_cell(id: str, failure: Failure, status: Status = "failed") -> CellRecord:
    """A cell without a value."""
    return CellRecord(id, status, message=failure.message, detail=failure.detail)


def _results(metric: Metric, pairs: Sequence[Pair], device: str) -> list[float | Exception]:
    try:
        target = "cpu" if metric.measure_many is None else torch_device(device)
    except ValueError as error:  # no such device
        return [error] * len(pairs)
    return measure_each(metric, pairs, target)


def _cell(metric: Metric, image: Measurable, result: float | Exception) -> CellRecord:
    if isinstance(result, Exception):
        too_large = isinstance(result, TooLargeError)
        return failed_cell(metric.id, Failure.of(result), "unavailable" if too_large else "failed")
    try:
        with no_exit():
            payload = None if metric.payload is None else metric.payload(image.pair)
    except Exception as error:
        return failed_cell(metric.id, Failure.of(error))
    key = key_of(metric, image.task, image.pair.protocol)
    return CellRecord(metric.id, "done", key=key, value=result, payload=payload)
