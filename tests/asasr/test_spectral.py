"""The Sobolev operator: identities, an independent transform, and the norms recorded from the authors' code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from asasr_bench.asasr.spectral import SobolevOperator
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from scipy.fft import dctn
from torch import Tensor

sizes = st.tuples(st.integers(1, 33), st.integers(1, 33))
seeds = st.integers(0, 2**31)
orders = st.sampled_from([-1.0, 0.0, 0.5, 1.0, 1.5, 2.5])
both = pytest.mark.parametrize("basis", ["dct", "fft"])


def field(size: tuple[int, int], seed: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


@both
@given(sizes, seeds, st.sampled_from(["raw", "unit-mean"]))
def test_without_smoothness_it_is_the_mean_square(basis, size, seed, weights) -> None:
    g = field(size, seed, torch.float32)
    energy = SobolevOperator(0.0, basis, weights).energy(g)
    torch.testing.assert_close(energy, g.square().mean((1, 2, 3)), rtol=1e-6, atol=0)


@both
@given(sizes, seeds)
def test_parseval(basis, size, seed) -> None:
    """An operator whose s is not exactly 0 goes through the transform."""
    g = field(size, seed)
    torch.testing.assert_close(SobolevOperator(1e-300, basis).energy(g), g.square().mean((1, 2, 3)), rtol=1e-12, atol=0)


@given(sizes, seeds, orders)
def test_the_cosine_transform_is_scipys(size, seed, s) -> None:
    g = field(size, seed)
    down, across = np.meshgrid(*(np.arange(length) / 2 for length in size), indexing="ij")
    power = dctn(g.numpy(), type=2, norm="ortho", axes=(-2, -1)) ** 2
    expected = (power * (1 + down**2 + across**2) ** s).mean((1, 2, 3))
    np.testing.assert_allclose(SobolevOperator(s).energy(g).numpy(), expected, rtol=1e-10)


@both
@given(sizes, seeds, orders)
def test_height_and_width_are_alike(basis, size, seed, s) -> None:
    g = field(size, seed)
    operator = SobolevOperator(s, basis)
    torch.testing.assert_close(operator.energy(g), operator.energy(g.mT), rtol=1e-10, atol=0)


def test_both_bases_weigh_a_physical_frequency_alike() -> None:
    cosine, fourier = SobolevOperator(1.5).spectrum(32, 48), SobolevOperator(1.5, "fft").spectrum(32, 48)
    torch.testing.assert_close(cosine[0:32:2, 0:48:2], fourier[:16, :24])


@both
@given(sizes, seeds, orders)
def test_roots_undo_and_square(basis, size, seed, s) -> None:
    g = field(size, seed)
    operator = SobolevOperator(s, basis)
    close = {"rtol": 1e-8, "atol": 1e-9}
    torch.testing.assert_close(operator.root_covariance(operator.root_covariance(g)), operator.covariance(g), **close)
    energy = operator.energy(operator.root_covariance(g))
    torch.testing.assert_close(energy, g.square().mean((1, 2, 3)), rtol=1e-9, atol=0)


@both
def test_colored_noise_has_the_spectrum_asked_for(basis: str) -> None:
    """Energy of 10,000 draws in each mode against its weight: chi-square with 10,000 degrees of freedom."""
    operator = SobolevOperator(1.0, basis)
    count, size = 10_000, 8
    white = torch.randn(count, 1, size, size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    noise = operator.colored(white)
    assert float(noise.square().mean()) == pytest.approx(1, abs=0.02)
    wanted = operator.spectrum(size, size).double().reciprocal()
    wanted = wanted / wanted.mean()
    spectrum = operator._transform(noise)
    statistic = (spectrum.abs().square() / wanted).sum(0)[0]  # ~ chi-square(count), in complex modes narrower
    deviation = (statistic - count) / (2 * count) ** 0.5
    assert float(deviation.abs().max()) < 4.5  # 64 modes: exceeded by chance once in 2,300 runs
    assert float(deviation.square().mean()) < 1.6


@both
@pytest.mark.parametrize("s", [0.0, 1.5])
def test_the_riesz_direction_is_the_steepest(basis: str, s: float) -> None:
    operator = SobolevOperator(s, basis)
    gradient = field((9, 12), 3)[:1]
    step = operator.riesz(gradient, 0.3)
    assert float(operator.energy(step)) == pytest.approx(0.09, rel=1e-9)
    slope = float((gradient * step).mean())
    assert slope == pytest.approx(-0.3 * float((gradient * operator.covariance(gradient)).mean()) ** 0.5, rel=1e-9)
    others = torch.randn(10_000, *gradient.shape[1:], generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    for directions in (others, operator.root_covariance(others), operator.covariance(others)):
        scaled = directions * (0.3 / operator.energy(directions).sqrt()).view(-1, 1, 1, 1)
        assert float((gradient * scaled).mean((1, 2, 3)).min()) > slope


@both
def test_it_is_differentiable_and_keeps_its_tensors(basis: str) -> None:
    operator = SobolevOperator(1.5, basis, "unit-mean")
    g = field((8, 6), 1).requires_grad_()
    assert torch.autograd.gradcheck(operator.energy, g)
    kept = operator._weights(g)
    operator.energy(g)
    assert operator._weights(g) is kept


@both
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_low_precision_is_computed_in_float32(basis: str, dtype: torch.dtype) -> None:
    g = field((16, 16), 2, dtype)
    energy = SobolevOperator(1.5, basis).energy(g)
    assert energy.dtype == torch.float32
    torch.testing.assert_close(energy.double(), SobolevOperator(1.5, basis).energy(g.double()), rtol=1e-5, atol=0)
    assert SobolevOperator(1.5, basis).colored(g).dtype == dtype


@given(sizes, orders)
@settings(max_examples=20)
def test_unit_mean_weights(size, s) -> None:
    assert float(SobolevOperator(s, "dct", "unit-mean").spectrum(*size).mean()) == pytest.approx(1, rel=1e-5)


def test_the_half_spectrum_gives_the_recorded_norms(shared: Path) -> None:
    """``sobolev_one_sided_s*`` were computed by the authors' code on ``residual``."""
    vectors = load_file(shared / "data" / "asasr-forward" / "vectors.safetensors")
    for s in (0.0, 0.5, 1.0, 1.5, 2.0):
        energy = SobolevOperator(s, "rfft2").energy(vectors["residual"])
        torch.testing.assert_close(energy, vectors[f"sobolev_one_sided_s{s}"], rtol=1e-5, atol=0)


def test_the_half_spectrum_has_no_inverse() -> None:
    with pytest.raises(ValueError, match="only compares energies"):
        SobolevOperator(1.0, "rfft2").covariance(torch.zeros(1, 1, 4, 4))
