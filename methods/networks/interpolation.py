"""Nearest, bilinear, bicubic and Lanczos as MATLAB's imresize computes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from ...datasets.imresize import Kernel, imresize
from ...datasets.scales import sr_size
from ..interface import MethodCard

if TYPE_CHECKING:
    from torch import Tensor

KERNELS: dict[str, tuple[Kernel, str]] = {
    "nearest": ("box", "Nearest neighbour"),
    "bilinear": ("triangle", "Bilinear interpolation"),
    "bicubic": ("cubic", "Bicubic interpolation (Keys, a = -0.5), MATLAB's imresize"),
    "lanczos": ("lanczos3", "Lanczos interpolation with three lobes"),
}


@dataclass(frozen=True)
class Interpolation:
    """One interpolation kernel; a ``PixelMethod`` and a ``Method``."""

    card: MethodCard
    kernel: Kernel

    def restore_pixels(self, lq: NDArray[Any], scale: float) -> NDArray[Any]:
        """See ``PixelMethod``."""
        return imresize(lq, output_shape=sr_size(lq.shape, scale), kernel=self.kernel)

    def restore(self, lq: Tensor, scale: float, seeds: Sequence[int]) -> Tensor:
        """See ``Method``; computed in float64 on the CPU, without rounding."""
        import torch

        images = [self.restore_pixels(image.permute(1, 2, 0).double().cpu().numpy(), scale) for image in lq]
        batch = torch.stack([torch.from_numpy(image).permute(2, 0, 1) for image in images])
        return batch.clamp(0, 1).to(lq)


def interpolation(name: str) -> Interpolation:
    """The interpolation of this id: nearest, bilinear, bicubic or lanczos."""
    kernel, summary = KERNELS[name]
    return Interpolation(MethodCard(name, "interpolation", summary), kernel)
