"""Where an image has artifacts: the maps of LDL and DeSRA, and the share of an image that they mark.

LDL: Liang, Zeng, Zhang, "Details or artifacts", CVPR 2022, section 3.2, values of the authors' loss. DeSRA: Xie et al.,
"DeSRA: detect and delete the artifacts of GAN-based real-world super-resolution models", ICML 2023, equation 7 and the
morphology of the authors' script, without the weights of semantic classes (equation 9), which take a segmenter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ....datasets.imresize import imresize
from ..card import MetricCard
from ..metric import Metric, per_image
from ..metric_input import MetricInput, Pixels
from ..similarity import shave, window_mean

_LDL_VERSION, _DESRA_VERSION = "1", "2"
Map = NDArray[np.float64]
Mask = NDArray[np.bool_]

_LDL_WINDOW = 7
LDL_EXPONENT = 1 / 5
_DESRA_WINDOW = 11
LEAST_SIDE = max(_LDL_WINDOW, _DESRA_WINDOW)
"""Pixels of the shortest side that both maps take."""
BORDER = _DESRA_WINDOW // 2
INSIDE = np.s_[BORDER:-BORDER, BORDER:-BORDER]
"""Where DeSRA's windows fit. The authors' script goes on with these pixels alone."""
_DESRA_CONSTANT = (0.03 * 255) ** 2
_DESRA_FLOOR = 1e-8
DESRA_THRESHOLD = 0.7
"""Of the agreement of contrast, below which a pixel may be of an artifact."""
DESRA_LEAST_AREA = 4000
"""Pixels of the largest area that is left out: smaller ones are not seen as artifacts."""
_SQUARE = np.ones((5, 5), dtype=bool)
_DILATIONS = 3
_EIGHT = np.ones((3, 3), dtype=bool)


@dataclass(frozen=True)
class ArtifactMaps:
    """Maps of one image at SR's size ``[H, W]``."""

    ldl: Map
    """LDL's map: greater where an artifact is likelier, 0 where there is none; images are in [0, 1]."""
    agreement: Map
    """DeSRA's agreement of local contrast, 0 to 1; 1 at the border, where its window does not fit."""
    areas: Mask
    """DeSRA's areas; none in the outer 5 pixels, where its window does not fit."""
    excess: Mask
    """Where SR has more local contrast than what it is compared with: an area is invented there, and else smoothed."""


def artifact_maps(sr: Pixels, hr: Pixels, stable: Pixels | None = None) -> ArtifactMaps:
    """Both maps of an image, for figures and pages.

    Args:
        sr: uint8 ``[H, W, 3]``, as all of them.
        hr: the truth.
        stable: an image of fewer artifacts, such as that of a network trained for PSNR, with which DeSRA compares, and
            than which SR must be farther from HR for LDL; None: HR for DeSRA, and all of the map for LDL.
    """
    agreement, excess = contrast_agreement(sr, hr if stable is None else stable)
    areas = np.zeros(agreement.shape, dtype=bool)
    areas[INSIDE] = artifact_areas(agreement[INSIDE])
    return ArtifactMaps(ldl_map(sr, hr, stable), agreement, areas, excess)


def ldl_map(sr: Pixels, hr: Pixels, stable: Pixels | None = None) -> Map:
    """LDL's map: variance of the residual in windows of 7x7 pixels, times the fifth root of that of the whole image.

    The residual is the sum of the absolute differences of the channels in [0, 1].

    Args:
        stable: 0 where SR is nearer to HR than this image (LDL's: that of the averaged network); None: nowhere.
    """
    residual = residual_of(sr, hr)
    if min(residual.shape) < _LDL_WINDOW:
        raise ValueError(f"LDL's map needs sides of {_LDL_WINDOW} pixels, not {residual.shape[1]}x{residual.shape[0]}")
    values: Map = local_variance(residual) * residual.var(ddof=1) ** LDL_EXPONENT
    if stable is not None:
        values[residual < residual_of(stable, hr)] = 0
    return values


def residual_of(image: Pixels, hr: Pixels) -> Map:
    """Sum of the absolute differences of the channels in [0, 1]."""
    if image.shape != hr.shape:
        raise ValueError(f"images of shape {image.shape} and {hr.shape} cannot be compared")
    difference = np.abs(np.subtract(image, hr, dtype=np.int16))  # whole numbers: sums are exact
    return np.asarray((difference[..., 0] + difference[..., 1] + difference[..., 2]) / 255)


def local_variance(plane: Map) -> Map:
    """Unbiased variance in windows; the border is mirrored without its own pixels."""
    from scipy.ndimage import uniform_filter

    count = _LDL_WINDOW**2
    centred = plane - plane.mean()
    mean, square = (uniform_filter(values, _LDL_WINDOW, mode="mirror") for values in (centred, centred**2))
    return np.asarray(np.maximum(square - mean**2, 0) * count / (count - 1))


