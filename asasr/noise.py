"""Noise: what a flow starts from, and generators that keep all that is drawn for an image independent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

import torch
from torch import Tensor

from .spectral import SobolevOperator

NoiseRole = Literal["hq posterior", "lq posterior"]
"""What is drawn for an image beside the flow's own noise, which comes from the seed itself."""


def role_generator(seed: int, role: NoiseRole, index: int = 0) -> torch.Generator:
    """A generator whose draws are independent of those of every other role, index and seed.

    Args:
        index: of an image in its batch.
    """
    digest = sha256(f"{seed}/{role}/{index}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


@dataclass(frozen=True)
class NoiseSource:
    """Noise at sigma 1: white, or colored as ASASR's transition kernel has it (``Sigma_s``), of unit variance.

    Colored noise is stationary, and its covariance is a function of the distance in latents alone: crops that a network
    is trained on, images and tiles that it restores get noise of the same kind, whatever their size.
    """

    s: float = 0.0
    """Smoothness; 0: white."""
    size: int | None = 64
    """Reference: the power at a frequency of ``f`` cycles per latent is that of ``(1 + |size * f|^2)^-s``, the
    covariance ``Sigma_s`` of a field of this side. None: of the field's own side, so that it differs with each size."""

    def field_shape(self, height: int, width: int) -> tuple[int, int]:
        """Size of the white field that noise of this size is made from: larger than it, so that no edge is felt."""
        margin = self.size if self.s and self.size else 0
        return height + margin, width + margin

    def draw(self, shape: Sequence[int], generator: torch.Generator) -> Tensor:
        """Noise ``[..., C, h, w]`` from one generator, on its device."""
        field = torch.randn(*shape[:-2], *self.field_shape(*shape[-2:]), generator=generator, device=generator.device)
        return self.colored(field, shape[-2], shape[-1])

    def colored(self, field: Tensor, height: int, width: int) -> Tensor:
        """A white field of ``field_shape`` to noise ``[B, C, height, width]``."""
        if self.s == 0:
            return field
        if self.size is None:
            return SobolevOperator(self.s).colored(field)
        down, across = (torch.fft.fftfreq(length, device=field.device) for length in field.shape[-2:])
        power = (1 + self.size**2 * (down[:, None].square() + across.square())) ** -self.s
        spectrum = torch.fft.fft2(field) * (power / power.mean()).sqrt()
        colored_field: Tensor = torch.fft.ifft2(spectrum).real
        return colored_field[..., :height, :width].contiguous()


WHITE = NoiseSource()
