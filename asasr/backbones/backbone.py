"""What the trainer and the sampler ask of a backbone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from ...datasets.errors import BenchError
from ..choices import Resize
from ..noise import WHITE, NoiseSource
from ..precision import FULL, PrecisionPolicy


class BackboneError(BenchError, ValueError):
    """A backbone that cannot be built or used; the message names the source, the cause and the remedy."""


@dataclass(frozen=True)
class Prompt:
    """Text embeddings."""

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
    resize: Resize = "bicubic"
    """How LQ images are brought to output size before they are encoded."""
    noise: NoiseSource = WHITE
    """What it knows at sigma 1."""
    text: Prompt | None = None
    """What it reads where no prompt is given; None: zeros."""

    def forward(
        self, state: Tensor, sigma: Tensor, lq: Tensor | None, prompt: Prompt | None = None, guidance: float = 0.0
    ) -> Tensor:
        """Velocity ``noise - clean``.

        Args:
            state: ``[B, C, h, w]``.
            sigma: ``[B]`` in [0, 1].
            lq: latents of the LQ image at output size, ``[B, C, h, w]``; None: without condition.
            prompt: None: what ``text`` says.
            guidance: embedded guidance of guidance-distilled families; the others ignore it.
        """
        raise NotImplementedError

    def residual_weight(self, sigma: Tensor) -> Tensor:
        """What residuals of the velocity count with at each sigma ``[B]``, so that no noise level dominates a loss."""
        return torch.ones_like(sigma)

    def shift(self, height: int, width: int) -> float:
        """``mu`` of the sampling schedule for latents of this size."""
        return 0.0
