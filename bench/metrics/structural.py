"""Metrics of structure that compare with HR: MS-SSIM, GMSD and FSIM, with the conventions of pyiqa, on full-range Y.

Own code, free for any use.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .card import Direction, MetricCard
from .metric import Metric, per_image
from .metric_input import MetricInput, Pixels
from .phase_congruency import phase_congruency
from .similarity import ms_ssim

VERSION = "3"  # 1 and 2 went through pyiqa

Floats = NDArray[np.float32]

# Of YIQ as pyiqa rounds it; the first row is full-range Y.
_YIQ = np.array([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
_GMSD_CONSTANT = 170.0  # Xue et al., IEEE TIP 23(2), 2014, section II-B
_FSIM_CONSTANTS = (0.85, 160.0, 200.0, 200.0)  # T1 to T4 of Zhang et al., IEEE TIP 20(8), 2011
_FSIM_COLOUR = 0.03  # lambda
_FSIM_SIDE = 256  # the shorter side is brought down to about this


def full_range_y(image: Pixels) -> NDArray[np.float64]:
    """Y of uint8 RGB in 0..255, rounded. In whole thousandths, so that no tie depends on the machine."""
    thousandths = image.astype(np.int64) @ np.array([299, 587, 114])
    rounded: NDArray[np.float64] = ((thousandths + 500) // 1000).astype(np.float64)
    return rounded


def multi_scale_ssim(compared: MetricInput) -> float:
    """MS-SSIM of rounded full-range Y."""
    sr, hr = (full_range_y(image) for image in compared.rgb)
    return ms_ssim(sr, hr)


def gradient_deviation(compared: MetricInput) -> float:
    """GMSD: deviation over the image of the similarity of gradients of Y, at half resolution."""
    sr, hr = (_gradient(_pooled(full_range_y(image), 2), (1 / 3, 1 / 3, 1 / 3)) for image in compared.rgb)
    return float(_alike(sr, hr, _GMSD_CONSTANT).std(ddof=1))


def feature_similarity(compared: MetricInput) -> float:
    """FSIMc: similarity of phase congruency, gradients and colour, where phase congruency is high."""
    planes = [_yiq(image) for image in compared.rgb]
    phases = [phase_congruency(yiq[0]) for yiq in planes]
    edges = [_gradient(yiq[0], (3 / 16, 10 / 16, 3 / 16)) for yiq in planes]
    t1, t2, t3, t4 = _FSIM_CONSTANTS
    chroma = _alike(planes[0][1], planes[1][1], t3) * _alike(planes[0][2], planes[1][2], t4)
    score = _alike(phases[0], phases[1], t1) * _alike(edges[0], edges[1], t2) * np.abs(chroma) ** _FSIM_COLOUR
    weight = np.maximum(phases[0], phases[1])
    return float((score * weight).sum(dtype=np.float64) / weight.sum(dtype=np.float64))


def _yiq(image: Pixels) -> Floats:
    """``[3, H, W]`` of an RGB image, averaged down to about 256 pixels on its shorter side."""
    size = max(1, round(min(image.shape[:2]) / _FSIM_SIDE))
    small = np.stack([_pooled(plane, size) for plane in np.moveaxis(image, -1, 0).astype(np.float64)])
    yiq: Floats = np.einsum("kc,chw->khw", _YIQ, small).astype(np.float32)
    return yiq


def _pooled(plane: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Means of ``size`` by ``size`` pixels; a remainder at the end is left out."""
    height, width = (length // size for length in plane.shape)
    blocks = plane[: height * size, : width * size].reshape(height, size, width, size)
    means: NDArray[np.float64] = blocks.mean((1, 3))
    return means


def _gradient(plane: NDArray[np.floating], smoothing: tuple[float, float, float]) -> NDArray[np.floating]:
    """Length of the gradient: central differences, smoothed across; zeros outside the image."""
    from scipy.ndimage import correlate1d

    parts = []
    for axis in (0, 1):
        difference = correlate1d(plane, [-1.0, 0.0, 1.0], axis=axis, mode="constant")
        parts.append(correlate1d(difference, smoothing, axis=1 - axis, mode="constant"))
    length: NDArray[np.floating] = np.hypot(parts[0], parts[1])
    return length


def _alike(a: NDArray[np.floating], b: NDArray[np.floating], constant: float) -> NDArray[np.floating]:
    """``(2ab + c) / (a^2 + b^2 + c)``: 1 where they are equal."""
    similarity: NDArray[np.floating] = (2 * a * b + constant) / (a * a + b * b + constant)
    return similarity


def _metric(id: str, title: str, direction: Direction, range: str, function: Callable[[MetricInput], float]) -> Metric:
    return Metric(MetricCard(id, title, direction=direction, range=range, version=VERSION), per_image(function))


METRICS = (
    _metric("ms_ssim", "MS-SSIM", "higher", "0, 1", multi_scale_ssim),
    _metric("fsim", "FSIM", "higher", "0, 1", feature_similarity),
    _metric("gmsd", "GMSD", "lower", "0, ~1", gradient_deviation),
)
