"""Artifact maps at a part of an image's size, for pages: strip by strip, so that memory does not follow the image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..metrics.faithfulness.artifact_maps import (
    BORDER,
    DESRA_THRESHOLD,
    INSIDE,
    LDL_EXPONENT,
    LEAST_SIDE,
    Map,
    Mask,
    areas_of,
    contrast_agreement,
    local_variance,
    residual_of,
)
from ..store.images import Pixels

_ROWS = 512
"""Of a strip, about."""


@dataclass(frozen=True)
class SmallMaps:
    """Maps of one image, a value for each block of pixels."""

    ldl: Map
    """Mean of LDL's map in the block."""
    areas: Mask
    """At least half of the block is in one of DeSRA's areas."""
    excess: Mask
    """Half of it has more local contrast than HR."""


def small_maps(sr: Pixels, hr: Pixels, times: int) -> SmallMaps:
    """``artifact_maps`` in blocks: values of the whole image, brought to a part of its size.

    Args:
        sr: uint8 ``[H, W, 3]``, sides of 11 pixels at least, as ``hr``.
        hr: the truth.
        times: pixels along each side of a block.
    """
    height, width = sr.shape[:2]
    marked, excess = np.zeros((height, width), dtype=bool), np.zeros((height, width), dtype=bool)
    ldl, total, squares = [], 0.0, 0.0
    for start, stop, low, high in _strips(height, times):
        own = slice(start - low, stop - low)
        agreement, more = contrast_agreement(sr[low:high], hr[low:high])
        marked[start:stop], excess[start:stop] = (agreement < DESRA_THRESHOLD)[own], more[own]
        residual = residual_of(sr[low:high], hr[low:high])
        ldl.append(_blocks(local_variance(residual)[own], times))
        total, squares = total + residual[own].sum(), squares + np.square(residual[own]).sum()
    count = height * width
    variance = max(0.0, squares - total**2 / count) / (count - 1)
    areas = np.zeros((height, width), dtype=bool)
    areas[INSIDE] = areas_of(marked[INSIDE])
    return SmallMaps(
        np.concatenate(ldl) * variance**LDL_EXPONENT, _blocks(areas, times) >= 0.5, _blocks(excess, times) >= 0.5
    )


def _strips(height: int, times: int) -> Iterator[tuple[int, int, int, int]]:
    """First and last row of each strip, and those of what its windows see."""
    rows = times * -(-_ROWS // times)
    for start in range(0, height, rows):
        stop = min(start + rows, height)
        high = min(height, stop + BORDER)
        yield start, stop, max(0, min(start - BORDER, high - LEAST_SIDE)), high


def _blocks(values: NDArray[np.generic], times: int) -> Map:
    """Means over blocks; those at the right and below go on with their last pixel."""
    height, width = (-(-side // times) for side in values.shape)
    missing = (height * times - values.shape[0], width * times - values.shape[1])
    whole = np.pad(values, ((0, missing[0]), (0, missing[1])), mode="edge")
    return np.asarray(whole.reshape(height, times, width, times).mean((1, 3), dtype=np.float64))
