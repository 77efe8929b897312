"""Boxes and masks of images, from COCO's format."""

from __future__ import annotations

import json
from math import isfinite
from pathlib import Path
from typing import Any

from .kinds import TruthError, TruthSource, instances_source

_NEEDED = ("category_id", "bbox")


def read_instances(path: Path) -> dict[str, TruthSource]:
    """Image stem to its objects; images without any are there with none.

    Every object has a category of the file and a ``bbox``. An ``area`` may be missing: it follows from mask or box.

    Raises:
        TruthError: not a COCO instances file.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        categories = {int(one["id"]): str(one["name"]) for one in document["categories"]}
        by_image: dict[int, list[dict[str, Any]]] = {int(one["id"]): [] for one in document["images"]}
        for one in document["annotations"]:
            if lacking := [key for key in _NEEDED if key not in one]:
                raise TruthError(
                    f"{path}: annotation {one.get('id', '')} of image {one['image_id']} has no '{lacking[0]}', which"
                    " COCO's measures need; add it"
                )
            _check(one, categories)
            by_image[int(one["image_id"])].append({"iscrowd": 0, **one})
        return {
            Path(one["file_name"]).stem: instances_source(
                categories, tuple(by_image[int(one["id"])]), (int(one["height"]), int(one["width"]))
            )
            for one in document["images"]
        }
    except TruthError:
        raise
    except (
        OSError, KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError,
    ) as error:  # fmt: skip  # whatever other shapes of JSON run into
        raise TruthError(f"{path}: cannot be read as COCO instances ({type(error).__name__}: {error})") from None


def _check(annotation: dict[str, Any], categories: dict[int, str]) -> None:
    """Refuse an object whose box or category is not usable.

    Raises:
        ValueError: it is not.
    """
    name, box = f"annotation {annotation.get('id', '')}", annotation["bbox"]
    if not isinstance(box, list) or len(box) != 4 or not all(isfinite(side) for side in box):
        raise ValueError(f"{name}: 'bbox' has to be [x, y, width, height], not {box}")
    if annotation["category_id"] not in categories:
        raise ValueError(f"{name}: category {annotation['category_id']} is not among the file's 'categories'")
