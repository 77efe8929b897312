"""AP equals pycocotools called directly, also for resampled sets; degenerate sets."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np
import pytest
from asasr_bench.bench.metrics.tasks.detection.average_precision import Measure, combine, pack, resample, unpack
from asasr_bench.bench.metrics.tasks.detection.metrics import MEASURES, encode
from asasr_bench.datasets.ground_truth.kinds import Instances
from numpy.typing import NDArray

pytest.importorskip("pycocotools")
SIZE = (120, 160)
NAMES = {1: "cup", 3: "ball", 7: "car"}
_POSITIONS = ("", "50", "75", "_small", "_medium", "_large")


def _mask(box: list[float]) -> NDArray[np.bool_]:
    x, y, width, height = map(round, box)
    mask = np.zeros(SIZE, dtype=bool)
    mask[y : y + height, x : x + width] = True
    mask[y, x] = False
    return mask


def _scene(rng: np.random.Generator, objects: int) -> tuple[Instances, list[dict[str, Any]]]:
    truth, found = [], []
    for _ in range(objects):
        side = float(rng.choice([8, 40, 100]))  # small, medium, large
        box = [float(rng.integers(0, 50)), float(rng.integers(0, 15)), side, side]
        category = int(rng.choice(list(NAMES)))
        mask = _mask(box)
        truth.append(
            {
                "category_id": category,
                "bbox": box,
                "area": int(mask.sum()),
                "segmentation": encode(mask, SIZE),
                "iscrowd": int(rng.random() < 0.1),
            }
        )
        for _ in range(int(rng.integers(0, 3))):
            moved = [box[0] + float(rng.integers(0, 4)), box[1] + float(rng.integers(0, 3)), side, side]
            label = category if rng.random() < 0.8 else int(rng.choice(list(NAMES)))
            found.append(
                {
                    "category_id": label,
                    "bbox": moved,
                    "score": round(float(rng.random()), 6),
                    "segmentation": encode(_mask(moved), SIZE),
                }
            )
    return Instances(NAMES, tuple(truth), SIZE), found


def _directly(scenes: list[tuple[Instances, list[dict[str, Any]]]], kind: str) -> list[float]:
    """COCO's summary in percent: AP, AP50, AP75, small, medium, large."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    truth, rows = COCO(), []
    annotations: list[dict[str, Any]] = []
    for number, (instances, found) in enumerate(scenes):
        for annotation in instances.annotations:
            annotations.append({**annotation, "id": len(annotations) + 1, "image_id": number})
        drop = "segmentation" if kind == "bbox" else "bbox"
        rows += [{**{k: v for k, v in one.items() if k != drop}, "image_id": number} for one in found]
    truth.dataset = {
        "images": [{"id": number, "height": SIZE[0], "width": SIZE[1]} for number in range(len(scenes))],
        "annotations": annotations,
        "categories": [{"id": number, "name": name} for number, name in NAMES.items()],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(rows), kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return [float("nan") if value < 0 else 100 * value for value in evaluation.stats[:6]]


@pytest.mark.parametrize("word", ["box", "mask"])
def test_equals_pycocotools(rng: np.random.Generator, word: str) -> None:
    scenes = [_scene(rng, objects) for objects in (0, 1, 4, 7, 12)]
    payloads = [pack(*scene) for scene in scenes]
    measures = [MEASURES[f"ap_{word}{suffix}"][1] for suffix in _POSITIONS]
    expected = _directly(scenes, "bbox" if word == "box" else "segm")
    assert [combine(measure)(payloads) for measure in measures] == pytest.approx(expected, abs=1e-9, nan_ok=True)
    assert 0 < expected[0] < 100


def test_resampled_sets_equal_sets_that_hold_images_several_times(rng: np.random.Generator) -> None:
    scenes = [_scene(rng, objects) for objects in (2, 3, 5, 8)]
    payloads = [pack(*scene) for scene in scenes]
    drawn = rng.multinomial(4, np.full(4, 0.25), size=6).astype(np.float64)
    for measure in (Measure("bbox"), Measure("segm", 0.5), Measure("bbox", size="medium")):
        values = resample(measure)(payloads, drawn)
        for value, row in zip(values, drawn, strict=True):
            repeated = [scenes[k] for k in np.repeat(np.arange(4), row.astype(int))]
            position = {(None, "all"): 0, (0.5, "all"): 1, (None, "medium"): 4}[measure.iou, measure.size]
            expected = _directly(repeated, measure.kind)[position]
            assert value == pytest.approx(expected, abs=1e-9, nan_ok=True)


def test_no_objects_no_detections_and_nothing_at_all(rng: np.random.Generator) -> None:
    truth, found = _scene(rng, 6)
    nothing = Instances(NAMES, (), SIZE)
    measure = Measure("bbox")
    assert combine(measure)([pack(truth, [])]) == 0
    assert np.isnan(combine(measure)([pack(nothing, found)]))
    assert np.isnan(combine(measure)([pack(nothing, [])]))
    assert np.isnan(combine(measure)([]))
    perfect = [
        {**{k: annotation[k] for k in ("category_id", "bbox", "segmentation")}, "score": 0.9}
        for annotation in truth.annotations
    ]
    assert combine(measure)([pack(truth, perfect)]) == pytest.approx(100)
    # what is made up in an image without objects lowers the set's AP
    assert combine(measure)([pack(truth, perfect), pack(nothing, [{**one, "score": 1.0} for one in found])]) < 100


def test_payloads_hold_everything_that_ap_needs(rng: np.random.Generator) -> None:
    truth, found = _scene(rng, 3)
    document = unpack(pack(truth, found))
    assert document["truth"] == list(truth.annotations)
    assert document["found"] == found
    assert document["size"] == list(SIZE)


def test_masks_of_a_cut_image_grow_to_the_size_of_the_truth() -> None:
    from pycocotools.mask import decode

    mask = np.ones((118, 157), dtype=bool)
    whole = decode(encode(mask, SIZE))
    assert whole.shape == SIZE
    assert whole.sum() == mask.sum()


def test_mask_ap_without_masks_is_refused() -> None:
    boxes = Instances(NAMES, ({"category_id": 1, "bbox": [0, 0, 4, 4], "area": 16, "iscrowd": 0},), SIZE)
    with pytest.raises(ValueError, match="boxes alone"):
        combine(Measure("segm"))([pack(boxes, [])])


@pytest.mark.parametrize("shape", ["box", "run lengths", "counts", "polygon"])
def test_a_missing_area_is_that_of_the_mask_or_box(shape: str, rng: np.random.Generator) -> None:
    """COCO's files tell areas, other writers of the format often not."""
    scenes = []
    for objects in (4, 7, 12):
        truth, found = _scene(rng, objects)
        rows = [dict(annotation) for annotation in truth.annotations]
        for row in rows:
            x, y, width, height = row["bbox"]
            if shape == "box":
                del row["segmentation"]
                row["area"] = width * height
            elif shape == "polygon":
                row["segmentation"] = [[x, y, x + width, y, x + width, y + height, x, y + height]]
                row["area"] = width * height
            elif shape == "counts":  # by column, beginning with what is outside
                flat = _mask(row["bbox"]).ravel(order="F")
                edges = np.flatnonzero(np.diff(flat)) + 1
                row["segmentation"] = {"size": list(SIZE), "counts": np.diff([0, *edges, flat.size]).tolist()}
            if shape == "polygon":
                row["iscrowd"] = 0
        scenes.append((Instances(NAMES, tuple(rows), SIZE), found))
    without = [
        (
            Instances(
                NAMES,
                tuple({k: v for k, v in annotation.items() if k != "area"} for annotation in truth.annotations),
                SIZE,
            ),
            found,
        )
        for truth, found in scenes
    ]
    for word in ("box",) if shape == "box" else ("box", "mask"):
        measures = [MEASURES[f"ap_{word}{suffix}"][1] for suffix in _POSITIONS]
        values = [combine(measure)([pack(*scene) for scene in without]) for measure in measures]
        assert values == pytest.approx(_directly(scenes, "bbox" if word == "box" else "segm"), abs=1e-9, nan_ok=True)
