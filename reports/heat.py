"""Maps of an image as layers of colour that lie over it: uint8 RGBA, clear where a map says nothing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .palette import COLOURS

Layer = NDArray[np.uint8]
"""``[H, W, 4]``: red, green, blue, and opacity."""

MORE, LESS = COLOURS[1], COLOURS[0]
"""Colours of what an image has too much and too little of."""
_OPACITY = 200


def heat_layer(values: NDArray[np.float64], top: float, colour: str = MORE) -> Layer:
    """One colour, the more opaque the greater a value ``[H, W]`` is.

    Args:
        top: the value from which on the layer is as opaque as it gets; 0 or below: it is clear.
    """
    share = np.clip(values / top, 0, 1) if top > 0 else np.zeros(values.shape)
    return _layer(np.rint(_OPACITY * share).astype(np.uint8), np.zeros(values.shape, dtype=bool), (colour, colour))


def area_layer(areas: NDArray[np.bool_], excess: NDArray[np.bool_]) -> Layer:
    """Areas ``[H, W]`` in two colours: that of ``MORE`` where there is an excess, else that of ``LESS``."""
    return _layer(np.where(areas, np.uint8(_OPACITY // 2), np.uint8(0)), ~excess, (MORE, LESS))


def over(pixels: NDArray[np.uint8], layer: Layer) -> NDArray[np.uint8]:
    """An image ``[H, W]`` or ``[H, W, 3]`` in grey with a layer over it, as RGB."""
    grey = pixels if pixels.ndim == 2 else pixels.astype(np.float64).mean(2)
    opacity = layer[..., 3:] / 255
    return np.rint((1 - opacity) * grey[..., None] + opacity * layer[..., :3]).astype(np.uint8)


def _layer(opacity: NDArray[np.uint8], second: NDArray[np.bool_], colours: tuple[str, str]) -> Layer:
    rgb = np.array([[int(colour[place : place + 2], 16) for place in (1, 3, 5)] for colour in colours], dtype=np.uint8)
    return np.dstack([rgb[second.astype(np.intp)], opacity])
