"""PSNR and SSIM against scikit-image and closed forms, then their properties."""

from __future__ import annotations

from math import inf, log10

import numpy as np
import pytest
from asasr_bench.bench.metrics.similarity import luma, psnr, round_half_up, shave, ssim
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.color import rgb2ycbcr
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

sizes = st.tuples(st.integers(11, 40), st.integers(11, 40))
seeds = st.integers(0, 2**32 - 1)


def planes(shape: tuple[int, int], seed: int, noise: float = 20.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    first = rng.uniform(0, 255, shape)
    return first, np.clip(first + rng.normal(0, noise, shape), 0, 255)


@given(sizes, seeds)
@settings(max_examples=50)
def test_psnr_equals_scikit_image(shape: tuple[int, int], seed: int) -> None:
    a, b = planes(shape, seed)
    assert psnr(a, b) == pytest.approx(peak_signal_noise_ratio(a, b, data_range=255), abs=1e-10)


@given(sizes, seeds)
@settings(max_examples=50)
def test_ssim_equals_scikit_image(shape: tuple[int, int], seed: int) -> None:
    """Wang's settings there: Gaussian weights, sigma 1.5, truncate 3.5 (11 taps), population covariance."""
    a, b = planes(shape, seed)
    _, full = structural_similarity(
        a, b, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, full=True
    )
    assert ssim(a, b) == pytest.approx(full[5:-5, 5:-5].mean(), abs=1e-10)


def test_luma_equals_scikit_image(rng: np.random.Generator) -> None:
    rgb = rng.integers(0, 256, (16, 17, 3), dtype=np.uint8)
    np.testing.assert_allclose(luma(rgb), rgb2ycbcr(rgb)[..., 0], atol=1e-10)


def test_studio_and_full_range_differ_by_a_constant(photo: np.ndarray, rng: np.random.Generator) -> None:
    """The commonest "cannot reproduce": full-range Y is exactly 20 log10(255 / 219) dB lower."""
    noisy = np.clip(photo + rng.normal(0, 10, photo.shape), 0, 255)
    full_range = np.array([65.481, 128.553, 24.966]) / 219
    difference = psnr(luma(photo), luma(noisy)) - psnr(photo @ full_range, noisy @ full_range)
    assert difference == pytest.approx(20 * log10(255 / 219), abs=1e-9)


@given(sizes, seeds)
def test_both_are_symmetric(shape: tuple[int, int], seed: int) -> None:
    a, b = planes(shape, seed)
    assert psnr(a, b) == psnr(b, a)
    assert ssim(a, b) == pytest.approx(ssim(b, a), abs=1e-12)


@given(sizes, seeds)
def test_an_image_equals_itself(shape: tuple[int, int], seed: int) -> None:
    a, _ = planes(shape, seed)
    assert psnr(a, a) == inf
    assert psnr(a, a, mse_floor=1e-8) == pytest.approx(80)
    assert ssim(a, a) == pytest.approx(1, abs=1e-12)


@given(seeds)
@settings(max_examples=20)
def test_both_fall_with_noise(seed: int) -> None:
    rng = np.random.default_rng(seed)
    clean, noise = rng.uniform(60, 200, (48, 48)), rng.normal(0, 1, (48, 48))
    levels = [clean + amount * noise for amount in (1, 3, 9, 27)]
    for metric in (psnr, ssim):
        values = [metric(clean, level) for level in levels]
        assert values == sorted(values, reverse=True)


def test_psnr_of_a_known_error() -> None:
    a = np.zeros((8, 8))
    assert psnr(a, a + 5) == pytest.approx(10 * log10(255**2 / 25), abs=1e-12)


def test_an_error_as_large_as_the_peak_is_0_db_without_a_minus() -> None:
    value = psnr(np.zeros((4, 4), np.uint8), np.full((4, 4), 255, np.uint8))
    assert (value, np.signbit(value)) == (0, False)


def test_ssim_of_flat_planes_has_a_closed_form() -> None:
    """Without variance only the luminance term is left."""
    c1 = (0.01 * 255) ** 2
    expected = (2 * 100 * 120 + c1) / (100**2 + 120**2 + c1)
    assert ssim(np.full((20, 20), 100.0), np.full((20, 20), 120.0)) == pytest.approx(expected, abs=1e-12)


def test_clamping_counts_anticorrelated_structure_as_zero(rng: np.random.Generator) -> None:
    noise = rng.normal(0, 30, (32, 32))
    assert ssim(128 + noise, 128 - noise) < 0
    assert ssim(128 + noise, 128 - noise, clamp_contrast=True) == 0


def test_ssim_keeps_its_digits_on_a_bright_flat_image() -> None:
    """Var(x) as E[x^2] - E[x]^2 would lose nine digits here."""
    a = np.full((16, 16), 1e6)
    assert ssim(a, a + 1e-3, data_range=1e6) == pytest.approx(1, abs=1e-9)


@given(st.integers(0, 4), st.booleans())
def test_shave_cuts_every_side(border: int, colour: bool) -> None:
    image = np.arange(11 * 13 * 3).reshape(11, 13, 3) if colour else np.arange(11 * 13).reshape(11, 13)
    cut = shave(image, border)
    assert cut.shape[:2] == (11 - 2 * border, 13 - 2 * border)
    assert cut[0, 0].tolist() == image[border, border].tolist()


def test_halves_round_up_as_in_matlab() -> None:
    assert round_half_up(np.array([0.5, 1.5, 2.5, 2.4999999])).tolist() == [1, 2, 3, 2]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: psnr(np.zeros((4, 4)), np.zeros((4, 5))), "cannot be compared"),
        (lambda: ssim(np.zeros((10, 40)), np.zeros((10, 40))), "at least 11x11"),
        (lambda: shave(np.zeros((8, 8)), 4), "too small to shave"),
    ],
)
def test_what_cannot_be_measured_is_refused(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
