"""Detection and instance segmentation as metrics: AP of an engine's objects in SR, by the truth or by those in HR."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from .....datasets.ground_truth.kinds import Instances
from ...card import MetricCard
from ...metric import Metric, Payload, SetMetric
from ...metric_input import MetricInput
from ...requirements import Library, library_version
from ..engine import Detection, Detector, EngineEntry, engine_of
from ..findings import in_hr, in_sr, task_metric
from .average_precision import Kind, Measure, combine, pack, resample

VERSION = "1"
_SURE = 0.5
"""Least score of an object in HR that counts as true in the consistency mode."""


def _measures() -> dict[str, tuple[str, Measure]]:
    measures: dict[str, tuple[str, Measure]] = {}
    kinds: tuple[tuple[str, str, Kind], ...] = (("box", "b", "bbox"), ("mask", "m", "segm"))
    for word, letter, kind in kinds:
        measures[f"ap_{word}"] = f"AP_{letter}", Measure(kind)
        measures[f"ap_{word}50"] = f"AP_{letter}50", Measure(kind, 0.5)
        measures[f"ap_{word}75"] = f"AP_{letter}75", Measure(kind, 0.75)
        measures[f"ap_{word}_small"] = f"AP_{letter} small", Measure(kind, size="small")
        measures[f"ap_{word}_medium"] = f"AP_{letter} medium", Measure(kind, size="medium")
        measures[f"ap_{word}_large"] = f"AP_{letter} large", Measure(kind, size="large")
    return measures


MEASURES = _measures()
"""Title and measure by id, before the engine."""


def object_metric(name: str, entry: EngineEntry, *, consistency: bool, id: str) -> Metric:
    """The metric of a measure with an engine.

    Args:
        name: name of the measure, a key of ``MEASURES``.
        entry: the engine, not loaded.
        consistency: use the engine's confident detections in HR as the truth, instead of ground truth.
        id: id of the metric.
    """
    title, measure = MEASURES[name]
    masks = measure.kind == "segm"

    def packed(inputs: Sequence[MetricInput], device: str) -> list[Payload]:
        engine: Detector = engine_of(entry, device)
        objects = in_sr(entry, device, inputs, "objects", engine.detect)
        if masks and any(detection.mask is None for detections in objects for detection in detections):
            raise ValueError(f"{entry.name} gives boxes alone; mask AP needs an engine that segments")
        if consistency:
            truths = list(map(_as_truth, inputs, in_hr(entry, device, inputs, "objects", engine.detect), objects))
        else:
            truths = [_truth(image) for image in inputs]
        rows = [_rows(detections, truth, masks=masks) for detections, truth in zip(objects, truths, strict=True)]
        return [pack(truth, detected) for truth, detected in zip(truths, rows, strict=True)]

    needs = "reference" if consistency else "instances"
    version = f"{VERSION}, pycocotools {library_version('pycocotools')}"
    card = MetricCard(id, title, digits=1, needs=needs, version=version)
    of_set = SetMetric(combine(measure), resample(measure))
    return task_metric(card, entry, packed, of_set, Library("pycocotools", "detection"))


def _truth(image: MetricInput) -> Instances:
    truth = image.truths["instances"]
    assert isinstance(truth, Instances)
    return truth


def _as_truth(image: MetricInput, hr_objects: Sequence[Detection], sr_objects: Sequence[Detection]) -> Instances:
    """What the engine is sure of in HR, with the categories of all that it found in HR and SR."""
    assert image.hr is not None
    size = image.hr.shape[0], image.hr.shape[1]
    categories = {_number(detection): detection.category for detection in (*hr_objects, *sr_objects)}
    annotations: list[dict[str, Any]] = []
    for detection in hr_objects:
        if detection.score < _SURE:
            continue
        box, mask = _box(detection), detection.mask
        row: dict[str, Any] = {"category_id": _number(detection), "bbox": box, "iscrowd": 0}
        row["area"] = box[2] * box[3] if mask is None else int(mask.sum())
        if mask is not None:
            row["segmentation"] = encode(mask, size)
        annotations.append(row)
    return Instances(categories, tuple(annotations), size)


def _number(detection: Detection) -> int:
    """A category's number where no truth gives it one."""
    return zlib.crc32(_folded(detection.category).encode())


def _rows(detections: Sequence[Detection], truth: Instances, *, masks: bool) -> list[dict[str, Any]]:
    """Detections in COCO's terms; those of categories that the truth has not are left out."""
    numbers = {_folded(name): number for number, name in truth.categories.items()}
    rows = []
    for detection in detections:
        number = numbers.get(_folded(detection.category))
        if number is None:
            continue
        row: dict[str, Any] = {"category_id": number, "bbox": _box(detection), "score": detection.score}
        if masks and detection.mask is not None:
            row["segmentation"] = encode(detection.mask, truth.size)
        rows.append(row)
    return rows


def encode(mask: Any, size: tuple[int, int]) -> dict[str, Any]:
    """Compressed run lengths; a mask of an image that was cut to a multiple of the scale grows to the truth's size."""
    from pycocotools.mask import encode as run_lengths

    whole = np.zeros(size, dtype=np.uint8, order="F")
    whole[: mask.shape[0], : mask.shape[1]] = mask[: size[0], : size[1]]
    runs = run_lengths(whole)
    return {"size": list(size), "counts": runs["counts"].decode("ascii")}


def _box(detection: Detection) -> list[float]:
    x0, y0, x1, y1 = (round(value, 2) for value in detection.box)
    return [x0, y0, round(x1 - x0, 2), round(y1 - y0, 2)]


def _folded(name: str) -> str:
    return name.casefold().replace("_", " ").strip()
