"""A method of your own: bicubic enlargement, then sharpening."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from asasr_bench.methods.interface import MethodCard
from torch.nn.functional import avg_pool2d, interpolate, pad


class ExampleMethod:
    """No base class is needed: a card, ``weight_files`` and ``restore``."""

    card = MethodCard("example_method", "interpolation", "Bicubic with sharpening")
    weight_files = ()  # every file that it reads, such as ("network.safetensors",)

    def __init__(self, amount: float = 0.5) -> None:
        self._amount = amount

    def restore(self, lq: torch.Tensor, scale: int, seeds: Sequence[int]) -> torch.Tensor:
        """``[B, 3, h, w]`` in [0, 1] to ``[B, 3, scale * h, scale * w]`` in [0, 1]."""
        sr = interpolate(lq, scale_factor=scale, mode="bicubic")
        blurred = avg_pool2d(pad(sr, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
        return (sr + self._amount * (sr - blurred)).clamp(0, 1)
