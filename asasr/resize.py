"""LQ images at output size, in the way that a model was trained with."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from .choices import Resize


def resized(lq: Tensor, height: int, width: int, method: Resize = "bicubic") -> Tensor:
    """Enlarge LQ images ``[B, 3, h, w]`` in [0, 1] to ``[B, 3, height, width]`` in [0, 1].

    Args:
        method: ``bicubic``: torch's, with Keys' a = -0.75; ``pil-bicubic``: as PIL resizes 8-bit images, a = -0.5, rows
            first, rounded to levels of 255 after rows and after columns.
    """
    if method == "bicubic":
        return functional.interpolate(lq, (height, width), mode="bicubic", align_corners=False).clamp(0, 1)
    levels = _levels(255 * lq.float())
    for size in ((lq.shape[-2], width), (height, width)):
        # with antialiasing torch takes a = -0.5 too; enlarging, nothing is filtered
        levels = _levels(functional.interpolate(levels, size, mode="bicubic", align_corners=False, antialias=True))
    return levels / 255


def _levels(values: Tensor) -> Tensor:
    return torch.floor(values + 0.5).clamp(0, 255)
