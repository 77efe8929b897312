"""JPEG compression and decompression of batches in torch, with a quality for each image."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

_LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61), (12, 12, 14, 19, 26, 58, 60, 55), (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62), (18, 22, 37, 56, 68, 109, 103, 77), (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101), (72, 92, 95, 98, 112, 100, 103, 99),
)  # fmt: skip
"""Quantisation of luminance (ITU-T T.81, table K.1)."""
_CHROMINANCE = (
    (17, 18, 24, 47, 99, 99, 99, 99), (18, 21, 26, 66, 99, 99, 99, 99), (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99), *((99,) * 8,) * 4,
)  # fmt: skip
"""Quantisation of chrominance (ITU-T T.81, table K.2)."""

_TO_YCC = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))
_TO_RGB = ((1.0, 0.0, 1.402), (1.0, -0.344136, -0.714136), (1.0, 1.772, 0.0))
"""Colour conversion of JFIF 1.02."""


def jpeg(images: Tensor, quality: Tensor) -> Tensor:
    """Images after JPEG with 4:2:0 chroma.

    As in Real-ESRGAN, ``quality`` is continuous and the scaled quantisation steps are not rounded. Real-ESRGAN's own
    operator, BasicSR's DiffJPEG, differs in two things: its quantisation tables are the transposes of the standard's,
    so that horizontal and vertical frequencies change places (an image transposed before and after is DiffJPEG's to
    1e-4 levels where the sides are multiples of 16), and it continues other sides by black. Here the tables are those
    of ITU-T T.81 and other sides are continued by their border pixels, both as libjpeg. The two differ by 2.0 levels in
    the mean at quality 30 and by 0.8 at 95 (scikit-image's astronaut, 256x256).

    Args:
        images: ``[B, 3, H, W]`` in [0, 1].
        quality: ``[B]``, 1 to 100 (libjpeg's scale).
    """
    height, width = images.shape[-2:]
    padded = F.pad(images, (0, -width % 16, 0, -height % 16), mode="replicate")
    to_ycc = images.new_tensor(_TO_YCC)
    ycc = torch.einsum("dc,bchw->bdhw", to_ycc, padded * 255)
    ycc[:, 0] -= 128  # chroma is centred already
    steps = _steps(quality.to(images))[:, None, None, None]  # [B, 1, 1, 1]
    y = _through_blocks(ycc[:, :1], images.new_tensor(_LUMINANCE), steps)
    chroma = _through_blocks(F.avg_pool2d(ycc[:, 1:], 2), images.new_tensor(_CHROMINANCE), steps)
    chroma = chroma.repeat_interleave(2, -1).repeat_interleave(2, -2)
    rgb = torch.einsum("dc,bchw->bdhw", images.new_tensor(_TO_RGB), torch.cat((y + 128, chroma), 1))
    return (rgb[..., :height, :width] / 255).clamp(0, 1)


def _steps(quality: Tensor) -> Tensor:
    """Factor of the quantisation tables (libjpeg's ``jpeg_quality_scaling``), not rounded."""
    return torch.where(quality < 50, 50 / quality, 2 - quality / 50).clamp(min=1e-3)


def _through_blocks(planes: Tensor, table: Tensor, steps: Tensor) -> Tensor:
    """Quantise the DCT of 8x8 blocks; ``planes`` is ``[B, C, H, W]``, centred at zero."""
    batch, channels, height, width = planes.shape
    basis = _dct(planes)
    blocks = planes.reshape(batch, channels, height // 8, 8, width // 8, 8).movedim(4, 3)  # [B, C, H/8, W/8, 8, 8]
    step = table * steps[..., None, None]
    quantised = torch.round(basis @ blocks @ basis.T / step) * step
    return (basis.T @ quantised @ basis).movedim(3, 4).reshape(planes.shape)


def _dct(like: Tensor) -> Tensor:
    """Orthonormal DCT-II of length 8: row u is the cosine of frequency u."""
    frequency, position = torch.arange(8, dtype=torch.float64)[:, None], torch.arange(8, dtype=torch.float64)
    basis = torch.cos((2 * position + 1) * frequency * math.pi / 16) / 2
    basis[0] /= math.sqrt(2)
    return basis.to(like)
