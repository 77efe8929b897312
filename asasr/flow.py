"""Rectified flow: path, targets, training times, samplers.

One sign for the whole package, that of diffusers: sigma = 1 is noise, sigma = 0 is data,
``state = (1 - sigma) * clean + sigma * noise``, and the velocity is ``noise - clean``.
(The ASASR paper runs time the other way round: its ``t`` is ``1 - sigma``, its velocity is the negative of ours.)
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from .choices import Sampler

TRAINING_TIMES = 1000
"""Training sigmas are multiples of 1/1000, the scheduler's steps (FLUX.1-dev; SD3, section 3.1)."""


def interpolate(clean: Tensor, noise: Tensor, sigma: Tensor) -> Tensor:
    """State on the path at ``sigma`` ``[B]``; the others are ``[B, C, h, w]``."""
    sigma = expand(sigma, clean)
    return (1 - sigma) * clean + sigma * noise


def velocity_target(clean: Tensor, noise: Tensor) -> Tensor:
    """The velocity that the network must predict, the same everywhere on the path."""
    return noise - clean


def clean_estimate(state: Tensor, velocity: Tensor, sigma: Tensor) -> Tensor:
    """The data at the end of the straight line through ``state``."""
    return state - expand(sigma, state) * velocity


def expand(values: Tensor, like: Tensor) -> Tensor:
    """``[B]`` to ``[B, 1, 1, 1]`` on the device and in the dtype of ``like``."""
    return values.to(like).view(-1, *[1] * (like.ndim - 1))


def logit_normal_sigmas(count: int, generator: torch.Generator, mean: float = 0.0, std: float = 1.0) -> Tensor:
    """Draw training sigmas ``[count]`` on the unshifted schedule, float32 in (0, 1] (SD3, section 3.1).

    The sigmoid of a normal draw is the position on the scheduler's steps, from noise (0) to data (1).

    Args:
        count: number of sigmas.
        generator: source of the draws.
        mean: mean of the normal; a positive mean draws more sigmas near data.
        std: deviation of the normal.
    """
    along = torch.sigmoid(torch.randn(count, generator=generator, device=generator.device) * std + mean)
    step = (along * TRAINING_TIMES).long().clamp(max=TRAINING_TIMES - 1)
    return 1 - step / TRAINING_TIMES


def resolution_shift(tokens: int) -> float:
    """FLUX's ``mu`` for a number of image tokens: from 0.5 at 256 to 1.15 at 4096, linear in between and beyond."""
    slope = (1.15 - 0.5) / (4096 - 256)
    return 0.5 + slope * (tokens - 256)


def sampling_sigmas(steps: int, mu: float = 0.0, start: float = 1.0) -> Tensor:
    """Sigmas ``[steps + 1]`` from ``start`` to 0, float64: evenly spaced from 1 to 1/steps, shifted by ``mu``, then 0.

    Positive ``mu`` spends more of the steps near noise (large images), negative near data.
    """
    if steps < 1:
        raise ValueError(f"sampling needs at least one step, not {steps}")
    even = torch.linspace(1, 1 / steps, steps, dtype=torch.float64)
    shifted = math.exp(mu) / (math.exp(mu) + (1 / even - 1))
    return start * torch.cat([shifted, shifted.new_zeros(1)])


def integrate(
    velocity: Callable[[Tensor, Tensor], Tensor], state: Tensor, sigmas: Tensor, sampler: Sampler = "euler"
) -> Tensor:
    """Follow the velocity from ``sigmas[0]`` to ``sigmas[-1]``, with one evaluation a step.

    Args:
        velocity: of state ``[B, C, h, w]`` and sigma ``[B]``.
        state: at ``sigmas[0]``; its dtype is that of the integration.
        sampler: ``euler`` of first order, ``adams`` (Adams-Bashforth for uneven steps) of second.
    """
    previous: tuple[Tensor, float] | None = None
    for start, end in zip(sigmas.tolist()[:-1], sigmas.tolist()[1:], strict=True):
        width = end - start
        slope = velocity(state, state.new_full((len(state),), start))
        if sampler == "euler" or previous is None:
            direction = slope
        else:
            past, past_width = previous
            ratio = width / (2 * past_width)
            direction = (1 + ratio) * slope - ratio * past
        previous = slope, width
        state = state + width * direction
    return state
