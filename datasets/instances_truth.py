"""Boxes and masks of images, from COCO's format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .truth import TruthError, TruthSource, instances_source

_NEEDED = ("category_id", "bbox", "area")


def read_instances(path: Path) -> dict[str, TruthSource]:
    """Image stem to its objects; images without any are there with none.

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
                    " COCO's measures need (area: of the mask, or width x height of the box); add it"
                )
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
