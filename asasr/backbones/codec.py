"""Between images and latents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..precision import computing_in


class PixelCodec:
    """Pixels are the latents, stretched to [-1, 1]."""

    reduction = 1

    def encode(self, images: Tensor, generators: Sequence[torch.Generator] | None = None) -> Tensor:
        """See ``Codec``."""
        return images * 2 - 1

    def decode(self, latents: Tensor) -> Tensor:
        """See ``Codec``."""
        return ((latents + 1) / 2).clamp(0, 1)


class VaeCodec:
    """``AutoencoderKL`` with its shift and scale; images larger than a tile go through it in blended tiles.

    It computes in the format of its own weights, whatever the forward around it is computed in.

    Args:
        tile: side of a tile in pixels; images up to this size are not cut.
    """

    def __init__(self, vae: Any, tile: int = 1024) -> None:
        self.vae = vae.eval().requires_grad_(False)
        self.vae.enable_tiling()
        self.vae.tile_sample_min_size = tile
        self.vae.tile_latent_min_size = tile // 2 ** (len(vae.config.block_out_channels) - 1)
        self.reduction = 2 ** (len(vae.config.block_out_channels) - 1)
        self._scale = float(vae.config.scaling_factor)
        self._shift = float(vae.config.shift_factor or 0.0)

    def encode(self, images: Tensor, generators: Sequence[torch.Generator] | None = None) -> Tensor:
        """See ``Codec``."""
        mean, deviation = self.moments(images)
        if generators is None:
            return mean
        noise = [torch.randn(mean.shape[1:], generator=generator, device=generator.device) for generator in generators]
        return mean + deviation * torch.stack(noise).to(mean)

    @torch.no_grad()
    def moments(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and deviation of the posterior, shifted and scaled, ``[B, C, h, w]`` each."""
        with computing_in(None, images.device.type):
            posterior = self.vae.encode((images * 2 - 1).to(self.vae.dtype)).latent_dist
        mean: Tensor = (posterior.mean.float() - self._shift) * self._scale
        return mean, posterior.std.float() * self._scale

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """See ``Codec``."""
        scaled = (latents / self._scale + self._shift).to(self.vae.dtype)
        with computing_in(None, latents.device.type):
            images: Tensor = self.vae.decode(scaled, return_dict=False)[0]
        return ((images.float() + 1) / 2).clamp(0, 1)
