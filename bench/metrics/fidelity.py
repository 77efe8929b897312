"""PSNR and SSIM as the protocols define them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .card import MetricCard
from .metric import Metric, per_image
from .metric_input import MetricInput
from .similarity import Plane, Rows, psnr, psnr_of_rows, round_half_up, ssim_of_rows

VERSION = "2"  # 1 took every grey SR of a colour HR for a Y plane


def psnr_y(image: MetricInput) -> float:
    """PSNR of Y in dB."""
    return psnr_of_rows(_luma(image, image.protocol.psnr_rounds_y), image.shape, mse_floor=image.protocol.mse_floor)


def ssim_y(image: MetricInput) -> float:
    """SSIM of Y."""
    rows = _luma(image, image.protocol.ssim_rounds_y)
    return ssim_of_rows(rows, image.shape, clamp_contrast=image.protocol.clamp_contrast)


def _luma(image: MetricInput, rounded: bool) -> Rows:
    def rows(strip: slice) -> tuple[Plane, Plane]:
        a, b = image.luma_of(strip)
        return (round_half_up(a), round_half_up(b)) if rounded else (a, b)

    return rows


def psnr_rgb(image: MetricInput) -> float:
    """PSNR in dB with the mean squared error over all three channels."""
    a, b = image.rgb
    return psnr(a, b, mse_floor=image.protocol.mse_floor)


def ssim_rgb(image: MetricInput) -> float:
    """Mean of the SSIM of R, G and B."""
    a, b = image.rgb

    def channel(number: int) -> Rows:
        return lambda rows: (a[rows, :, number].astype(np.float64), b[rows, :, number].astype(np.float64))

    clamp = image.protocol.clamp_contrast
    return sum(ssim_of_rows(channel(number), image.shape, clamp_contrast=clamp) for number in range(3)) / 3


def _metric(id: str, title: str, unit: str, digits: int, function: Callable[[MetricInput], float]) -> Metric:
    card = MetricCard(id, title, unit, digits, "higher", version=VERSION)
    return Metric(card, per_image(function), any_size=True, fidelity=True)


METRICS = (
    _metric("psnr_y", "PSNR-Y", "dB", 2, psnr_y),
    _metric("ssim_y", "SSIM-Y", "", 4, ssim_y),
    _metric("psnr_rgb", "PSNR-RGB", "dB", 2, psnr_rgb),
    _metric("ssim_rgb", "SSIM-RGB", "", 4, ssim_rgb),
)
