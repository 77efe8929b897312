"""Average precision as COCO defines it, through pycocotools, from detections and truth stored with each image."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .....datasets.ground_truth.kinds import Instances

Kind = Literal["bbox", "segm"]
Floats = NDArray[np.float64]
Payload = NDArray[np.uint8]
"""UTF-8 JSON: ``categories``, ``size``, ``truth`` and ``found`` in COCO's terms."""


@dataclass(frozen=True)
class Measure:
    """One number of COCO's summary."""

    kind: Kind
    iou: float | None = None
    """IoU threshold; None: mean over .50, .55, ..., .95."""
    size: Literal["all", "small", "medium", "large"] = "all"


def pack(truth: Instances, results: Sequence[Mapping[str, Any]]) -> Payload:
    """The payload of one image; ``results``: ``category_id``, ``bbox``, ``score`` and perhaps ``segmentation``."""
    document = {
        "categories": {str(number): name for number, name in truth.categories.items()},
        "size": truth.size,
        "truth": list(truth.annotations),
        "found": list(results),
    }
    return np.frombuffer(json.dumps(document, separators=(",", ":")).encode(), dtype=np.uint8)


def unpack(payload: Payload) -> dict[str, Any]:
    """The document in a payload."""
    document: dict[str, Any] = json.loads(payload.tobytes())
    return document


def combine(measure: Measure) -> Callable[[Sequence[Payload]], float]:
    """The measure of a set in percent; NaN where no object of that size is in it."""
    return lambda payloads: float(_weighted(measure, _evaluate(measure, payloads), np.ones(len(payloads))))


def resample(measure: Measure) -> Callable[[Sequence[Payload], Floats], Floats]:
    """The measure of resampled sets: images are matched once, then counted as often as each was drawn.

    Equal to pycocotools on a set that holds images so many times, up to the order of equal scores in different images.
    """

    def resampled(payloads: Sequence[Payload], drawn: Floats) -> Floats:
        tables = _evaluate(measure, payloads)
        return np.array([_weighted(measure, tables, row) for row in drawn])

    return resampled


@dataclass(frozen=True)
class _Table:
    """All detections of one category in a set, best first, and how many objects each image has."""

    image: NDArray[np.int64]
    """``[D]``: position of the image of each detection."""
    right: NDArray[np.bool_]
    """``[T, D]``: matched to a counted object, by IoU threshold."""
    wrong: NDArray[np.bool_]
    objects: NDArray[np.int64]
    """``[N]``: counted objects in each image."""


def _evaluate(measure: Measure, payloads: Sequence[Payload]) -> list[_Table]:
    """Match every image with pycocotools; one table for each category with an object."""
    if not payloads:
        return []
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    documents = [unpack(payload) for payload in payloads]
    with contextlib.redirect_stdout(io.StringIO()):  # it talks
        truth = COCO()
        truth.dataset = _truth_document(documents, measure.kind)
        truth.createIndex()
        rows = [
            {**row, "image_id": number}
            for number, document in enumerate(documents, start=1)
            for row in document["found"]
            if measure.kind == "bbox" or "segmentation" in row
        ]
        results = truth.loadRes(_plain(rows, measure.kind)) if rows else _nothing(truth)
        evaluation = COCOeval(truth, results, measure.kind)
        if measure.iou is not None:
            evaluation.params.iouThrs = np.array([measure.iou])
        evaluation.params.areaRngLbl, evaluation.params.areaRng = _range(evaluation.params, measure.size)
        evaluation.evaluate()
    return _tables(evaluation, len(payloads))


def _range(params: Any, size: str) -> tuple[list[str], list[Any]]:
    position = params.areaRngLbl.index(size)
    return [size], [params.areaRng[position]]


