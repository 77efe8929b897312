"""Supervised flow matching: the prior that preference training starts from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ..backbones.backbone import Backbone, Codec
from ..flow import expand, interpolate, logit_normal_sigmas, velocity_target
from .batches import Batch
from .loop import Player


class PriorTask:
    """Plain mean squared error of the velocity, or of epsilon where the network predicts that (DDPM).

    Args:
        sigmas: mean and deviation of the logit-normal draw; see ``logit_normal_sigmas``.
    """

    def __init__(
        self, backbone: Backbone, codec: Codec, learning_rate: float, sigmas: tuple[float, float] = (0.0, 1.0)
    ) -> None:
        self.codec = codec
        self._sigmas = sigmas
        self._backbone = backbone
        self._learning_rate = learning_rate

    @property
    def players(self) -> Sequence[Player]:
        """The backbone alone."""
        return [Player("backbone", self._backbone, self._learning_rate)]

    def loss(self, player: str, modules: Mapping[str, torch.nn.Module], batch: Batch) -> tuple[Tensor, dict[str, Any]]:
        """See ``Task``."""
        clean, lq = encode_pair(self.codec, batch)
        generator = torch.Generator().manual_seed(batch.seed)
        sigma = (
            logit_normal_sigmas(len(clean), generator, *self._sigmas)
            .clamp(*self._backbone.sigma_range)
            .to(clean.device)
        )
        noise = torch.randn(clean.shape, generator=generator).to(clean.device)
        state = interpolate(clean, noise, sigma)
        velocity = modules[player](state, sigma, lq).float()
        residual = velocity - velocity_target(clean, noise)
        if getattr(self._backbone, "prediction", "velocity") == "epsilon":
            residual = residual * (1 - expand(sigma, residual))  # the same network's error of epsilon
        loss = residual.square().mean()
        return loss, {"loss": loss}


def encode_pair(codec: Codec, batch: Batch) -> tuple[Tensor, Tensor]:
    """Latents of HQ and of LQ resized to its size, the posterior of a VAE sampled from the batch's seed."""
    if batch.encoded:
        return batch.hq, batch.lq
    return encode_images(codec, batch.hq, batch.seed), encode_images(codec, resized(batch.lq, batch.hq), batch.seed + 1)


def encode_images(codec: Codec, images: Tensor, seed: int) -> Tensor:
    """Latents with the posterior of a VAE sampled from the seed."""
    generators = [torch.Generator().manual_seed(seed + 2 * index) for index in range(len(images))]
    return codec.encode(images, generators)


def resized(lq: Tensor, like: Tensor) -> Tensor:
    """LQ at output size by bicubic interpolation."""
    return functional.interpolate(lq, like.shape[-2:], mode="bicubic", align_corners=False).clamp(0, 1)
