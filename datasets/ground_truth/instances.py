"""Boxes and masks of images, from COCO's format."""

from __future__ import annotations

import json
from math import isfinite
from pathlib import Path
from typing import Any

from .kinds import TruthError, TruthSource, instances_source

_NEEDED = ("category_id", "bbox")
_MALFORMED = (OSError, KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError)
"""What reading JSON of another structure raises."""


def read_instances(path: Path) -> dict[str, TruthSource]:
    """Image stem to its objects; an image without objects has an empty entry.

    Every object has a category of the file and a ``bbox``. An ``area`` may be missing: it follows from mask or box.

    Raises:
        TruthError: the file is no COCO instances file.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        categories = {int(entry["id"]): str(entry["name"]) for entry in document["categories"]}
        by_image: dict[int, list[dict[str, Any]]] = {int(entry["id"]): [] for entry in document["images"]}
        for entry in document["annotations"]:
            if lacking := [key for key in _NEEDED if key not in entry]:
                raise TruthError(
                    f"{path}: annotation {entry.get('id', '')} of image {entry['image_id']} has no '{lacking[0]}',"
                    " which COCO's measures need; add it"
                )
            _check(entry, categories)
            by_image[int(entry["image_id"])].append({"iscrowd": 0, **entry})
        return {
            Path(entry["file_name"]).stem: instances_source(
                categories, tuple(by_image[int(entry["id"])]), (int(entry["height"]), int(entry["width"]))
            )
            for entry in document["images"]
        }
    except TruthError:
        raise
    except _MALFORMED as error:
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