def _truth_document(documents: Sequence[Mapping[str, Any]], kind: Kind) -> dict[str, Any]:
    names = {int(number): name for document in documents for number, name in document["categories"].items()}
    annotations: list[dict[str, Any]] = []
    for number, document in enumerate(documents, start=1):
        for row in document["truth"]:
            if kind == "segm" and "segmentation" not in row:
                raise ValueError("the truth has boxes alone: mask AP needs a 'segmentation' for every object")
            area = row["area"] if "area" in row else _area(row, *document["size"])
            annotations.append({**row, "area": area, "image_id": number, "id": len(annotations) + 1})
    return {
        "images": [
            {"id": number, "height": document["size"][0], "width": document["size"][1]}
            for number, document in enumerate(documents, start=1)
        ],
        "annotations": annotations,
        "categories": [{"id": number, "name": name} for number, name in sorted(names.items())],
    }


def _area(annotation: Mapping[str, Any], height: int, width: int) -> float:
    """Area of an object whose file does not tell it: of its mask, as in COCO's files, or of its box."""
    from pycocotools import mask

    if not annotation.get("segmentation"):
        return float(annotation["bbox"][2] * annotation["bbox"][3])
    segmentation = annotation["segmentation"]
    if isinstance(segmentation, list):
        segmentation = mask.merge(mask.frPyObjects(segmentation, height, width))
    elif isinstance(segmentation["counts"], list):
        segmentation = mask.frPyObjects(segmentation, height, width)
    return float(mask.area(segmentation))


def _plain(rows: list[dict[str, Any]], kind: Kind) -> list[dict[str, Any]]:
    """``loadRes`` reads the kind off the first row: boxes when there is one."""
    if kind == "bbox":
        return [{key: value for key, value in row.items() if key != "segmentation"} for row in rows]
    return [{key: value for key, value in row.items() if key != "bbox"} for row in rows]


def _nothing(truth: Any) -> Any:
    """Results without any detection, which ``loadRes`` cannot read."""
    from pycocotools.coco import COCO

    empty = COCO()
    empty.dataset = {**truth.dataset, "annotations": []}
    empty.createIndex()
    return empty


def _tables(evaluation: Any, images: int) -> list[_Table]:
    per_category = [evaluation.evalImgs[start : start + images] for start in range(0, len(evaluation.evalImgs), images)]
    tables = []
    for results in per_category:  # one area range: results of a category lie image by image
        present = [(number, row) for number, row in enumerate(results) if row is not None]
        objects = np.zeros(images, dtype=np.int64)
        for number, row in present:
            objects[number] = int((np.asarray(row["gtIgnore"]) == 0).sum())
        if not objects.any():
            continue
        scores = np.concatenate([row["dtScores"] for _, row in present])
        order = np.argsort(-scores, kind="mergesort")
        image = np.concatenate([np.full(len(row["dtScores"]), number) for number, row in present])[order]
        matched = np.concatenate([row["dtMatches"] for _, row in present], axis=1)[:, order] != 0
        ignored = np.concatenate([row["dtIgnore"] for _, row in present], axis=1)[:, order].astype(bool)
        tables.append(_Table(image.astype(np.int64), matched & ~ignored, ~matched & ~ignored, objects))
    return tables


_RECALLS = np.linspace(0.0, 1.00, 101)


def _weighted(measure: Measure, tables: Sequence[_Table], drawn: Floats) -> float:
    """AP in percent when image k is there ``drawn[k]`` times: mean over categories with an object, and thresholds."""
    values = []
    for table in tables:
        objects = float(drawn @ table.objects)
        if objects == 0:
            continue
        weights = drawn[table.image]
        right, wrong = np.cumsum(table.right * weights, axis=1), np.cumsum(table.wrong * weights, axis=1)
        for hits, misses in zip(right, wrong, strict=True):
            values.append(_interpolated(hits / objects, hits / np.maximum(hits + misses, np.spacing(1))))
    return 100 * float(np.mean(values)) if values else float("nan")


def _interpolated(recall: Floats, precision: Floats) -> float:
    """Mean precision at 101 recalls, each the best at that recall or above."""
    if not recall.size:
        return 0.0
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    positions = np.searchsorted(recall, _RECALLS, side="left")
    return float(np.where(positions < recall.size, envelope[np.minimum(positions, recall.size - 1)], 0.0).mean())
