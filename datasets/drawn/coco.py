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


def decode_mask(segmentation: dict[str, list[int]]) -> NDArray[np.bool_]:
    """The inverse of `encode_mask`; ValueError if the runs do not fill the size."""
    height, width = segmentation["size"]
    counts = segmentation["counts"]
    if sum(counts) != height * width or min(counts) < 0:
        raise ValueError(f"mask of {height}x{width}: its runs cover {sum(counts)} pixels; the file is damaged")
    flat = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
    return flat.reshape((height, width), order="F")


def image_entry(number: int, file_name: str, size: tuple[int, int]) -> dict[str, Any]:
    """One item of ``images``; ``size`` is height, width."""
    return {"id": number, "file_name": file_name, "height": size[0], "width": size[1]}


def annotation(
    number: int, image: int, category: int, box: tuple[float, float, float, float], mask: NDArray[np.bool_]
) -> dict[str, Any]:
    """One item of ``annotations``; ``box`` is x0, y0, x1, y1 (COCO stores x, y, width, height)."""
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
    """A whole COCO instances file; category numbers count from 1."""
    return {
        "info": {"description": description},
        "images": list(images),
        "annotations": list(annotations),
        "categories": [{"id": number, "name": name} for number, name in enumerate(categories, start=1)],
    }
