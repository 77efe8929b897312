"""PIQE: blind quality from the distortion of active blocks, as MATLAB's ``piqe`` defines it.

Venkatanath, Praneeth, Chandrasekhar, Channappayya, Medasani, "Blind image quality evaluation using perception based
features", NCC 2015, section III, with the constants and borders of MATLAB's Image Processing Toolbox. Own code, free
for any use. pyiqa's ``piqe`` divides by the image's maximum, rounds only then, and pads ``side % 16`` pixels: that is
``piqe_pyiqa`` here.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from .card import MetricCard
from .metric import Metric, per_image
from .metric_input import MetricInput, Pixels
from .similarity import round_half_up

VERSION = "3"  # 1 and 2 went through pyiqa

Floats = NDArray[np.float64]

# Of MATLAB's rgb2gray: first row of the inverse of the NTSC matrix.
_GREY = np.array([0.298936021293775, 0.587043074451121, 0.114020904255103])
_BLOCK = 16
_SEGMENT = 6
"""Pixels of an edge of a block that are looked at together."""
_ACTIVE = 0.1
"""Variance of a block above which it is active."""
_SMOOTH = 0.1
"""Standard deviation of a segment below which its block has a noticeable artifact."""
_RADIUS, _SIGMA = 3, 7 / 6
_CENTRE = [7, 8]
_SURROUND = [column for column in range(_BLOCK) if column not in (7, 9)]
"""MATLAB drops column 8 first and then what became the ninth, so that one column of the centre stays."""


def piqe(image: MetricInput) -> float:
    """0 (best) to 100; 100 where no block is active, as in a flat image."""
    return quality(image.sr_rgb)


def quality(rgb: Pixels) -> float:
    """PIQE of uint8 ``[H, W, 3]``."""
    grey = round_half_up(rgb @ _GREY)
    height, width = grey.shape
    grey = np.pad(grey, ((0, -height % _BLOCK), (0, -width % _BLOCK)), mode="edge")
    blocks = _blocks(_normalised(grey))
    variances = blocks.var((1, 2), ddof=1)
    blocks, variances = blocks[variances > _ACTIVE], variances[variances > _ACTIVE]
    distortion = (1 - variances) @ _have_artifacts(blocks) + variances @ _are_noisy(blocks, np.sqrt(variances))
    return float(100 * (distortion + 1) / (variances.size + 1))


def _normalised(grey: Floats) -> Floats:
    """Mean subtracted, contrast normalised (MSCN) coefficients ``[H, W]``."""
    from scipy.ndimage import correlate1d

    weights = np.exp(-(np.arange(-_RADIUS, _RADIUS + 1) ** 2) / (2 * _SIGMA**2))
    weights /= weights.sum()

    def smooth(plane: Floats) -> Floats:
        rows = correlate1d(plane, weights, axis=0, mode="nearest")
        result: Floats = correlate1d(rows, weights, axis=1, mode="nearest")
        return result

    mean = smooth(grey)
    deviation = np.sqrt(np.abs(smooth(grey * grey) - mean * mean))
    normalised: Floats = (grey - mean) / (deviation + 1)
    return normalised


def _blocks(plane: Floats) -> Floats:
    """``[H, W]`` to ``[blocks, 16, 16]``."""
    height, width = (length // _BLOCK for length in plane.shape)
    return plane.reshape(height, _BLOCK, width, _BLOCK).swapaxes(1, 2).reshape(-1, _BLOCK, _BLOCK)


def _have_artifacts(blocks: Floats) -> NDArray[np.bool_]:
    """Which blocks ``[N]`` have a smooth segment on one of their edges."""
    edges = np.stack([blocks[:, 0], blocks[:, -1], blocks[:, :, 0], blocks[:, :, -1]], axis=1)  # [N, 4, 16]
    segments = sliding_window_view(edges, _SEGMENT, axis=2)
    smooth: NDArray[np.bool_] = (segments.std(-1, ddof=1) < _SMOOTH).any((1, 2))
    return smooth


def _are_noisy(blocks: Floats, deviations: Floats) -> NDArray[np.bool_]:
    """Which blocks ``[N]`` deviate as much as their centre does beside its surround."""
    centre, surround = (blocks[:, :, columns].std((1, 2), ddof=1) for columns in (_CENTRE, _SURROUND))
    ratio = np.divide(centre, surround, out=np.zeros_like(centre), where=surround > 0)
    noisy: NDArray[np.bool_] = deviations > 2 * np.abs(deviations - ratio) / np.maximum(deviations, ratio)
    return noisy


CARD = MetricCard("piqe", "PIQE", digits=2, direction="lower", range="0, 100", needs="nothing", version=VERSION)
METRICS = (Metric(CARD, per_image(piqe)),)
