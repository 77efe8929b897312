"""NIQE: how far an image's local statistics are from those of pristine photos.

Mittal, Soundararajan, Bovik, IEEE SPL 20(3), 2013. Own code, free for any use; the model of pristine photos is the
authors'.
"""

from __future__ import annotations

from functools import lru_cache
from math import sqrt
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...datasets.imresize import imresize
from ...methods.weights.files import verified, weight_file
from .card import MetricCard
from .metric import Metric, per_image
from .metric_input import MetricInput
from .requirements import WeightFiles
from .structural import full_range_y

VERSION = "3"  # 1 and 2 went through pyiqa

Floats = NDArray[np.float64]

_BLOCK = 96
_SIGMA = 7 / 6  # of the 7x7 window
# pyiqa, with which published tables are made, rounds its window to float32, whose sum is not quite 1. That shows in
# flat areas, where the variance is the small difference of two large numbers.
_WINDOW_SUM = 1 + 1.1350494e-8
_SHIFTS = ((0, 1), (1, 0), (1, 1), (1, -1))
_FEATURES = 18  # a block and scale


def niqe(image: MetricInput) -> float:
    """NIQE of rounded full-range Y, on whole blocks of 96 pixels."""
    plane = full_range_y(image.sr_rgb)
    height, width = (length // _BLOCK * _BLOCK for length in plane.shape)
    if height * width < 2 * _BLOCK**2:
        raise ValueError(f"NIQE needs two blocks of 96x96 pixels, the image has {plane.shape[1]}x{plane.shape[0]}")
    features = block_features(plane[:height, :width])
    mean, covariance = _pristine(verified(weight_file("niqe")))
    return distance(features, mean, covariance)


def block_features(plane: Floats) -> Floats:
    """Features ``[blocks, 36]`` of a plane whose sides are multiples of 96, at full and at half resolution."""
    scales = []
    for block in (_BLOCK, _BLOCK // 2):
        scales.append(_features(_blocks(_normalised(plane), block)))
        if block == _BLOCK:
            plane = imresize(plane, 0.5)
    return np.concatenate(scales, axis=1)


def distance(features: Floats, mean: Floats, covariance: Floats) -> float:
    """Between the Gaussian of an image's blocks and that of pristine photos; blocks without variation do not count."""
    valid = features[np.isfinite(features).all(1)]
    if len(valid) < 2:
        raise ValueError("NIQE is not defined for an image without texture")
    # The mean takes what is defined of every block, as the authors' nanmean does.
    difference = mean - np.nanmean(np.where(np.isfinite(features), features, np.nan), axis=0)
    inverse = np.linalg.pinv((covariance + np.cov(valid, rowvar=False)) / 2)
    return sqrt(float(difference @ inverse @ difference))


def _normalised(plane: Floats) -> Floats:
    """Local contrast: minus the local mean, over the local deviation plus 1."""
    from scipy.ndimage import correlate1d

    x = np.arange(-3, 4)
    window = np.exp(-(x**2) / (2 * _SIGMA**2))
    window *= sqrt(_WINDOW_SUM) / window.sum()

    def blurred(values: Floats) -> Floats:
        rows = correlate1d(values, window, axis=0, mode="nearest")
        result: Floats = correlate1d(rows, window, axis=1, mode="nearest")
        return result

    mean = blurred(plane)
    deviation = np.sqrt(np.abs(blurred(plane**2) - mean**2))
    result: Floats = (plane - mean) / (deviation + 1)
    return result


def _blocks(plane: Floats, side: int) -> Floats:
    """``[blocks, side, side]``."""
    rows, columns = plane.shape[0] // side, plane.shape[1] // side
    return plane.reshape(rows, side, columns, side).swapaxes(1, 2).reshape(-1, side, side)


def _features(blocks: Floats) -> Floats:
    """Shape and width of a block's values, and of the products of neighbours in four directions: ``[blocks, 18]``."""
    from scipy.special import gammaln

    alpha, left, right = _asymmetric_gaussian(blocks)
    columns = [alpha, (left + right) / 2]
    for shift in _SHIFTS:
        alpha, left, right = _asymmetric_gaussian(blocks * np.roll(blocks, shift, axis=(1, 2)))
        mean = (right - left) * np.exp(gammaln(2 / alpha) - gammaln(1 / alpha))
        columns += [alpha, mean, left, right]
    assert len(columns) == _FEATURES
    return np.stack(columns, axis=1)


def _asymmetric_gaussian(blocks: Floats) -> tuple[Floats, Floats, Floats]:
    """Shape and both widths of an asymmetric generalised Gaussian fitted to each block by its moments."""
    from scipy.special import gammaln

    values = blocks.reshape(len(blocks), -1)
    squares = values * values
    negative, positive = values < 0, values > 0
    with np.errstate(invalid="ignore", divide="ignore"):  # a block without variation has no shape
        left = np.sqrt((squares * negative).sum(1) / negative.sum(1))
        right = np.sqrt((squares * positive).sum(1) / positive.sum(1))
        ratio = left / right
        moments = np.abs(values).mean(1) ** 2 / squares.mean(1)
        moment_ratio = moments * (ratio**3 + 1) * (ratio + 1) / (ratio**2 + 1) ** 2
    shapes, table = _moment_table()
    alpha = shapes[_nearest(table, moment_ratio)]
    width = np.exp((gammaln(1 / alpha) - gammaln(3 / alpha)) / 2)
    return alpha, left * width, right * width


def _nearest(table: Floats, values: Floats) -> NDArray[np.int64]:
    """Index of the nearest entry of a rising table; 0 for NaN."""
    known = np.nan_to_num(values, nan=table[0])
    after = np.clip(np.searchsorted(table, known), 1, len(table) - 1)
    closer_before = known - table[after - 1] <= table[after] - known
    indices: NDArray[np.int64] = np.where(closer_before, after - 1, after)
    return indices


@lru_cache(maxsize=1)
def _moment_table() -> tuple[Floats, Floats]:
    """Shapes from 0.2 to 10 in steps of 0.001, and the moment ratio that each gives."""
    from scipy.special import gammaln

    shapes = np.arange(200, 10001) / 1000
    return shapes, np.exp(2 * gammaln(2 / shapes) - gammaln(1 / shapes) - gammaln(3 / shapes))


@lru_cache(maxsize=4)
def _pristine(path: Path) -> tuple[Floats, Floats]:
    from scipy.io import loadmat

    parameters = loadmat(path)
    return parameters["mu_prisparam"].ravel().astype(float), parameters["cov_prisparam"].astype(float)


CARD = MetricCard("niqe", "NIQE", digits=3, direction="lower", range="~0, ~100", needs="nothing", version=VERSION)
METRICS = (Metric(CARD, per_image(niqe), requires=(WeightFiles(("niqe",)),)),)
