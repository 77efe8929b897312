"""Catch trials: an image, and versions of it that nobody who looks would prefer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]

_LEAST, _STEP = 8, 2
"""How many times smaller the first blurred version is made before it is enlarged again, and each further one more."""


def blurred(image: Pixels, version: int) -> Pixels:
    """RGB shrunk by 8 (version 0), 10, 12, ... and enlarged again."""
    factor = _LEAST + _STEP * version
    picture = Image.fromarray(image)
    width, height = picture.size
    small = picture.resize((max(1, width // factor), max(1, height // factor)), Image.Resampling.BOX)
    return np.asarray(small.resize((width, height), Image.Resampling.BILINEAR))


def lost(image: Pixels) -> float:
    """How much of an image blurring takes, in levels: where it is little, the answer would be a guess."""
    return float(np.sqrt(np.mean((image.astype(np.float64) - blurred(image, 0)) ** 2)))
