"""Detection and instance segmentation as metrics: AP of an engine's objects in SR, by the truth or by those in HR."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...datasets.images import as_rgb
from ...datasets.truth import Instances
from ..metrics.metric import Metric, Pair, Payload
from .average_precision import Kind, Measure, combine, pack, resample
from .engine import Detection, Detector, EngineEntry, Memory, engine_of, library_version, not_installed

VERSION = "1"
_RESAMPLES = 1_000
_SURE = 0.5
"""Least score of an object in HR that counts as true in the consistency mode."""
_HR = Memory()


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
    packed = _packed(entry, consistency, masks=measure.kind == "segm")
    whole = combine(measure)

    def missing() -> str:
        return entry.missing() or not_installed("pycocotools", "detection")

    return Metric(
        id, f"{title} ({entry.title}{', HR' if consistency else ''})", "%", 1, "higher",
        f"{VERSION}, pycocotools {library_version('pycocotools')}, {entry.version}",
        lambda pair: whole([packed(pair)]), needs="reference" if consistency else "instances", payload=packed,
        combine=whole, resample=resample(measure), resamples=_RESAMPLES, missing=missing, weights=entry.weights,
        bounded=True,
    )  # fmt: skip


def _packed(entry: EngineEntry, consistency: bool, *, masks: bool) -> Callable[[Pair], Payload]:
    """The payload of one image; the engine runs once for all measures."""

    def packed(pair: Pair) -> Payload:
        key = f"{entry.name} {consistency} {masks}"
        if key not in pair.findings:
            found = _detections(entry, pair)
            truth = _hr_objects(entry, pair) if consistency else pair.truths["instances"]
            assert isinstance(truth, Instances)
            if masks and any(one.mask is None for one in found):
                raise ValueError(f"{entry.name} gives boxes alone; mask AP needs an engine that segments")
            pair.findings[key] = pack(truth, _rows(found, truth, masks=masks))
        payload: Payload = pair.findings[key]
        return payload

    return packed


def _detections(entry: EngineEntry, pair: Pair) -> tuple[Detection, ...]:
    if entry.name not in pair.findings:
        engine: Detector = engine_of(entry)
        pair.findings[entry.name] = engine.detect(as_rgb(pair.sr))
    found: tuple[Detection, ...] = pair.findings[entry.name]
    return found


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


def _hr_objects(entry: EngineEntry, pair: Pair) -> Instances:
    assert pair.hr is not None
    hr = pair.hr
    key = entry.name, hashlib.sha256(hr.tobytes()).digest()
    found: tuple[Detection, ...] = _HR.get(key, lambda: engine_of(entry).detect(as_rgb(hr)))
    sure = [one for one in found if one.score >= _SURE]
    size = hr.shape[0], hr.shape[1]
    every = {zlib.crc32(_folded(one.category).encode()): one.category for one in (*found, *_detections(entry, pair))}
    annotations: list[dict[str, Any]] = []
    for one in sure:
        box = _box(one)
        row: dict[str, Any] = {"category_id": zlib.crc32(_folded(one.category).encode()), "bbox": box, "iscrowd": 0}
        row["area"] = box[2] * box[3] if one.mask is None else int(one.mask.sum())
        if one.mask is not None:
            row["segmentation"] = encode(one.mask, size)
        annotations.append(row)
    return Instances(every, tuple(annotations), size)
