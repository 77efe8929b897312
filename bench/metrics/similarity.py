"""PSNR, SSIM and luma in float64: pure functions on arrays, without any protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from math import ceil, inf, log10
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...datasets.images import as_rgb

Plane = NDArray[np.float64]
Rows = Callable[[slice], tuple[NDArray[Any], NDArray[Any]]]
"""Some rows of two images that are compared."""

STRIP = 1 << 22
"""Pixels that are measured at once: larger images go strip by strip, so that their memory has a ceiling."""

# ITU-R BT.601 studio range: Y = 65.481 R + 128.553 G + 24.966 B + 16 for R, G, B in [0, 1].
_BT601_STUDIO = np.array([65.481, 128.553, 24.966]) / 255
_Y_OFFSET = 16.0

# Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment", IEEE TIP 13(4), 2004, section III-C.
_WINDOW = 11
_SIGMA = 1.5
_K1 = 0.01
_K2 = 0.03
# MS-SSIM's exponents, finest scale first: the paper's section 3.2.
_SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


def luma(rgb: NDArray[Any]) -> Plane:
    """Y of BT.601 studio range, ``[H, W, 3]`` or grey ``[H, W]`` in 0..255 to ``[H, W]`` in 16..235, not rounded."""
    if rgb.ndim == 2:
        rgb = as_rgb(rgb)
    y: Plane = np.empty(rgb.shape[:2])
    for rows in row_strips(*rgb.shape[:2]):
        np.matmul(rgb[rows].astype(np.float64), _BT601_STUDIO, out=y[rows])
    y += _Y_OFFSET
    return y


def round_half_up(values: Plane) -> Plane:
    """Round like MATLAB for values of 0 and above: halves go up."""
    result: Plane = values + 0.5
    return np.floor(result, out=result)


def shave(image: NDArray[Any], border: int) -> NDArray[Any]:
    """Cut ``border`` pixels from every side of ``[H, W]`` or ``[H, W, C]``."""
    if border == 0:
        return image
    if min(image.shape[:2]) <= 2 * border:
        height, width = image.shape[:2]
        raise ValueError(f"an image of {width}x{height} pixels is too small to shave {border} from every side")
    return image[border:-border, border:-border]


def psnr(a: NDArray[Any], b: NDArray[Any], *, data_range: float = 255.0, mse_floor: float = 0.0) -> float:
    """Peak signal-to-noise ratio in dB over all values of two arrays of one shape; ``inf`` where they are equal.

    Args:
        data_range: the peak.
        mse_floor: added to the mean squared error after scaling to [0, 1].
    """
    _require_same_shape(a, b)
    return psnr_of_rows(lambda rows: (a[rows], b[rows]), (a.shape[0], a[0].size), data_range, mse_floor)


def psnr_of_rows(rows: Rows, shape: tuple[int, int], data_range: float = 255.0, mse_floor: float = 0.0) -> float:
    """``psnr`` of images whose rows are computed when they are needed.

    Args:
        rows: returns these rows of both images.
        shape: number of rows, and number of values in a row.
        data_range: largest possible value.
        mse_floor: added to the mean squared error of values divided by ``data_range``.

    Returns:
        PSNR in dB; infinite for equal images without ``mse_floor``.
    """
    total = 0.0
    for strip in row_strips(*shape):
        a, b = rows(strip)
        _require_same_shape(a, b)
        difference = (np.subtract(a, b, dtype=np.float64) / data_range).ravel()
        total += float(difference @ difference)
    mse = total / (shape[0] * shape[1]) + mse_floor
    return inf if mse == 0 else 0.0 - 10 * log10(mse)  # 0 dB without a minus


def ssim(a: Plane, b: Plane, *, data_range: float = 255.0, clamp_contrast: bool = False) -> float:
    """Structural similarity of two planes ``[H, W]``: 11x11 Gaussian window, sigma 1.5, valid region, mean of the map.

    Args:
        data_range: the dynamic range L of the stabilising constants.
        clamp_contrast: count negative contrast-structure values as 0 before multiplying with the luminance term.

    Raises:
        ValueError: the shapes differ, or a side is below 11 pixels.
    """
    _require_same_shape(a, b)
    return ssim_of_rows(lambda rows: (a[rows], b[rows]), a.shape, data_range, clamp_contrast)


def ssim_of_rows(rows: Rows, shape: tuple[int, ...], data_range: float = 255.0, clamp_contrast: bool = False) -> float:
    """``ssim`` of planes whose rows are computed when they are needed.

    Args:
        rows: returns these rows of both planes.
        shape: height and width of the planes.
        data_range: the dynamic range L of the stabilising constants.
        clamp_contrast: count negative contrast-structure values as 0.
    """
    _require_window(shape)
    margin = _WINDOW - 1
    height, width = shape[0] - margin, shape[1] - margin
    total = 0.0
    for strip in row_strips(height, width):
        luminance, contrast = _ssim_terms(*rows(slice(strip.start, strip.stop + margin)), data_range)
        if clamp_contrast:
            np.maximum(contrast, 0, out=contrast)
        total += float((luminance * contrast).sum())
    return total / (height * width)


def row_strips(height: int, width: int) -> Iterator[slice]:
    """Rows in strips of nearly equal height and at most about ``STRIP`` pixels; one strip for images of that size."""
    number = max(1, ceil(height * width / STRIP))
    cuts = [round(index * height / number) for index in range(number + 1)]
    yield from (slice(start, stop) for start, stop in pairwise(cuts) if stop > start)


def ms_ssim(a: Plane, b: Plane, *, data_range: float = 255.0) -> float:
    """Multi-scale SSIM of two planes ``[H, W]``: five scales, negative contrast terms count as 0.

    Wang, Simoncelli, Bovik, "Multiscale structural similarity for image quality assessment", Asilomar 2003.

    Raises:
        ValueError: the shapes differ, or a side is below 11 pixels at the coarsest scale.
    """
    result = 1.0
    for level, weight in enumerate(_SCALE_WEIGHTS):
        luminance, contrast = _ssim_terms(a, b, data_range)
        np.maximum(contrast, 0, out=contrast)
        last = level == len(_SCALE_WEIGHTS) - 1
        result *= float((luminance * contrast if last else contrast).mean()) ** weight
        a, b = _halved(a), _halved(b)
    return result


def _halved(plane: Plane) -> Plane:
    """Means of 2x2 pixels; odd sides begin with a row of zeros, which counts (as torch's pooling pads)."""
    height, width = plane.shape
    padded = np.pad(plane, ((height % 2, 0), (width % 2, 0)))
    result: Plane = (padded[::2, ::2] + padded[1::2, ::2] + padded[::2, 1::2] + padded[1::2, 1::2]) / 4
    return result


def _ssim_terms(a: Plane, b: Plane, data_range: float) -> tuple[Plane, Plane]:
    """Maps of the luminance and the contrast-structure term over the valid region."""
    _require_same_shape(a, b)
    _require_window(a.shape)
    c1, c2 = (_K1 * data_range) ** 2, (_K2 * data_range) ** 2
    # Variances are taken about the plane's mean: filtering x^2 directly would lose digits to cancellation.
    centre = float(a.mean())
    x, y = a - centre, b - centre
    # SSIM needs var(x) + var(y), never each alone: four filtered planes do instead of five.
    mean_x, mean_y = window_mean(x), window_mean(y)
    squares = mean_x**2 + mean_y**2
    product = mean_x * mean_y
    variances = window_mean(x * x + y * y) - squares
    covariance = window_mean(x * y) - product
    mean_x += centre
    mean_y += centre
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    contrast = (2 * covariance + c2) / (variances + c2)
    return luminance, contrast


def window_mean(plane: Plane) -> Plane:
    """Gaussian-weighted local mean over the valid region: ``[H, W]`` to ``[H - 10, W - 10]``."""
    from scipy.ndimage import correlate1d  # half a second to import, and planning and reporting do without

    margin = _WINDOW // 2
    rows = correlate1d(plane, _GAUSSIAN, axis=0)[margin:-margin]
    result: Plane = correlate1d(rows, _GAUSSIAN, axis=1)[:, margin:-margin]
    return result


def _gaussian_window() -> Plane:
    x = np.arange(_WINDOW) - _WINDOW // 2
    weights = np.exp(-(x**2) / (2 * _SIGMA**2))
    normalised: Plane = weights / weights.sum()
    return normalised


_GAUSSIAN = _gaussian_window()


def _require_window(shape: tuple[int, ...]) -> None:
    if len(shape) != 2 or min(shape) < _WINDOW:
        raise ValueError(f"SSIM needs planes of at least {_WINDOW}x{_WINDOW} pixels, got shape {shape}")


def _require_same_shape(a: NDArray[Any], b: NDArray[Any]) -> None:
    if a.shape != b.shape:
        raise ValueError(f"images of shape {a.shape} and {b.shape} cannot be compared")
