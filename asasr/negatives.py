"""Losers of a preference pair: what the policy is to move away from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .choices import Kind
from .flow import clean_estimate, expand, integrate, interpolate, logit_normal_sigmas, sampling_sigmas, velocity_target
from .guidance import weight_at
from .noise import WHITE, NoiseSource
from .spectral import SobolevOperator

Velocity = Callable[[Tensor, Tensor], Tensor]
"""Of a state ``[B, C, h, w]`` and sigma ``[B]``, for the winner's LQ condition."""
Epsilon = float | tuple[tuple[float, float], ...]
"""A bound for all noise levels, or its value at some sigmas, linear between them and constant beyond."""


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
    epsilon: Epsilon | None = None
    """Trust region: greatest ``H^s`` norm of the step from winner to loser; None: no bound."""
    match_spectrum: bool = False
    """Give the loser the winner's radial power spectrum, so that structure alone can be preferred."""


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
    bounded: Tensor | None = None
    """Where the trust region shortened the step from the winner, ``[B]``; None: there was no bound."""

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
    step = negative.trust * (_MAKERS[negative.kind](negative, pairing).detach() - pairing.winner)
    noise, sigma = pairing.noise, pairing.sigma
    if negative.own_noise:
        sigma = logit_normal_sigmas(len(step), pairing.generator).clamp(*pairing.sigma_range).to(step.device)
        noise = _noise(pairing)
    bounded = None
    if negative.epsilon is not None:
        step, bounded = within_trust_region(step, pairing.operator, epsilon_at(negative.epsilon, sigma))
    clean = pairing.winner + step
    if negative.match_spectrum:
        clean = with_radial_spectrum(clean, pairing.winner)
    return Loser(clean, noise, sigma, bounded)


def epsilon_at(epsilon: Epsilon, sigma: Tensor) -> Tensor:
    """The trust region's radius at each sigma ``[B]``."""
    return sigma.new_tensor([weight_at(epsilon, level) for level in sigma.tolist()])


def within_trust_region(step: Tensor, operator: SobolevOperator, epsilon: Tensor) -> tuple[Tensor, Tensor]:
    """Shorten steps ``[B, C, h, w]`` to ``||step||_{H^s} <= epsilon`` ``[B]`` (ASASR, the constraint of AMG).

    Returns:
        The steps, untouched where they are short enough, and which were shortened, ``[B]``.
    """
    length = operator.energy(step).sqrt()
    epsilon = epsilon.to(length)
    bounded = length > epsilon
    factor = torch.where(bounded, epsilon / length.clamp_min(1e-30), torch.ones_like(length))
    return step * expand(factor, step), bounded


def with_radial_spectrum(images: Tensor, like: Tensor) -> Tensor:
    """Images whose power spectrum, summed over each ring of frequencies, is that of ``like``; both ``[B, C, h, w]``.

    Each channel by itself; rings are one cycle per longer side wide. Phases, and how a ring's energy is spread over its
    directions, stay those of the images; the mean becomes that of ``like``.
    """
    height, width = images.shape[-2:]
    down, across = (torch.fft.fftfreq(length, dtype=torch.float64, device="cpu") for length in (height, width))
    radius = (down[:, None].square() + across.square()).sqrt().to(images.device)
    ring = (radius * max(height, width)).round().long().flatten()

    def energies(spectrum: Tensor) -> Tensor:
        power = spectrum.abs().square().flatten(2)
        rings = power.new_zeros(*power.shape[:2], int(ring.max()) + 1)
        return rings.index_add(2, ring, power)

    image_spectrum, target_spectrum = (torch.fft.fft2(_precise(tensor), norm="ortho") for tensor in (images, like))
    factor = (energies(target_spectrum) / energies(image_spectrum).clamp_min(1e-30)).sqrt()
    spectrum = image_spectrum * factor[..., ring].view_as(image_spectrum.real)
    spectrum[..., 0, 0] = target_spectrum[..., 0, 0]
    matched: Tensor = torch.fft.ifft2(spectrum, norm="ortho").real.to(images.dtype)
    return matched


def _precise(images: Tensor) -> Tensor:
    return images if images.dtype == torch.float64 else images.float()


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
