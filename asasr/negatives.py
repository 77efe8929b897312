"""Losers of a preference pair: what the policy is to move away from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .choices import Kind
from .flow import clean_estimate, integrate, interpolate, logit_normal_sigmas, sampling_sigmas, velocity_target
from .noise import WHITE, NoiseSource
from .spectral import SobolevOperator

Velocity = Callable[[Tensor, Tensor], Tensor]
"""Of a state ``[B, C, h, w]`` and sigma ``[B]``, for the winner's LQ condition."""


@dataclass(frozen=True)
class Negative:
    """One kind of loser.

    ``adversary``: where the learned adversary takes the winner's state (AMG). ``gradient``: the step of given ``H^s``
    norm along which the policy's own residual falls most (the direct form that the adversary approximates).
    ``lq``: the LQ image, resized. ``policy``: another sample of the policy.
    """

    kind: Kind
    weight: float = 1.0
    """Of its loss in the sum."""
    trust: float = 1.0
    """Lambda: how far from the winner (0) towards the negative (1) the loser lies; the authors train with 0.1."""
    radius: float = 0.1
    """``H^s`` norm of a gradient step."""
    steps: int = 6
    """Sampling steps of a policy's sample."""
    own_noise: bool = False
    """Draw noise and sigma anew, as the authors do for the LQ loser, instead of sharing the winner's."""


@dataclass(frozen=True)
class Pairing:
    """The winner's side of a batch, and the networks that make losers."""

    winner: Tensor
    """Clean latents ``[B, C, h, w]``."""
    lq: Tensor
    noise: Tensor
    sigma: Tensor
    policy: Velocity
    adversary: Velocity | None
    operator: SobolevOperator
    generator: torch.Generator
    sigma_range: tuple[float, float] = (0.0, 1.0)
    noise_source: NoiseSource = WHITE
    """Of whatever else is drawn."""

    @property
    def state(self) -> Tensor:
        """The winner on the path."""
        return interpolate(self.winner, self.noise, self.sigma)


@dataclass(frozen=True)
class Loser:
    """A loser on its path."""

    clean: Tensor
    noise: Tensor
    sigma: Tensor

    @property
    def state(self) -> Tensor:
        """The loser at its sigma."""
        return interpolate(self.clean, self.noise, self.sigma)

    @property
    def target(self) -> Tensor:
        """Its velocity."""
        return velocity_target(self.clean, self.noise)


def make_loser(negative: Negative, pairing: Pairing) -> Loser:
    """The loser of each winner; no gradient flows into it."""
    found = _MAKERS[negative.kind](negative, pairing).detach()
    clean = pairing.winner + negative.trust * (found - pairing.winner)
    if not negative.own_noise:
        return Loser(clean, pairing.noise, pairing.sigma)
    sigma = logit_normal_sigmas(len(clean), pairing.generator).clamp(*pairing.sigma_range).to(clean.device)
    return Loser(clean, _noise(pairing), sigma)


def _from_adversary(negative: Negative, pairing: Pairing) -> Tensor:
    """Where the adversary would end from the winner's state, with the winner's noise: content stays aligned."""
    if pairing.adversary is None:
        raise ValueError("negatives of kind 'adversary' need a trained adversary")
    with torch.no_grad():
        return clean_estimate(pairing.state, pairing.adversary(pairing.state, pairing.sigma), pairing.sigma)


def _from_gradient(negative: Negative, pairing: Pairing) -> Tensor:
    """The Riesz direction of the Euclidean residual (ASASR, theory of AMG)."""
    return pairing.winner + pairing.operator.riesz(residual_gradient(pairing), negative.radius)


def residual_gradient(pairing: Pairing) -> Tensor:
    """Gradient of the policy's mean squared residual with respect to the winner."""
    with torch.enable_grad():
        clean = pairing.winner.detach().requires_grad_()
        predicted = pairing.policy(interpolate(clean, pairing.noise, pairing.sigma), pairing.sigma)
        residual = (predicted - velocity_target(clean, pairing.noise)).float().square().flatten(1).mean(1)
        (gradient,) = torch.autograd.grad(residual.sum(), clean)
    return gradient


def _from_lq(negative: Negative, pairing: Pairing) -> Tensor:
    return pairing.lq


def _from_policy(negative: Negative, pairing: Pairing) -> Tensor:
    with torch.no_grad():
        noise = _noise(pairing)
        sigmas = sampling_sigmas(negative.steps, start=pairing.sigma_range[1])
        return integrate(pairing.policy, interpolate(pairing.lq, noise, sigmas[:1].expand(len(noise))), sigmas)


def _noise(pairing: Pairing) -> Tensor:
    return pairing.noise_source.draw(pairing.winner.shape, pairing.generator).to(pairing.winner)


_MAKERS: dict[Kind, Callable[[Negative, Pairing], Tensor]] = {
    "adversary": _from_adversary,
    "gradient": _from_gradient,
    "lq": _from_lq,
    "policy": _from_policy,
}


def needs_adversary(negatives: Sequence[Negative]) -> bool:
    """Whether one of them asks the learned adversary."""
    return any(negative.kind == "adversary" for negative in negatives)
