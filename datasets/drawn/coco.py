"""Instance masks in COCO's format: uncompressed run lengths, and the document around them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def encode_mask(mask: NDArray[np.bool_]) -> dict[str, list[int]]:
    """Run lengths of ``[H, W]`` read column by column, the first run being zeros (COCO's uncompressed RLE)."""
    flat = mask.flatten(order="F")
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    counts = np.diff(np.concatenate([[0], changes, [flat.size]])).tolist()
    return {"size": list(mask.shape), "counts": [0, *counts] if flat[0] else counts}


def image_entry(number: int, file_name: str, size: tuple[int, int]) -> dict[str, Any]:
    """One item of ``images``; ``size`` is height, width."""
    return {"id": number, "file_name": file_name, "height": size[0], "width": size[1]}


def annotation(
    number: int, image: int, category: int, box: tuple[float, float, float, float], mask: NDArray[np.bool_]
) -> dict[str, Any]:
    """One item of ``annotations``.

    Args:
        number: id of the annotation.
        image: id of its image.
        category: id of its category.
        box: x0, y0, x1, y1 in pixels (COCO stores x, y, width, height).
        mask: ``[H, W]``.
    """
    x0, y0, x1, y1 = box
    return {
        "id": number,
        "image_id": image,
        "category_id": category,
        "bbox": [x0, y0, x1 - x0, y1 - y0],
        "area": int(mask.sum()),
        "segmentation": encode_mask(mask),
        "iscrowd": 0,
    }


def document(
    description: str, categories: Sequence[str], images: Iterable[Any], annotations: Iterable[Any]
) -> dict[str, Any]:
    """A whole COCO instances file.

    Args:
        description: text for its ``info``.
        categories: names; their ids count from 1.
        images: see ``image_entry``.
        annotations: see ``annotation``.
    """
    return {
        "info": {"description": description},
        "images": list(images),
        "annotations": list(annotations),
        "categories": [{"id": number, "name": name} for number, name in enumerate(categories, start=1)],
    }
