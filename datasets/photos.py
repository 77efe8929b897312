"""Photos that scikit-image carries in its wheel, cropped to what shows restoration well. Nothing is downloaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .images import as_rgb, write_png


@dataclass(frozen=True)
class Photo:
    """A crop of one image of ``skimage.data``; only lossless sources in the public domain or under CC0 are listed."""

    name: str
    """File stem in the data set."""
    function: str
    """Name of the function of ``skimage.data`` that returns the whole image."""
    top: int
    left: int
    height: int
    """Divisible by 24, so that scales 2, 3, 4 and 8 fit."""
    width: int
    """Divisible by 24."""
    source: str
    licence: str
    """As the documentation of ``skimage.data`` states it."""


PHOTOS: tuple[Photo, ...] = (
    Photo("astronaut", "astronaut", 0, 104, 240, 288, "NASA, portrait of Eileen Collins", "public domain"),
    Photo("brick", "brick", 0, 216, 264, 264, "CC0Textures, Bricks25", "CC0-1.0"),
    Photo("camera", "camera", 40, 96, 312, 288, "Lav Varshney", "CC0-1.0"),
    Photo("cat", "chelsea", 6, 84, 288, 312, "Stefan van der Walt", "CC0-1.0"),
    Photo("coffee", "coffee", 12, 150, 312, 312, "Rachel Michetti, courtesy of Pikolo Espresso Bar", "CC0-1.0"),
    Photo("helmet", "astronaut", 248, 120, 264, 312, "NASA, portrait of Eileen Collins", "public domain"),
)
"""The demonstration's photos; the two crops of one portrait do not overlap."""


def read_photo(photo: Photo) -> NDArray[np.uint8]:
    """The crop as RGB, uint8 ``[height, width, 3]``; grey photos are replicated, so that the set has one kind.

    Raises:
        ModuleNotFoundError: this scikit-image does not carry the image (its official wheels do).
    """
    from skimage import data  # slow to import, and only needed here

    image: NDArray[np.uint8] = getattr(data, photo.function)()
    crop = image[photo.top : photo.top + photo.height, photo.left : photo.left + photo.width]
    return np.ascontiguousarray(as_rgb(crop))


def build(root: Path) -> None:
    """Write the demonstration's photos as ``HR/<name>.png``."""
    for photo in PHOTOS:
        write_png(root / "HR" / f"{photo.name}.png", read_photo(photo))
