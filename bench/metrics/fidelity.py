"""PSNR and SSIM as the protocols define them."""

from __future__ import annotations

import numpy as np

from .metric import Metric, Pair
from .similarity import psnr, round_half_up, ssim

VERSION = "1"


def psnr_y(pair: Pair) -> float:
    """PSNR of Y in dB."""
    a, b = pair.luma
    if pair.protocol.psnr_rounds_y:
        a, b = round_half_up(a), round_half_up(b)
    return psnr(a, b, mse_floor=pair.protocol.mse_floor)


def ssim_y(pair: Pair) -> float:
    """SSIM of Y."""
    a, b = pair.luma
    if pair.protocol.ssim_rounds_y:
        a, b = round_half_up(a), round_half_up(b)
    return ssim(a, b, clamp_contrast=pair.protocol.clamp_contrast)


def psnr_rgb(pair: Pair) -> float:
    """PSNR in dB with the mean squared error over all three channels."""
    a, b = pair.rgb
    return psnr(a, b, mse_floor=pair.protocol.mse_floor)


def ssim_rgb(pair: Pair) -> float:
    """Mean of the SSIM of R, G and B."""
    a, b = (image.astype(np.float64) for image in pair.rgb)
    return sum(ssim(a[..., c], b[..., c], clamp_contrast=pair.protocol.clamp_contrast) for c in range(3)) / 3


METRICS = (
    Metric("psnr_y", "PSNR-Y", "dB", 2, "higher", VERSION, psnr_y),
    Metric("ssim_y", "SSIM-Y", "", 4, "higher", VERSION, ssim_y),
    Metric("psnr_rgb", "PSNR-RGB", "dB", 2, "higher", VERSION, psnr_rgb),
    Metric("ssim_rgb", "SSIM-RGB", "", 4, "higher", VERSION, ssim_rgb),
)
