"""The unsharp mask that Real-ESRGAN's training applies to HQ images."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

_RADIUS = 50
_THRESHOLD = 10
_WEIGHT = 0.5
"""Window, grey levels and share of Real-ESRGAN's training (arXiv 2107.10833, section 3.3; ``USMSharp`` of its code)."""


def unsharp_mask(images: Tensor) -> Tensor:
    """Add half of what a Gaussian blur takes away, where that is more than 10 grey levels; softly at the borders.

    The window is 51 pixels wide and its deviation 8, which is what OpenCV takes for such a window; images are mirrored
    at their edges.

    Args:
        images: ``[B, C, H, W]`` in [0, 1], sides above 25.
    """
    residual = images - _blurred(images)
    mask = (residual.abs() * 255 > _THRESHOLD).to(images.dtype)
    soft = _blurred(mask)
    sharp = (images + _WEIGHT * residual).clamp(0, 1)
    return soft * sharp + (1 - soft) * images


def _blurred(images: Tensor) -> Tensor:
    window = _RADIUS + 1  # odd
    deviation = 0.3 * ((window - 1) * 0.5 - 1) + 0.8
    position = torch.arange(window, dtype=torch.float64) - window // 2
    kernel = torch.exp(-(position**2) / (2 * deviation**2))
    kernel = (kernel / kernel.sum()).to(images)
    height, width = images.shape[-2:]
    planes = images.reshape(-1, 1, height, width)
    rows = functional.conv2d(functional.pad(planes, [window // 2] * 2 + [0, 0], "reflect"), kernel.view(1, 1, 1, -1))
    blurred = functional.conv2d(functional.pad(rows, [0, 0] + [window // 2] * 2, "reflect"), kernel.view(1, 1, -1, 1))
    return blurred.reshape(images.shape)
