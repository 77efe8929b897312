"""Supervised flow matching: the prior that preference training starts from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ..backbones.backbone import Backbone, Codec
from ..choices import Resize
from ..flow import expand, interpolate, logit_normal_sigmas, velocity_target
from ..noise import NoiseRole, role_generator
from ..resize import resized
from .batches import Batch
from .log import by_noise_level
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
        clean, lq = encode_pair(self.codec, batch, self._backbone.resize)
        generator = torch.Generator().manual_seed(batch.seed)
        sigma = (
            logit_normal_sigmas(len(clean), generator, *self._sigmas)
            .clamp(*self._backbone.sigma_range)
            .to(clean.device)
        )
        noise = self._backbone.noise.draw(clean.shape, generator).to(clean.device)
        state = interpolate(clean, noise, sigma)
        velocity = modules[player](state, sigma, lq).float()
        residual = velocity - velocity_target(clean, noise)
        residual = residual * expand(self._backbone.residual_weight(sigma), residual)
        squares = residual.square()
        loss = squares.mean()
        return loss, {"loss": loss, **by_noise_level("loss", squares.flatten(1).mean(1), sigma)}


def encode_pair(codec: Codec, batch: Batch, resize: Resize) -> tuple[Tensor, Tensor]:
    """Latents of HQ and of LQ resized to its size, the posteriors of a VAE sampled from the batch's seed."""
    if batch.encoded:
        return batch.hq, batch.lq
    height, width = batch.hq.shape[-2:]
    lq = resized(batch.lq, height, width, resize)
    return _encoded(codec, batch.hq, batch.seed, "hq posterior"), _encoded(codec, lq, batch.seed, "lq posterior")


def _encoded(codec: Codec, images: Tensor, seed: int, role: NoiseRole) -> Tensor:
    return codec.encode(images, [role_generator(seed, role, index) for index in range(len(images))])
