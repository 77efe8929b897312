"""Training of a small GAN: Real-ESRGAN's compact generator against a patch discriminator.

The generator's weights are an ordinary spandrel file; only its training is here. The generator ends in a pixel shuffle,
which produces a checkerboard pattern as soon as its phases differ without need. Two measures prevent this: the last
convolution starts with equal phases, and every loss with a grid of its own (windows, pooling, strides) sees the images
at a random phase for each batch, so that no pattern of the generator's grid can lower it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from ...asasr.resize import resized
from ...asasr.training.batches import Batch
from ...asasr.training.loop import Player
from .perceptual import PerceptualDistance

_WINDOW = 8
"""Side of the windows whose texture is compared: small enough to be local, large enough for eight octave-wide modes."""

_SIMILARITY = 170 / 255**2
"""Constant of gradient similarity (Xue et al., IEEE TIP 23(2), 2014, section II-B) for images in [0, 1]."""

_PRELU_SLOPE = 0.25
"""Initial slope of PReLU for negative inputs."""

_PHASES = 8
"""Range of the random shift in pixels, down and across: the longest period of the grids of all losses."""


def compact_generator(width: int = 64, depth: int = 16, scale: int = 4) -> nn.Module:
    """``SRVGGNetCompact``: ``depth`` convolutions at LQ size, added to the nearest-neighbour enlargement.

    Weights are initialised after He for PReLU, those of the last layer with a tenth of that size. With torch's default
    the signal shrinks in every layer, and so deep a network returns the plain enlargement for thousands of steps. The
    last layer starts with equal weights for every phase of the pixel shuffle (Aitken et al., "Checkerboard artifact
    free sub-pixel convolution", 2017).
    """
    from spandrel.architectures.Compact import Compact

    generator: nn.Module = Compact(
        num_in_ch=3, num_out_ch=3, num_feat=width, num_conv=depth, upscale=scale, act_type="prelu"
    )
    layers = [layer for layer in generator.modules() if isinstance(layer, nn.Conv2d)]
    with torch.no_grad():
        for layer in layers:
            nn.init.kaiming_normal_(layer.weight, a=_PRELU_SLOPE)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        phases = scale * scale
        layers[-1].weight.copy_(0.1 * layers[-1].weight[::phases].repeat_interleave(phases, 0))
    return generator


class PatchDiscriminator(nn.Module):
    """Rates patches of about 50 pixels, given the image and the enlarged LQ; every convolution has spectral norm 1."""

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        stages = [(6, width, 2), (width, 2 * width, 2), (2 * width, 2 * width, 2), (2 * width, 2 * width, 1)]
        layers: list[nn.Module] = []
        for channels_in, channels_out, stride in stages:
            layers += [
                spectral_norm(nn.Conv2d(channels_in, channels_out, 4 if stride == 2 else 3, stride, 1)),
                nn.LeakyReLU(0.2),
            ]
        self.layers = nn.Sequential(*layers, spectral_norm(nn.Conv2d(2 * width, 1, 3, 1, 1)))

    def forward(self, images: Tensor, lq: Tensor) -> Tensor:
        """Images ``[B, 3, H, W]`` and LQ at that size, in [0, 1], to a map of ratings ``[B, 1, H / 8, W / 8]``."""
        judgements: Tensor = self.layers(torch.cat([images, lq], 1) * 2 - 1)
        return judgements


def texture_distance(sr: Tensor, hr: Tensor) -> Tensor:
    """Mean absolute difference of the logarithms of local amplitude spectra, which ignores the position of details.

    Windows of 8x8 pixels with half overlap, Hann-weighted; no network is involved.
    """
    difference = (_log_spectrum(sr) - _log_spectrum(hr)).abs()
    return difference.mean()


def _log_spectrum(images: Tensor) -> Tensor:
    hann = torch.hann_window(_WINDOW, periodic=True, device=images.device)
    luma = (images.float() * images.new_tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1)
    windows = luma.unfold(1, _WINDOW, _WINDOW // 2).unfold(2, _WINDOW, _WINDOW // 2) * (hann[:, None] * hann)
    amplitude = torch.fft.rfft2(windows, norm="ortho").abs()
    return torch.log(amplitude + 1e-2)


def structure_distance(sr: Tensor, hr: Tensor) -> Tensor:
    """One minus the similarity of the gradient lengths of R, G and B, at full and at half resolution.

    Root mean square over an image. Lost edges, and edges where HR has none, count most; a mean pixel error hardly sees
    either if they are faint.
    """
    halves = (functional.avg_pool2d(images, 2) for images in (sr, hr))
    return (_dissimilarity(sr, hr) + _dissimilarity(*halves)) / 2


def _dissimilarity(sr: Tensor, hr: Tensor) -> Tensor:
    a, b = _gradient_length(sr), _gradient_length(hr)
    lacking = (a - b) ** 2 / (a * a + b * b + _SIMILARITY)  # 1 - (2ab + c) / (a^2 + b^2 + c)
    return torch.sqrt((lacking**2).mean((1, 2, 3)) + 1e-8).mean()


def _gradient_length(images: Tensor) -> Tensor:
    """Length of Prewitt's gradient, ``[B, C, H, W]`` to ``[B, C, H - 2, W - 2]``."""
    rows = images[..., 2:, :] - images[..., :-2, :]
    columns = images[..., 2:] - images[..., :-2]
    vertical = functional.avg_pool2d(rows, (1, 3), 1)
    horizontal = functional.avg_pool2d(columns, (3, 1), 1)
    return torch.sqrt(vertical**2 + horizontal**2 + 1e-8)  # the root has an infinite slope at 0


class CompactGanTask:
    """Losses of a training: mean absolute error, perceptual, texture and structure distance, and a hinge GAN.

    Args:
        generator: LQ ``[B, 3, h, w]`` to SR, in [0, 1].
        discriminator: see ``PatchDiscriminator``.
        learning_rate: learning rate of both networks.
        texture: weight of the texture distance.
        structure: weight of the structure distance.
        adversarial: weight of the discriminator's rating; the mean absolute error has weight 1.
        perceptual: weight of the perceptual distance.
        distance: the perceptual distance; None if its weight is 0.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        learning_rate: float,
        *,
        texture: float,
        structure: float,
        adversarial: float,
        perceptual: float = 0.0,
        distance: PerceptualDistance | None = None,
    ) -> None:
        self._generator, self._discriminator = generator, discriminator
        self._learning_rate = learning_rate
        self._texture, self._structure, self._adversarial = texture, structure, adversarial
        self._perceptual, self._distance = perceptual, distance
        self._restored: dict[int, Tensor] = {}

    @property
    def players(self) -> Sequence[Player]:
        """Generator, then discriminator."""
        return [
            Player("generator", self._generator, self._learning_rate),
            Player("discriminator", self._discriminator, self._learning_rate),
        ]

    def loss(self, player: str, modules: Mapping[str, nn.Module], batch: Batch) -> tuple[Tensor, dict[str, Any]]:
        """See ``Task``; the discriminator receives the images that the generator has just restored."""
        enlarged = resized(batch.lq, *batch.hq.shape[-2:])
        judge = modules["discriminator"]
        if player == "discriminator":
            sr, hr, enlarged_part = out_of_phase(batch.seed + 1, self._restored.pop(batch.seed), batch.hq, enlarged)
            real, fake = judge(hr, enlarged_part), judge(sr, enlarged_part)
            loss = functional.relu(1 - real).mean() + functional.relu(1 + fake).mean()
            return loss, {"discriminator": loss, "real": real.mean(), "fake": fake.mean()}
        restored = modules["generator"](batch.lq).float()
        self._restored[batch.seed] = restored.detach()
        sr, hr, enlarged_part = out_of_phase(batch.seed, restored, batch.hq, enlarged)
        for parameter in self._discriminator.parameters():
            parameter.requires_grad_(False)
        judgement = -judge(sr, enlarged_part).mean()
        for parameter in self._discriminator.parameters():
            parameter.requires_grad_(True)
        logs = {
            "error": functional.l1_loss(restored, batch.hq),
            "texture": texture_distance(sr, hr),
            "structure": structure_distance(sr, hr),
            "judgement": judgement,
        }
        loss = (
            logs["error"]
            + self._texture * logs["texture"]
            + self._structure * logs["structure"]
            + self._adversarial * judgement
        )
        if self._distance is not None:
            logs["perceptual"] = self._distance(sr, hr)
            loss = loss + self._perceptual * logs["perceptual"]
        return loss, logs


def out_of_phase(seed: int, *images: Tensor) -> tuple[Tensor, ...]:
    """Crop all images ``[B, C, H, W]`` at the same random position, to ``_PHASES`` pixels less per side."""
    top, left = np.random.default_rng(seed).integers(_PHASES, size=2)
    height, width = images[0].shape[-2] - _PHASES, images[0].shape[-1] - _PHASES
    return tuple(image[..., top : top + height, left : left + width] for image in images)
