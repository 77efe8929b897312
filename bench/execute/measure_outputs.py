"""Measure the missing metrics of restored images, one by one or several together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...datasets.ground_truth.kinds import Truth
from ..failures import Failure, explain
from ..metrics.measure import TooLargeError, measure_each
from ..metrics.metric import Metric, MetricError, Score
from ..metrics.metric_input import MetricInput, Pixels
from ..plan.jobs import Task, key_of
from ..protocols import Protocol
from ..store.records import CellRecord, Status
from .restore_image import torch_device


@dataclass(frozen=True)
class Measurable:
    """A restored image with everything that its metrics compare it with."""

    task: Task
    """With the digest of SR."""
    compared: MetricInput
    broken: Mapping[str, Failure]
    """Kinds of ground truth that cannot be read, with the reason."""


Cells = dict[str, CellRecord]
"""By the id of the metric."""


def measurable(task: Task, protocol: Protocol, sr: Pixels, hr: Pixels | None, lq: Pixels | None) -> Measurable:
    """An image that is ready to be measured; its ground truth is read.

    Args:
        task: the image, with the digest of SR.
        protocol: conventions of the measurement.
        sr: SR pixels, uint8 ``[H, W]`` or ``[H, W, 3]``.
        hr: HR pixels; None if the set has no HR.
        lq: LQ pixels; None if no metric needs them, see ``needs_lq``.
    """
    truths: dict[str, Truth] = {}
    broken: dict[str, Failure] = {}
    for source in task.truths:
        try:
            truths[source.kind] = source.load(*sr.shape[:2])
        except Exception as error:
            broken[source.kind] = Failure.of(error)
    return Measurable(task, MetricInput(sr, hr, protocol, lq, truths), broken)


Metrics = Mapping[str, Metric | MetricError]
"""The metrics of a job by their ids, or the error why a metric is not available."""


def needs_lq(metrics: Metrics, task: Task, sr: Pixels) -> bool:
    """Whether a metric compares SR with LQ, or has to know whether SR is a Y plane, as a float LQ is."""
    planned_metrics = (metrics[id] for id in task.metrics)
    return sr.ndim == 2 or any(
        isinstance(metric, Metric) and metric.card.needs in ("lq", "pair") for metric in planned_metrics
    )


def measure(metrics: Metrics, images: Sequence[Measurable], device: str) -> list[Cells]:
    """Cells of each image, measured metric by metric, so that networks take several images together.

    Args:
        metrics: metrics by id; of the missing metrics of an image, only these are measured.
        images: images to measure.
        device: torch device of networks.
    """
    cells: list[Cells] = [{} for _ in images]
    for id, metric in metrics.items():
        if isinstance(metric, MetricError):
            for cell in cells:
                cell[id] = CellRecord(id, "failed", message=explain(metric))
            continue
        chosen = []
        for index, image in enumerate(images):
            if metric.card.needs in image.broken:
                cells[index][id] = failed_cell(id, image.broken[metric.card.needs])
            elif id in image.task.metrics:
                chosen.append(index)
        results = _results(metric, [images[index].compared for index in chosen], device)
        for index, result in zip(chosen, results, strict=True):
            cells[index][id] = _cell(metric, images[index], result)
    return cells


def failed_cell(id: str, failure: Failure, status: Status = "failed") -> CellRecord:
    """A cell without a value."""
    return CellRecord(id, status, message=failure.message, detail=failure.detail)


def _results(metric: Metric, inputs: Sequence[MetricInput], device: str) -> list[Score | Exception]:
    try:
        target = torch_device(device) if metric.batched else "cpu"
    except ValueError as error:  # no such device
        return [error] * len(inputs)
    return measure_each(metric, inputs, target)


def _cell(metric: Metric, image: Measurable, result: Score | Exception) -> CellRecord:
    if isinstance(result, Exception):
        too_large = isinstance(result, TooLargeError)
        return failed_cell(metric.card.id, Failure.of(result), "unavailable" if too_large else "failed")
    key = key_of(metric, image.task, image.compared.protocol)
    return CellRecord(metric.card.id, "done", key=key, value=result.value, payload=result.payload)
