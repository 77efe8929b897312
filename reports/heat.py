"""Maps of an image as layers of colour that lie over it: uint8 RGBA, clear where a map says nothing."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .palette import COLOURS

Layer = NDArray[np.uint8]
"""``[H, W, 4]``: red, green, blue, and opacity."""

MORE, LESS = COLOURS[1], COLOURS[0]
"""Colours of what an image has too much and too little of."""
_OPACITY = 200
_ENTRIES = 16
"""Of a palette: PNG packs two of its pixels into a byte."""


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


def overlaid(pixels: NDArray[np.uint8], layer: Layer) -> NDArray[np.uint8]:
    """An image ``[H, W]`` or ``[H, W, 3]`` in grey with a layer over it, as RGB."""
    grey = pixels if pixels.ndim == 2 else pixels.astype(np.float64).mean(2)
    opacity = layer[..., 3:] / 255
    return np.rint((1 - opacity) * grey[..., None] + opacity * layer[..., :3]).astype(np.uint8)


def indexed(layer: Layer, times: int = 2) -> Image.Image:
    """A layer at a part of its size, as an image of 16 colours with opacity, so that a page holds it in few bytes.

    Args:
        layer: of one or two colours, as ``heat_layer`` and ``area_layer`` draw it; a mean of both has the stronger one.
        times: pixels of the layer along each side of a pixel of the image.
    """
    height, width = (-(-side // times) for side in layer.shape[:2])
    missing = (height * times - layer.shape[0], width * times - layer.shape[1])
    padded = np.pad(layer, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="edge")
    opacity = padded[..., 3].astype(np.float64)
    red, green, blue = (padded[..., channel].astype(np.int64) for channel in range(3))
    codes = red << 16 | green << 8 | blue
    colours = np.unique(codes[opacity > 0])
    if not colours.size:
        colours = np.zeros(1, dtype=np.int64)
    levels = _ENTRIES // len(colours)
    shares = np.stack(
        [_block_means(opacity if len(colours) == 1 else opacity * (codes == colour), times) for colour in colours]
    )
    top = opacity.max() or 1
    level = np.rint(shares.sum(0) / top * (levels - 1)).astype(np.intp)
    index = np.where(level > 0, shares.argmax(0) * levels + level, 0).astype(np.uint8)
    image = Image.fromarray(index).convert("P")
    rgb = np.stack([colours >> 16, colours >> 8 & 255, colours & 255], axis=1).astype(np.uint8)
    image.putpalette(np.repeat(rgb, levels, axis=0).tobytes())
    steps = np.rint(np.linspace(0, top, levels)).astype(np.uint8)
    image.info["transparency"] = bytes(np.tile(steps, len(colours)))
    return image


def png_of(layer: Image.Image) -> bytes:
    """An image as ``indexed`` makes it as a PNG of four bits for a pixel."""
    buffer = io.BytesIO()
    layer.save(buffer, format="png", bits=4, compress_level=9)
    return buffer.getvalue()


def _block_means(values: NDArray[np.float64], times: int) -> NDArray[np.float64]:
    """``values`` are whole numbers: their sums are exact in any order."""
    rows = np.stack([values[start::times] for start in range(times)]).sum(0)
    means: NDArray[np.float64] = np.stack([rows[:, start::times] for start in range(times)]).sum(0) / times**2
    return means


def _layer(opacity: NDArray[np.uint8], second: NDArray[np.bool_], colours: tuple[str, str]) -> Layer:
    rgb = np.array([[int(colour[place : place + 2], 16) for place in (1, 3, 5)] for colour in colours], dtype=np.uint8)
    layer = np.empty((*opacity.shape, 4), dtype=np.uint8)
    for channel in range(3):
        layer[..., channel] = np.where(second, rgb[1, channel], rgb[0, channel])
    layer[..., 3] = opacity
    return layer
