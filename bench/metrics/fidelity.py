"""PSNR and SSIM as the protocols define them."""

from __future__ import annotations

import numpy as np

from .metric import Metric, Pair
from .similarity import Plane, Rows, psnr, psnr_of_rows, round_half_up, ssim_of_rows

VERSION = "2"  # 1 took every grey SR of a colour HR for a Y plane


def psnr_y(pair: Pair) -> float:
    """PSNR of Y in dB."""
    return psnr_of_rows(_luma(pair, pair.protocol.psnr_rounds_y), pair.shape, mse_floor=pair.protocol.mse_floor)


def ssim_y(pair: Pair) -> float:
    """SSIM of Y."""
    rows = _luma(pair, pair.protocol.ssim_rounds_y)
    return ssim_of_rows(rows, pair.shape, clamp_contrast=pair.protocol.clamp_contrast)


def _luma(pair: Pair, rounded: bool) -> Rows:
    def rows(wanted: slice) -> tuple[Plane, Plane]:
        a, b = pair.luma_of(wanted)
        return (round_half_up(a), round_half_up(b)) if rounded else (a, b)

    return rows


def psnr_rgb(pair: Pair) -> float:
    """PSNR in dB with the mean squared error over all three channels."""
    a, b = pair.rgb
    return psnr(a, b, mse_floor=pair.protocol.mse_floor)


def ssim_rgb(pair: Pair) -> float:
    """Mean of the SSIM of R, G and B."""
    a, b = pair.rgb

    def channel(number: int) -> Rows:
        return lambda rows: (a[rows, :, number].astype(np.float64), b[rows, :, number].astype(np.float64))

    clamp = pair.protocol.clamp_contrast
    return sum(ssim_of_rows(channel(number), pair.shape, clamp_contrast=clamp) for number in range(3)) / 3


METRICS = (
    Metric("psnr_y", "PSNR-Y", "dB", 2, "higher", VERSION, psnr_y, any_size=True),
    Metric("ssim_y", "SSIM-Y", "", 4, "higher", VERSION, ssim_y, any_size=True),
    Metric("psnr_rgb", "PSNR-RGB", "dB", 2, "higher", VERSION, psnr_rgb, any_size=True),
    Metric("ssim_rgb", "SSIM-RGB", "", 4, "higher", VERSION, ssim_rgb, any_size=True),
)
