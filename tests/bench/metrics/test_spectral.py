"""Spectral metrics: known frequencies, known slopes, closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from asasr_bench.bench.metrics.faithfulness.low_resolution import lr_consistency
from asasr_bench.bench.metrics.metric_input import MetricInput
from asasr_bench.bench.metrics.spectral import (
    high_frequency_ratio,
    lsd,
    lsd_2d,
    lsd_dc,
    profiles,
    slope,
    sobolev_residual,
)
from asasr_bench.bench.metrics.spectrum import log_distance, power_spectrum, radial_profile, spectral_slope
from asasr_bench.bench.protocols import get_protocol
from asasr_bench.datasets.imresize import imresize
from hypothesis import given
from hypothesis import strategies as st
from scipy.fft import dctn

PROTOCOL = get_protocol("osediff-512", 4)


@given(st.sampled_from([(64, 64), (64, 96), (48, 128), (65, 63)]), st.integers(3, 22), st.booleans())
def test_a_cosine_lands_in_its_ring(size: tuple[int, int], cycles: int, down: bool) -> None:
    """``cycles`` per shorter side, along either axis, on square and oblong images."""
    length = size[0] if down else size[1]
    position = np.arange(length)
    frequency = cycles / min(size)
    wave = np.cos(2 * np.pi * frequency * position)
    plane = np.broadcast_to(wave[:, None] if down else wave, size)
    frequencies, powers = radial_profile(power_spectrum(plane))
    assert int(powers.argmax()) == cycles
    assert frequencies[cycles] == pytest.approx(frequency / (min(size) // 2 / min(size)))
    inside = powers[cycles - 2 : cycles + 3].sum()
    assert inside > 0.95 * powers.sum()


def test_parseval_and_the_window_keep_white_noise() -> None:
    noise = np.random.default_rng(0).normal(0, 1, (128, 160))
    assert power_spectrum(noise, window=False, remove_mean=False).mean() == pytest.approx((noise**2).mean())
    assert power_spectrum(noise).mean() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(("exponent", "size"), [(0, (256, 256)), (-2, (256, 256)), (-2, (192, 320))])
def test_slopes_of_noise_of_known_spectrum(exponent: int, size: tuple[int, int]) -> None:
    """White noise has slope 0; noise of amplitude 1/f has slope -2 in power; error below 0.1."""
    rng = np.random.default_rng(1)
    down, across = np.fft.fftfreq(size[0])[:, None], np.fft.fftfreq(size[1])
    radius = np.hypot(down, across)
    radius[0, 0] = 1
    noise = np.fft.ifft2(np.fft.fft2(rng.normal(size=size)) * radius ** (exponent / 2)).real
    assert spectral_slope(*radial_profile(power_spectrum(noise))) == pytest.approx(exponent, abs=0.1)


def test_distance_of_scaled_spectra_has_a_closed_form() -> None:
    power = np.random.default_rng(2).uniform(1, 9, 50)
    assert log_distance(power, power) == 0
    assert log_distance(4 * power, power) == pytest.approx(10 * np.log10(4), abs=1e-9)


def pair(sr: np.ndarray, hr: np.ndarray, lq: np.ndarray | None = None) -> MetricInput:
    return MetricInput(sr, hr, PROTOCOL, lq)


def test_an_image_has_no_distance_to_itself(photo: np.ndarray) -> None:
    same = pair(photo, photo)
    assert lsd(same) == lsd_2d(same) == lsd_dc(same) == sobolev_residual(same) == 0
    assert high_frequency_ratio(same) == 0
    assert profiles(same).shape == (2, 129)
    assert slope(MetricInput(photo, None, PROTOCOL)) == slope(same)
    assert -4 < slope(same) < -1


def test_contrast_and_brightness(photo: np.ndarray) -> None:
    """Half the contrast is 6.02 dB in every ring, and nothing once brightness is divided out."""
    dark = (photo // 2).astype(np.uint8)
    halved = pair(dark, (dark * 2).astype(np.uint8))
    # 16 of studio range is an offset that halving does not touch: take the luma of raw grey instead
    grey = MetricInput(dark[..., 1], (dark[..., 1] * 2).astype(np.uint8), get_protocol("classic-x4", 4))
    assert lsd(grey) == pytest.approx(20 * np.log10(2), abs=1e-6)
    assert lsd_2d(grey) == pytest.approx(20 * np.log10(2), abs=1e-6)
    assert lsd_dc(grey) == pytest.approx(0, abs=1e-6)
    assert lsd(halved) == pytest.approx(20 * np.log10(2), abs=1e-6)
    assert high_frequency_ratio(halved) == pytest.approx(-20 * np.log10(2), abs=0.05)  # rounding is in both


def test_blur_and_noise_are_told_apart(photo: np.ndarray) -> None:
    lq = imresize(photo, 0.25)
    blurred = imresize(lq, 4)
    noisy = np.clip(photo + np.random.default_rng(3).normal(0, 20, photo.shape), 0, 255).astype(np.uint8)
    assert high_frequency_ratio(pair(blurred, photo)) < -10 < 0 < high_frequency_ratio(pair(noisy, photo))
    assert lsd(pair(blurred, photo)) > lsd(pair(noisy, photo)) > 0


def test_an_image_without_structure_has_finite_ratios(photo: np.ndarray) -> None:
    """White noise of 3 levels on grey: its variance against that of rounding, 1/12 of a level^2, at every frequency."""
    flat = np.full((128, 128), 100, np.uint8)
    protocol = get_protocol("classic-x4", 4)  # grey is Y as it is
    for level in (0, 255):
        assert high_frequency_ratio(MetricInput(flat * 0 + level, flat, protocol)) == 0
    noisy = np.rint(flat + np.random.default_rng(4).normal(0, 3, flat.shape)).astype(np.uint8)
    invented = high_frequency_ratio(MetricInput(noisy, flat, protocol))
    assert invented == pytest.approx(10 * np.log10((9 + 1 / 12 + 1 / 12) / (1 / 12)), abs=0.15)
    assert high_frequency_ratio(MetricInput(flat, noisy, protocol)) == pytest.approx(-invented)
    black = pair(photo, np.zeros_like(photo))
    assert 20 < high_frequency_ratio(black) < 60
    with pytest.raises(ValueError, match="1x1 pixels has no spectrum"):
        high_frequency_ratio(pair(np.zeros((1, 1, 3), np.uint8), np.zeros((1, 1, 3), np.uint8)))


def test_the_ratio_is_that_of_energies_in_the_plane(photo: np.ndarray) -> None:
    """An independent sum over frequencies from ``fftfreq``, on an oblong image of odd height."""
    hr = photo[:101, :160]
    sr = imresize(imresize(photo, 0.5), 2)[:101, :160]
    energies = []
    for image in (sr, hr):
        y = image @ np.array([65.481, 128.553, 24.966]) / 255 + 16
        hann = np.outer(*(np.sin(np.pi * np.arange(length) / length) ** 2 for length in y.shape))
        power = np.abs(np.fft.fft2((y - y.mean()) * hann)) ** 2 / (y.size * (hann**2).mean())
        v, u = np.meshgrid(*(np.fft.fftfreq(length) for length in y.shape), indexing="ij")
        energies.append(power[v**2 + u**2 > 0.25**2].mean() + 1 / 12)
    assert high_frequency_ratio(pair(sr, hr)) == pytest.approx(10 * np.log10(energies[0] / energies[1]), abs=1e-9)


def test_copied_pixels_have_energy_where_bicubic_has_none(photo: np.ndarray) -> None:
    """What the note of LSD says."""
    lq = imresize(photo, 0.25)
    assert 2 * lsd(pair(lq.repeat(4, 0).repeat(4, 1), photo)) < lsd(pair(imresize(lq, 4), photo))


def test_corners_of_the_plane_count(photo: np.ndarray) -> None:
    """A checkerboard of 8 levels: its frequency, Nyquist both ways, lies outside of all full rings."""
    i, j = np.indices(photo.shape[:2])
    hr = np.clip(photo, 8, 247)
    board = pair((hr + np.where((i + j) % 2, 8, -8)[..., None]).astype(np.uint8), hr)
    assert lsd(board) > 3
    assert lsd_dc(board) > 3
    assert high_frequency_ratio(board) > 3
    assert profiles(board).shape == (2, 129)


def test_what_has_no_slope_is_an_error() -> None:
    for flat in (np.zeros((64, 64, 3), np.uint8), np.full((64, 48, 3), 200, np.uint8)):
        with pytest.raises(ValueError, match="flat"):
            slope(MetricInput(flat, None, PROTOCOL))
    for size in ((5, 5), (12, 17), (19, 64)):
        noise = np.random.default_rng(5).integers(0, 256, (*size, 3)).astype(np.uint8)
        with pytest.raises(ValueError, match="20 pixels or more"):
            slope(MetricInput(noise, None, PROTOCOL))
    noise = np.random.default_rng(5).integers(0, 256, (20, 64, 3)).astype(np.uint8)
    assert slope(MetricInput(noise, None, PROTOCOL)) == pytest.approx(0, abs=0.5)


def test_the_residual_counts_cycles_per_field() -> None:
    """One grating of 16 pixels on 320x480: the same weights by an independent DCT; 480/320 to the power 2 s = 3."""
    shape = (320, 480)
    energies = []
    for axis in (0, 1):
        wave = np.cos(2 * np.pi * (np.arange(shape[axis]) + 0.5) / 16)
        grating = np.broadcast_to(wave[:, None] if axis == 0 else wave, shape)
        sr = np.rint(128 + 20 * grating).astype(np.uint8)
        hr = np.full(shape, 128, np.uint8)
        energies.append(sobolev_residual(MetricInput(sr, hr, get_protocol("classic-x4", 4))))  # shaved: 312x472
        spectrum = dctn((sr.astype(float) - 128)[4:-4, 4:-4], norm="ortho") ** 2
        down, across = np.indices(spectrum.shape)
        weights = (1 + (down**2 + across**2) / 4) ** 1.5
        assert energies[-1] == pytest.approx((weights * spectrum).mean() / weights.mean(), rel=1e-6)
    assert energies[1] / energies[0] == pytest.approx((472 / 312) ** 3, rel=0.02)


def test_the_residual_weighs_high_frequencies_more(photo: np.ndarray) -> None:
    columns = np.indices(photo.shape[:2])[1]
    waves = [20 * np.cos(np.pi * cycles * (2 * columns + 1) / (2 * photo.shape[1])) for cycles in (2, 20, 120)]
    base = np.full(photo.shape[:2], 128.0)
    energies = [
        sobolev_residual(
            MetricInput(np.rint(base + wave).astype(np.uint8), base.astype(np.uint8), get_protocol("classic-x4", 4))
        )
        for wave in waves
    ]
    assert energies == sorted(energies)
    assert energies[2] > 10 * energies[0]


def test_lr_consistency(photo: np.ndarray) -> None:
    lq = imresize(photo, 0.25)
    assert lr_consistency(pair(photo, photo, lq)) == pytest.approx(80)
    shifted = np.clip(photo.astype(int) + 10, 0, 255).astype(np.uint8)
    assert lr_consistency(pair(shifted, photo, lq)) == pytest.approx(20 * np.log10(255 / 10), abs=0.3)
