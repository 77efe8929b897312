"""Losers of a pair: the trust region in H^s, and losers that differ in structure alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from asasr_bench.asasr.choices import Kind
from asasr_bench.asasr.config import NegativeConfig
from asasr_bench.asasr.negatives import (
    Negative,
    Pairing,
    epsilon_at,
    make_loser,
    with_radial_spectrum,
    within_trust_region,
)
from asasr_bench.asasr.spectral import SobolevOperator
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError


def pairing(operator: SobolevOperator, sigma: tuple[float, float] = (0.2, 0.8), size: int = 12) -> Pairing:
    generator = torch.Generator().manual_seed(3)
    winner, lq, noise = (torch.randn(2, 3, size, size, generator=generator) for _ in range(3))
    bent = torch.randn(3, 3, 3, 3, generator=generator)

    def velocity(state: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.conv2d(state, bent, padding=1)

    return Pairing(winner, lq, noise, torch.tensor(sigma), velocity, velocity, operator, generator)


@given(
    s=st.floats(0, 2), basis=st.sampled_from(["dct", "fft"]), weights=st.sampled_from(["raw", "unit-mean"]),
    epsilon=st.floats(1e-4, 1e3), size=st.integers(2, 17), seed=st.integers(0, 99),
)  # fmt: skip
@settings(deadline=None, max_examples=60)
def test_no_step_leaves_the_trust_region(s, basis, weights, epsilon, size, seed) -> None:
    """Its norm is at most epsilon; a longer one ends on the border in its own direction; a shorter one stays."""
    operator = SobolevOperator(s, basis, weights)
    step = torch.randn(3, 2, size, size + 1, generator=torch.Generator().manual_seed(seed)).double()
    length = operator.energy(step).sqrt()
    short, bounded = within_trust_region(step, operator, torch.full((3,), epsilon, dtype=torch.float64))
    assert bool((operator.energy(short).sqrt() <= epsilon * (1 + 1e-9)).all())
    assert bounded.tolist() == (length > epsilon).tolist()
    for before, after, was, norm in zip(step, short, bounded, length, strict=True):
        if was:
            torch.testing.assert_close(after, before * float(epsilon / norm))
        else:
            assert torch.equal(after, before)


@pytest.mark.parametrize("kind", ["adversary", "lq", "gradient", "policy"])
def test_a_bound_that_is_not_reached_changes_no_bit(kind: Kind) -> None:
    operator = SobolevOperator(1.5)
    free = make_loser(Negative(kind, trust=0.3), pairing(operator))
    inside = make_loser(Negative(kind, trust=0.3, epsilon=1e9), pairing(operator))
    assert torch.equal(free.clean, inside.clean)
    assert free.bounded is None
    assert inside.bounded is not None
    assert not inside.bounded.any()
    tight = make_loser(Negative(kind, trust=0.3, epsilon=0.01), pairing(operator))
    step = tight.clean - pairing(operator).winner
    torch.testing.assert_close(operator.energy(step).sqrt(), torch.full((2,), 0.01), rtol=1e-3, atol=0)


def test_epsilon_follows_the_noise_level() -> None:
    """Linear between the given sigmas, constant beyond them: as numpy interpolates."""
    points = ((0.1, 0.5), (0.4, 2.0), (0.9, 1.0))
    sigma = torch.linspace(0, 1, 21)
    expected = np.interp(sigma.numpy(), *zip(*points, strict=True))
    np.testing.assert_allclose(epsilon_at(points, sigma).numpy(), expected, rtol=1e-6)
    assert epsilon_at(0.7, sigma).tolist() == pytest.approx([0.7] * 21)
    assert epsilon_at(((0.5, 3.0),), sigma).tolist() == [3.0] * 21
    operator = SobolevOperator(0.75)
    loser = make_loser(Negative("lq", epsilon=((0.0, 0.0001), (1.0, 0.01))), pairing(operator))
    norms = operator.energy(loser.clean - pairing(operator).winner).sqrt()
    torch.testing.assert_close(norms, torch.tensor([0.00208, 0.00802]), rtol=1e-3, atol=0)


def rings(image: np.ndarray) -> np.ndarray:
    """Power of each ring of frequencies, by numpy alone."""
    height, width = image.shape
    down, across = np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None]
    ring = np.rint(np.sqrt(down**2 + across**2) * max(height, width)).astype(int)
    return np.bincount(ring.ravel(), (np.abs(np.fft.fft2(image)) ** 2).ravel())


@given(height=st.integers(4, 21), width=st.integers(4, 21), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=40)
def test_a_matched_loser_has_the_winners_radial_spectrum(height: int, width: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    one, other = (torch.randn(1, 2, height, width, generator=generator).double() for _ in range(2))
    matched = with_radial_spectrum(one, other * 3)
    for channel in range(2):
        ours, wanted = (rings(image[0, channel].numpy()) for image in (matched, other * 3))
        np.testing.assert_allclose(ours, wanted, rtol=1e-8)
    torch.testing.assert_close(with_radial_spectrum(other, other), other)
    torch.testing.assert_close(matched.mean((2, 3)), 3 * other.mean((2, 3)))


def test_matching_keeps_structure() -> None:
    """A blurred photo gets its fine detail's energy back, not its place: the phases are those of the blur."""
    operator = SobolevOperator(1.5)
    loser = make_loser(Negative("lq", trust=0.5, match_spectrum=True), pairing(operator))
    plain = make_loser(Negative("lq", trust=0.5), pairing(operator))
    phase = torch.fft.fft2(loser.clean) * torch.fft.fft2(plain.clean).conj()
    inner = phase.flatten(2)[..., 1:]  # all but the mean
    torch.testing.assert_close(inner.imag / inner.abs(), torch.zeros_like(inner.imag), atol=1e-3, rtol=0)
    assert bool((inner.real > 0).all())


def test_bounds_that_make_no_sense_are_refused() -> None:
    assert NegativeConfig.model_validate({"kind": "lq", "epsilon": 1}).epsilon == 1.0
    assert NegativeConfig.model_validate({"kind": "lq", "epsilon": [[0, 1], [1, 2]]}).epsilon == ((0, 1), (1, 2))
    for wrong in (-1, 0, [[0.5, 1], [0.1, 1]], [[0, 1], [0, 2]], []):
        with pytest.raises(ValidationError):
            NegativeConfig.model_validate({"kind": "lq", "epsilon": wrong})
    with pytest.raises(ValidationError, match="leave the trust region"):
        NegativeConfig.model_validate({"kind": "lq", "epsilon": 1, "match_spectrum": True})


def test_keys_that_came_later_leave_what_was_stored_before_as_it_was() -> None:
    plain = NegativeConfig.model_validate({"kind": "lq"}).model_dump(mode="json")
    assert set(plain) == {"kind", "weight", "trust", "radius", "steps", "own_noise"}
    bounded = NegativeConfig.model_validate({"kind": "lq", "epsilon": 2}).model_dump(mode="json")
    assert bounded == {**plain, "epsilon": 2.0}