def contrast_agreement(sr: Pixels, stable: Pixels) -> tuple[Map, Mask]:
    """DeSRA's agreement of the local contrast of two images, mean of the channels, and where SR's is the greater.

    Raises:
        ValueError: the images differ in size, or a side is below 11 pixels.
    """
    if sr.shape != stable.shape:
        raise ValueError(f"images of shape {sr.shape} and {stable.shape} cannot be compared")
    if min(sr.shape[:2]) < _DESRA_WINDOW:
        raise ValueError(f"DeSRA needs sides of {_DESRA_WINDOW} pixels, not {sr.shape[1]}x{sr.shape[0]}")
    agreement, surplus = np.ones(sr.shape[:2]), np.zeros(sr.shape[:2])
    terms = []
    for first, second in zip(_contrasts(sr), _contrasts(stable), strict=True):
        product = np.sqrt((first + _DESRA_FLOOR) * (second + _DESRA_FLOOR))
        terms.append((2 * product + _DESRA_CONSTANT) / (first + second + _DESRA_CONSTANT))
        surplus[INSIDE] += first - second
    agreement[INSIDE] = np.mean(terms, axis=0)
    return agreement, surplus > 0


def _contrasts(image: Pixels) -> list[Map]:
    """The contrast of each channel; an image that is grey in three channels has one, computed once."""
    if (image[..., 0] == image[..., 1]).all() and (image[..., 0] == image[..., 2]).all():
        return [_contrast(image[..., 0].astype(np.float64))] * 3
    return [_contrast(image[..., channel].astype(np.float64)) for channel in range(3)]


def _contrast(channel: Map) -> Map:
    """Variance in Gaussian windows (that of SSIM) that fit into the image."""
    centred = channel - channel.mean()
    return np.asarray(np.maximum(window_mean(centred**2) - window_mean(centred) ** 2, 0))


def artifact_areas(agreement: Map) -> Mask:
    """Areas of little agreement: eroded by 5x5, dilated three times, holes filled, those of 4,000 pixels left out.

    Args:
        agreement: of the places where a window fits; an area that reaches their border goes on beyond it.
    """
    return areas_of(agreement < DESRA_THRESHOLD)


def areas_of(marked: Mask) -> Mask:
    """``artifact_areas`` of the places where there is little agreement."""
    from scipy import ndimage

    eroded = ndimage.binary_erosion(marked, _SQUARE, border_value=1)
    dilated = ndimage.binary_dilation(eroded, _SQUARE, iterations=_DILATIONS)
    filled = ndimage.binary_fill_holes(dilated, _EIGHT)
    labels, _ = ndimage.label(filled, _EIGHT)
    large = np.bincount(labels.ravel()) > DESRA_LEAST_AREA
    large[0] = False
    areas: Mask = large[labels]
    return areas


def ldl(image: MetricInput) -> float:
    """Mean of LDL's map times 1,000, where SR is farther from HR than bicubic interpolation of LQ is.

    Interpolation stands for LDL's averaged network: it has no artifacts of its own, so that what is worse than it was
    added.

    Raises:
        ValueError: LQ is the Y plane of a colour image, or SR's size is no multiple of LQ's.
    """
    assert image.lq is not None
    sr, hr = image.rgb
    farther = residual_of(sr, hr) > residual_of(interpolated(image), hr)
    return 1000 * float((ldl_map(sr, hr) * farther).mean())


def interpolated(image: MetricInput) -> Pixels:
    """LQ brought to SR's size by MATLAB's bicubic, as RGB under the protocol's crop."""
    from ....datasets.images import as_rgb

    assert image.lq is not None
    scale = image.sr.shape[0] / image.lq.shape[0]
    if abs(image.lq.shape[1] * scale - image.sr.shape[1]) >= 1:
        raise ValueError(
            f"LQ of {image.lq.shape[1]}x{image.lq.shape[0]} pixels is no {image.sr.shape[1]}x"
            f"{image.sr.shape[0]} pixels at scale {scale:g}"
        )
    enlarged = as_rgb(imresize(image.lq, output_shape=image.sr.shape[:2]))
    return shave(enlarged, image.protocol.shave)


def desra(image: MetricInput) -> float:
    """Share in % of the pixels that are in DeSRA's areas, with HR in the place of its network trained for PSNR.

    The outer 5 pixels, where no window fits, are in neither number. Areas that lost HR's contrast count as those that
    invented some.
    """
    sr, hr = image.rgb
    return 100 * float(artifact_areas(contrast_agreement(sr, hr)[0][INSIDE]).mean())


_LDL_NOTE = "only where SR is farther from HR than bicubic interpolation, which has 0"
_DESRA_NOTE = "areas above 4,000 pixels whose local contrast is not HR's, too little or too much"
METRICS = (
    Metric(
        MetricCard("ldl", "LDL artifacts", "1e-3", 3, "lower", _LDL_NOTE, "0, ~", "pair", version=_LDL_VERSION),
        per_image(ldl),
    ),
    Metric(
        MetricCard("desra", "DeSRA areas", "%", 2, "lower", _DESRA_NOTE, "0, 100", version=_DESRA_VERSION),
        per_image(desra),
    ),
)
