"""What the trainer and the sampler ask of a backbone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from ...datasets.errors import BenchError
from ..precision import FULL, PrecisionPolicy


class BackboneError(BenchError, ValueError):
    """A backbone that cannot be built or used; the message names the source, the cause and the remedy."""


@dataclass(frozen=True)
class Prompt:
    """Text embeddings; None stands for zeros, which is what training uses."""

    tokens: Tensor
    """``[1, L, D]``."""
    pooled: Tensor | None = None
    """``[1, P]``, where the family has it."""


@runtime_checkable
class Codec(Protocol):
    """Between images and latents."""

    @property
    def reduction(self) -> int:
        """Image pixels along one latent's side."""

    def encode(self, images: Tensor, generators: Sequence[torch.Generator] | None = None) -> Tensor:
        """``[B, 3, H, W]`` in [0, 1] to latents ``[B, C, H / reduction, W / reduction]``.

        Args:
            generators: one for each image, to sample the posterior of a VAE; None takes its mean.
        """

    def decode(self, latents: Tensor) -> Tensor:
        """Latents to images ``[B, 3, H, W]`` in [0, 1]."""


class Backbone(torch.nn.Module):
    """A velocity field on latents, given the latents of the LQ image.

    It is one module, so that ``accelerate`` can wrap it whole; adapters attach to ``network``.
    """

    network: Any
    """diffusers' transformer or UNet."""
    channels: int
    """Of the latents."""
    multiple: int
    """Sides of latents must be multiples of it."""
    adapter_targets: str | list[str]
    """Layers that adapters attach to, as peft takes them."""
    idle: tuple[str, ...] = ()
    """Layers of ``network`` whose adapters cannot change the output, and so are not trained."""
    sigma_range: tuple[float, float] = (0.0, 1.0)
    """Noise levels that the network knows."""
    precision: PrecisionPolicy = FULL
    """Number formats that it was built in."""

    def forward(
        self, state: Tensor, sigma: Tensor, lq: Tensor | None, prompt: Prompt | None = None, guidance: float = 0.0
    ) -> Tensor:
        """Velocity ``noise - clean``.

        Args:
            state: ``[B, C, h, w]``.
            sigma: ``[B]`` in [0, 1].
            lq: latents of the LQ image at output size, ``[B, C, h, w]``; None: without condition.
            prompt: None for zeros.
            guidance: embedded guidance of guidance-distilled families; the others ignore it.
        """
        raise NotImplementedError

    def shift(self, height: int, width: int) -> float:
        """``mu`` of the sampling schedule for latents of this size."""
        return 0.0
