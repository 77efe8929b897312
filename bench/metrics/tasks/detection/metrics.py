"""Detection and instance segmentation as metrics: AP of an engine's objects in SR, by the truth or by those in HR."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .....datasets.ground_truth.kinds import Instances
from ...metric import Metric, Pair, Payload
from ..engine import Detection, Detector, EngineEntry, engine_of, library_version, not_installed
from ..findings import found, images_of, in_hr, task_metric
from .average_precision import Kind, Measure, combine, pack, resample

VERSION = "1"
_SURE = 0.5
"""Least score of an object in HR that counts as true in the consistency mode."""


def _measures() -> dict[str, tuple[str, Measure]]:
    found: dict[str, tuple[str, Measure]] = {}
    kinds: tuple[tuple[str, str, Kind], ...] = (("box", "b", "bbox"), ("mask", "m", "segm"))
    for word, letter, kind in kinds:
        found[f"ap_{word}"] = f"AP_{letter}", Measure(kind)
        found[f"ap_{word}50"] = f"AP_{letter}50", Measure(kind, 0.5)
        found[f"ap_{word}75"] = f"AP_{letter}75", Measure(kind, 0.75)
        found[f"ap_{word}_small"] = f"AP_{letter} small", Measure(kind, size="small")
        found[f"ap_{word}_medium"] = f"AP_{letter} medium", Measure(kind, size="medium")
        found[f"ap_{word}_large"] = f"AP_{letter} large", Measure(kind, size="large")
    return found


MEASURES = _measures()
"""Title and measure by id, before the engine."""


def object_metric(name: str, entry: EngineEntry, *, consistency: bool, id: str) -> Metric:
    """The metric of a measure with an engine; ``consistency``: what it is sure of in HR is the truth."""
    title, measure = MEASURES[name]
    return task_metric(
        id, title, entry, needs="reference" if consistency else "instances", digits=1,
        version=f"{VERSION}, pycocotools {library_version('pycocotools')}",
        score=_packed(entry, consistency, masks=measure.kind == "segm"), combine=combine(measure),
        resample=resample(measure), missing=lambda: not_installed("pycocotools", "detection"),
    )  # fmt: skip


def _packed(entry: EngineEntry, consistency: bool, *, masks: bool) -> Callable[[Sequence[Pair], str], list[Payload]]:
    """Payloads of images; the engine runs once for all measures."""

    def packed(pairs: Sequence[Pair], device: str) -> list[Payload]:
        def find(lacking: list[Pair]) -> list[Payload]:
            engine: Detector = engine_of(entry, device)
            objects = found(lacking, f"objects {entry.name}", lambda fresh: engine.detect(images_of(fresh)))
            return [
                _payload(entry, engine, pair, one, consistency, masks)
                for pair, one in zip(lacking, objects, strict=True)
            ]

        return found(pairs, f"objects {entry.name} {consistency} {masks}", find)

    return packed


def _payload(
    entry: EngineEntry, engine: Detector, pair: Pair, objects: Sequence[Detection], consistency: bool, masks: bool
) -> Payload:
    truth = _in_hr(entry, engine, pair, objects) if consistency else pair.truths["instances"]
    assert isinstance(truth, Instances)
    if masks and any(one.mask is None for one in objects):
        raise ValueError(f"{entry.name} gives boxes alone; mask AP needs an engine that segments")
    return pack(truth, _rows(objects, truth, masks=masks))


def _rows(found: Sequence[Detection], truth: Instances, *, masks: bool) -> list[dict[str, Any]]:
    """Detections in COCO's terms; those of categories that the truth has not are left out."""
    numbers = {_folded(name): number for number, name in truth.categories.items()}
    rows = []
    for one in found:
        if _folded(one.category) not in numbers:
            continue
        row: dict[str, Any] = {"category_id": numbers[_folded(one.category)], "bbox": _box(one), "score": one.score}
        if masks and one.mask is not None:
            row["segmentation"] = encode(one.mask, truth.size)
        rows.append(row)
    return rows


def encode(mask: Any, size: tuple[int, int]) -> dict[str, Any]:
    """Compressed run lengths; a mask of an image that was cut to a multiple of the scale grows to the truth's size."""
    from pycocotools.mask import encode as run_lengths

    whole = np.zeros(size, dtype=np.uint8, order="F")
    whole[: mask.shape[0], : mask.shape[1]] = mask[: size[0], : size[1]]
    runs = run_lengths(whole)
    return {"size": list(size), "counts": runs["counts"].decode("ascii")}


def _box(one: Detection) -> list[float]:
    x0, y0, x1, y1 = (round(value, 2) for value in one.box)
    return [x0, y0, round(x1 - x0, 2), round(y1 - y0, 2)]


def _folded(name: str) -> str:
    return name.casefold().replace("_", " ").strip()


def _in_hr(entry: EngineEntry, engine: Detector, pair: Pair, objects: Sequence[Detection]) -> Instances:
    """What the engine is sure of in HR, with the categories of all that it found in HR and SR."""
    assert pair.hr is not None
    found_there: tuple[Detection, ...] = in_hr(entry, "objects", pair.hr, engine.detect)
    sure = [one for one in found_there if one.score >= _SURE]
    size = pair.hr.shape[0], pair.hr.shape[1]
    every = {zlib.crc32(_folded(one.category).encode()): one.category for one in (*found_there, *objects)}
    annotations: list[dict[str, Any]] = []
    for one in sure:
        box = _box(one)
        row: dict[str, Any] = {"category_id": zlib.crc32(_folded(one.category).encode()), "bbox": box, "iscrowd": 0}
        row["area"] = box[2] * box[3] if one.mask is None else int(one.mask.sum())
        if one.mask is not None:
            row["segmentation"] = encode(one.mask, size)
        annotations.append(row)
    return Instances(every, tuple(annotations), size)
