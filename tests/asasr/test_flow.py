"""The flow: identities, an analytic Gaussian, orders of the samplers, the change of variables."""

from __future__ import annotations

import math

import pytest
import torch
from asasr_bench.asasr.backbones.schedule import VarianceSchedule
from asasr_bench.asasr.flow import (
    clean_estimate,
    integrate,
    interpolate,
    logit_normal_sigmas,
    resolution_shift,
    sampling_sigmas,
    velocity_target,
)
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

DEVIATION, MEAN = 0.3, 0.7


def gaussian_velocity(state: Tensor, sigma: Tensor) -> Tensor:
    """Mean of ``noise - clean`` given the state, for pixels drawn from N(MEAN, DEVIATION^2)."""
    sigma = sigma.view(-1, 1, 1, 1)
    variance = (1 - sigma) ** 2 * DEVIATION**2 + sigma**2
    off = state - (1 - sigma) * MEAN
    return sigma / variance * off - (MEAN + (1 - sigma) * DEVIATION**2 / variance * off)


def gaussian_epsilon(state: Tensor, alpha: Tensor, spread: Tensor) -> Tensor:
    """Mean of the noise given a variance-preserving state ``alpha * clean + spread * noise`` of the same pixels."""
    variance = alpha**2 * DEVIATION**2 + spread**2
    return spread / variance * (state - alpha * MEAN)


def field(seed: int = 0, batch: int = 4) -> Tensor:
    return torch.randn(batch, 2, 3, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@given(st.integers(0, 1000))
def test_the_clean_estimate_of_the_true_velocity_is_the_data(seed: int) -> None:
    clean, noise = field(seed), field(seed + 1)
    sigma = torch.rand(4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    state = interpolate(clean, noise, sigma)
    torch.testing.assert_close(clean_estimate(state, velocity_target(clean, noise), sigma), clean)
    still = interpolate(clean, noise, torch.zeros(4)), interpolate(clean, noise, torch.ones(4))
    assert torch.equal(still[0], clean)
    assert torch.equal(still[1], noise)


def test_training_sigmas_are_logit_normal_on_the_thousand_steps() -> None:
    sigma = logit_normal_sigmas(200_000, torch.Generator().manual_seed(0)).double()
    assert float(sigma.min()) > 0
    assert float(sigma.max()) <= 1
    torch.testing.assert_close((sigma * 1000).round(), sigma * 1000, atol=1e-3, rtol=0)
    logit = torch.logit((sigma - 0.0005).clamp(1e-6, 1 - 1e-6))  # centre of each step
    assert float(logit.mean()) == pytest.approx(0, abs=0.01)
    assert float(logit.std()) == pytest.approx(1, abs=0.02)


def test_the_schedule_is_flux() -> None:
    """28 steps at 512x512: 1024 tokens, mu = 0.63; sigma' = e^mu / (e^mu + 1/sigma - 1) by hand for sigma = 1/2."""
    assert resolution_shift(1024) == pytest.approx(0.63)
    assert resolution_shift(256) == 0.5
    assert resolution_shift(4096) == pytest.approx(1.15)
    plain = sampling_sigmas(28)
    torch.testing.assert_close(plain[:-1], torch.linspace(1, 1 / 28, 28, dtype=torch.float64))
    shifted = sampling_sigmas(28, resolution_shift(1024))
    half = int((plain - 0.5).abs().argmin())
    assert float(shifted[half]) == pytest.approx(math.exp(0.63) / (math.exp(0.63) + 1), abs=1e-6)
    assert (float(shifted[0]), float(shifted[-1])) == (1, 0)
    with pytest.raises(ValueError, match="at least one step"):
        sampling_sigmas(0)


@pytest.mark.parametrize(("sampler", "order"), [("euler", 1), ("adams", 2)])
def test_samplers_converge_at_their_order(sampler, order: int) -> None:
    """The probability flow of a Gaussian ends at MEAN + DEVIATION * noise, exactly."""
    noise = field(2)
    exact = MEAN + DEVIATION * noise
    errors = [
        float((integrate(gaussian_velocity, noise, sampling_sigmas(steps), sampler) - exact).norm())
        for steps in (64, 128, 256)
    ]
    rates = [math.log2(errors[index] / errors[index + 1]) for index in range(2)]
    assert all(rate == pytest.approx(order, abs=0.15) for rate in rates), rates


def test_the_second_order_pays_at_28_steps() -> None:
    noise = field(2)
    exact = MEAN + DEVIATION * noise
    euler, adams = (
        float((integrate(gaussian_velocity, noise, sampling_sigmas(28), sampler) - exact).norm())
        for sampler in ("euler", "adams")
    )
    assert adams < euler / 3


def test_epsilon_becomes_velocity_exactly_at_every_step() -> None:
    """Epsilon's posterior mean on SD's schedule against the flow's velocity, both in closed form."""
    schedule = VarianceSchedule()
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    alphas = torch.cumprod(1 - betas, 0).sqrt()
    for step in range(0, 1000, 37):
        alpha = alphas[step]
        spread = (1 - alpha**2).sqrt()
        sigma = (spread / (alpha + spread)).expand(4)
        state = field(step)
        scaled, time = schedule.from_flow(state, sigma)
        torch.testing.assert_close(scaled, state * (alpha + spread))
        torch.testing.assert_close(time, torch.full_like(time, step), atol=1e-6, rtol=0)
        velocity = schedule.velocity(state, sigma, gaussian_epsilon(scaled, alpha, spread))
        torch.testing.assert_close(velocity, gaussian_velocity(state, sigma))
        back = schedule.epsilon(state, sigma, velocity)
        torch.testing.assert_close(back, gaussian_epsilon(scaled, alpha, spread))


@given(st.floats(0.03, 0.93))
def test_between_steps_time_and_noise_level_grow_together(value: float) -> None:
    schedule = VarianceSchedule()
    low, high = schedule.sigma_range
    assert (low, high) == (pytest.approx(0.0283, abs=1e-4), pytest.approx(0.9360, abs=1e-4))
    sigma = torch.tensor([value, value + 1e-4], dtype=torch.float64)
    state = field(batch=2)
    scaled, time = schedule.from_flow(state, sigma)
    assert float(time[1]) > float(time[0])
    torch.testing.assert_close(scaled * (sigma**2 + (1 - sigma) ** 2).sqrt().view(-1, 1, 1, 1), state)


def test_a_schedule_can_begin_below_noise() -> None:
    """No step has width 0, which a schedule cut at the greatest known sigma would have."""
    whole, part = sampling_sigmas(10, 0.3), sampling_sigmas(10, 0.3, 0.936)
    torch.testing.assert_close(part, 0.936 * whole)
    assert (part.diff() < 0).all()
