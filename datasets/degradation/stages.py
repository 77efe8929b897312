"""The single stages of a degradation on batches ``[B, 3, H, W]`` in [0, 1], float32, on any device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .kernels import Kernel, gaussian

ResizeMode = Literal["area", "bilinear", "bicubic"]
RESIZE_MODES: tuple[ResizeMode, ...] = ("area", "bilinear", "bicubic")

_LUMA = (0.2989, 0.587, 0.114)
"""Weights of ITU-R BT.601 as torchvision's rgb_to_grayscale has them, which Real-ESRGAN's grey noise uses."""

_USM_SIZE, _USM_SIGMA = 51, 8.0
"""Real-ESRGAN sharpens with radius 50: a Gaussian of 51 taps, whose sigma OpenCV derives as 0.3 (25 - 1) + 0.8."""
_USM_WEIGHT, _USM_THRESHOLD = 0.5, 10.0


def blur(images: Tensor, kernels: Sequence[Kernel]) -> Tensor:
    """Correlate each image of the batch with its own kernel, reflecting at the borders without the border pixel."""
    batch, channels, height, width = images.shape
    weights = torch.from_numpy(np.stack(kernels)).to(images)  # [B, K, K]
    size = weights.shape[-1]
    padded = _reflected(images, size // 2).reshape(1, batch * channels, height + size - 1, width + size - 1)
    weights = weights.repeat_interleave(channels, dim=0)[:, None]  # [B * C, 1, K, K]
    return F.conv2d(padded, weights, groups=batch * channels).reshape(images.shape)


def sharpen(images: Tensor) -> Tensor:
    """Unsharp mask where the detail exceeds a threshold, with soft transitions (Real-ESRGAN, section 3.4)."""
    detail = images - _smooth(images)
    mask = _smooth((detail.abs() * 255 > _USM_THRESHOLD).to(images))
    sharp = (images + _USM_WEIGHT * detail).clamp(0, 1)
    return mask * sharp + (1 - mask) * images


def _smooth(images: Tensor) -> Tensor:
    profile = torch.from_numpy(gaussian(_USM_SIZE, (_USM_SIGMA, _USM_SIGMA)).sum(0)).to(images)
    channels = images.shape[1]
    kernel = profile.expand(channels, 1, 1, -1)
    rows = F.conv2d(_reflected(images, _USM_SIZE // 2), kernel, groups=channels)
    return F.conv2d(rows, kernel.transpose(2, 3), groups=channels)


def resize(images: Tensor, mode: ResizeMode, *, factor: float | None = None, size: tuple[int, int] = (0, 0)) -> Tensor:
    """Resize a batch, without antialiasing except for ``area``.

    Args:
        images: ``[B, 3, H, W]``.
        mode: interpolation.
        factor: factor for both sides, which are rounded down; None: ``size`` is used.
        size: height and width of the result.
    """
    if factor is not None:
        size = int(images.shape[2] * factor), int(images.shape[3] * factor)
        if min(size) >= 1:
            return F.interpolate(images, scale_factor=factor, mode=mode)
    return F.interpolate(images, size=(max(size[0], 1), max(size[1], 1)), mode=mode)


def gaussian_noise(images: Tensor, sigma: Tensor, grey: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
    """Add Gaussian noise and clip to [0, 1].

    Args:
        images: ``[B, 3, H, W]`` in [0, 1].
        sigma: ``[B]``, in levels of 255.
        grey: ``[B]``, 1 where the channels share their noise.
        generators: one for each image, on the images' device.
    """
    shape = images.shape[1:]
    fields = [
        torch.randn((1, *shape[1:]) if is_grey > 0 else shape, generator=generator, device=images.device).expand(shape)
        for is_grey, generator in zip(grey.tolist(), generators, strict=True)
    ]
    return (images + torch.stack(fields).to(images) * sigma.to(images)[:, None, None, None] / 255).clamp(0, 1)


def poisson_noise(images: Tensor, strength: Tensor, grey: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
    """Add Poisson noise and clip to [0, 1].

    The photon count of white is the number of different levels in the image, rounded up to a power of two.

    Args:
        images: ``[B, 3, H, W]`` in [0, 1].
        strength: ``[B]``, factor of the noise.
        grey: ``[B]``, 1 where the channels share their noise.
        generators: one for each image, on the images' device.
    """
    fields = [
        _shot_noise(image, is_grey > 0, generator)
        for image, is_grey, generator in zip(images, grey.tolist(), generators, strict=True)
    ]
    return (images + torch.stack(fields) * strength.to(images)[:, None, None, None]).clamp(0, 1)


def _shot_noise(image: Tensor, grey: bool, generator: torch.Generator) -> Tensor:
    signal = image
    if grey:
        signal = (image * image.new_tensor(_LUMA)[:, None, None]).sum(0, keepdim=True)
    levels = (signal * 255).round().clamp(0, 255)
    white = 2.0 ** int(np.ceil(np.log2(len(torch.unique(levels)))))
    signal = levels / 255
    return (torch.poisson(signal * white, generator=generator) / white - signal).expand(image.shape)


def _reflected(images: Tensor, pad: int) -> Tensor:
    """Pad by reflection; unlike ``F.pad`` also where the image is smaller than the padding."""
    height, width = images.shape[-2:]
    if pad < min(height, width):
        return F.pad(images, (pad, pad, pad, pad), mode="reflect")
    rows, columns = (_reflection(side, pad).to(images.device) for side in (height, width))
    return images[..., rows, :][..., columns]


def _reflection(side: int, pad: int) -> Tensor:
    period = max(2 * (side - 1), 1)
    position = torch.arange(-pad, side + pad) % period
    return torch.minimum(position, period - position) if side > 1 else torch.zeros_like(position)
