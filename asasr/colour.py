"""Colour fixes: give an SR image the colours of its LQ image (StableSR, section 3.3)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from .choices import ColourFix

_LEVELS = 5
"""Wavelet levels: structure up to 2^5 pixels comes from SR."""


def fix_colour(sr: Tensor, lq: Tensor, fix: ColourFix) -> Tensor:
    """Colours of ``lq`` (at output size) for ``sr``; both ``[B, 3, H, W]`` in [0, 1].

    ``adain`` gives each channel the mean and deviation of LQ's; ``wavelet`` replaces what is coarser than 32 pixels.
    """
    if fix == "adain":
        return _adain(sr, lq).clamp(0, 1)
    if fix == "wavelet":
        return (sr - _coarse(sr) + _coarse(lq)).clamp(0, 1)
    return sr


def _adain(sr: Tensor, lq: Tensor) -> Tensor:
    def statistics(images: Tensor) -> tuple[Tensor, Tensor]:
        deviation, mean = torch.std_mean(images, (2, 3), keepdim=True)
        return mean, (deviation.square() + 1e-5).sqrt()

    mean, deviation = statistics(sr)
    wanted_mean, wanted_deviation = statistics(lq)
    return (sr - mean) / deviation * wanted_deviation + wanted_mean


def _coarse(images: Tensor) -> Tensor:
    """The low-pass of an undecimated wavelet with binomial taps 1 2 1, doubled in width at each level."""
    taps = images.new_tensor([0.25, 0.5, 0.25])
    kernel = (taps[:, None] * taps).expand(3, 1, 3, 3)
    for level in range(_LEVELS):
        padded = functional.pad(images, [2**level] * 4, mode="replicate")
        images = functional.conv2d(padded, kernel, groups=3, dilation=2**level)
    return images
