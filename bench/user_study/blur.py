"""Blurred versions of an image for catch trials: nobody who looks at them would prefer them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]

_LEAST, _STEP = 8, 2
"""Factor by which the first blurred version is shrunk before it is enlarged again, and its increase from version to
version."""


def blurred(image: Pixels, version: int) -> Pixels:
    """An RGB image ``[H, W, 3]`` shrunk by a factor of 8 (version 0), 10, 12, ... and enlarged again."""
    factor = _LEAST + _STEP * version
    picture = Image.fromarray(image)
    width, height = picture.size
    small = picture.resize((max(1, width // factor), max(1, height // factor)), Image.Resampling.BOX)
    return np.asarray(small.resize((width, height), Image.Resampling.BILINEAR))


def lost(image: Pixels) -> float:
    """How much an image is changed by blurring, in levels of 255; if it is little, raters could only guess."""
    return float(np.sqrt(np.mean((image.astype(np.float64) - blurred(image, 0)) ** 2)))
