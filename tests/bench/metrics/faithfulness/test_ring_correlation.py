"""Ring correlation and radial error: identities with closed forms, and an independent computation by rings."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from asasr_bench.bench.analysis.statistics import interval
from asasr_bench.bench.metrics.faithfulness.ring_correlation import (
    compare_rings,
    cutoff,
    error_high,
    frc,
    frc_cutoff,
    frc_high,
)
from asasr_bench.bench.metrics.metric_input import MetricInput
from asasr_bench.bench.metrics.spectral import lsd
from asasr_bench.bench.protocols import get_protocol
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from skimage import data

PROTOCOL = get_protocol("osediff-512", 4)
PHOTO = np.ascontiguousarray(data.astronaut()[:128, 160:320])
Plane = NDArray[np.float64]


def pair(sr: NDArray[np.uint8], hr: NDArray[np.uint8], scale: int = 4) -> MetricInput:
    lq = np.zeros((hr.shape[0] // scale, hr.shape[1] // scale, 3), np.uint8)
    return MetricInput(sr, hr, PROTOCOL, lq)


def by_hand(a: Plane, b: Plane) -> tuple[list[float], list[float]]:
    """Correlation and relative error of every ring up to Nyquist, coefficient by coefficient."""
    height, width = a.shape
    side = min(height, width)
    window = np.array(
        [
            [
                (0.5 - 0.5 * np.cos(2 * np.pi * y / height)) * (0.5 - 0.5 * np.cos(2 * np.pi * x / width))
                for x in range(width)
            ]
            for y in range(height)
        ]
    )
    window /= np.sqrt((window**2).mean())
    first, second = (np.fft.fft2((plane - plane.mean()) * window) / np.sqrt(height * width) for plane in (a, b))
    rings: dict[int, list[tuple[complex, complex]]] = {}
    for v, u in product(range(height), range(width)):
        down = (v if v < height - height // 2 else v - height) / height
        across = (u if u < width - width // 2 else u - width) / width
        rings.setdefault(round(side * np.hypot(down, across)), []).append((first[v, u], second[v, u]))
    correlation, error = [], []
    for ring in range(1, side // 2 + 1):
        x, y = map(np.array, zip(*rings[ring], strict=True))
        correlation.append(float((x * y.conj()).sum().real / np.sqrt((abs(x) ** 2).sum() * (abs(y) ** 2).sum())))
        error.append(float((abs(x - y) ** 2).sum() / (abs(y) ** 2).sum()))
    return correlation, error


@pytest.mark.parametrize("size", [(32, 32), (31, 40), (48, 33)])
def test_rings_equal_a_computation_by_hand(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(3)
    truth = rng.normal(0.5, 0.2, size)
    image = 0.8 * truth + rng.normal(0, 0.1, size)
    correlation, error = by_hand(image, truth)
    rings = compare_rings(image, truth)
    np.testing.assert_allclose(rings.correlation, correlation, atol=1e-12)
    np.testing.assert_allclose(rings.error / rings.truth, error, rtol=1e-10)
    np.testing.assert_allclose(rings.frequencies, np.arange(1, min(size) // 2 + 1) / min(size))


def test_an_image_with_itself_has_1_everywhere() -> None:
    image = pair(PHOTO, PHOTO)
    score = frc(image)
    assert score.value == pytest.approx(1, abs=1e-12)
    assert score.payload is not None
    np.testing.assert_allclose(score.payload[0], 1, atol=1e-6)
    assert frc_cutoff(image) == 0.5
    assert frc_high(image) == pytest.approx(1, abs=1e-12)
    assert error_high(image) < -15  # nothing but the floor of 8-bit rounding over HR's energy there


@settings(max_examples=20)
@given(st.floats(0.1, 3), st.floats(-0.2, 0.2))
def test_gain_and_brightness_do_not_change_the_correlation(gain: float, offset: float) -> None:
    truth = np.random.default_rng(0).random((24, 24))
    image = truth + 0.3 * np.random.default_rng(1).random((24, 24))
    plain, changed = compare_rings(image, truth), compare_rings(gain * image + offset, truth)
    np.testing.assert_allclose(changed.correlation, plain.correlation, atol=1e-9)


def test_white_noise_has_0_within_its_interval() -> None:
    """Of forty images with independent noise: the mean's interval holds 0, ring by ring as often as it promises."""
    rng = np.random.default_rng(7)
    rings = [compare_rings(rng.normal(size=(64, 64)), rng.normal(size=(64, 64))).correlation for _ in range(40)]
    low, high = interval([ring.mean() for ring in rings])
    assert low < 0 < high
    assert high - low < 0.05
    held = [low <= 0 <= high for low, high in (interval(values) for values in np.transpose(rings))]
    assert np.mean(held) > 0.85


def test_noise_of_the_truth_s_power_has_3_db_of_error_and_an_empty_band_has_none() -> None:
    rng = np.random.default_rng(2)
    hr = rng.normal(128, 30, (256, 256)).clip(0, 255).astype(np.uint8)
    unrelated = rng.normal(128, 30, (256, 256)).clip(0, 255).astype(np.uint8)
    assert error_high(pair(unrelated, hr)) == pytest.approx(3.01, abs=0.15)
    assert error_high(pair(np.full_like(hr, 128), hr)) == pytest.approx(0, abs=0.01)
    assert frc_high(pair(unrelated, hr)) == pytest.approx(0, abs=0.03)


@pytest.mark.parametrize("shift", [1, 2, 3])
def test_a_shift_shows_as_its_phase(shift: int) -> None:
    """Circular, without a window: a coefficient of frequency u turns by 2 pi u d, so its error is 2 - 2 cos."""
    truth = np.random.default_rng(5).normal(size=(48, 48))
    rings = compare_rings(np.roll(truth, shift, axis=1), truth, window=False)
    frequency = np.fft.fftshift(np.fft.fftfreq(48))
    radius = np.rint(48 * np.hypot(frequency[:, None], frequency)).astype(int)
    power = abs(np.fft.fftshift(np.fft.fft2(truth - truth.mean(), norm="ortho"))) ** 2
    turned = np.cos(2 * np.pi * frequency * shift)[None, :] * power
    for ring in range(1, 25):
        inside = radius == ring
        expected = turned[inside].sum() / power[inside].sum()
        assert rings.correlation[ring - 1] == pytest.approx(expected, abs=1e-9)
        assert rings.error[ring - 1] / rings.truth[ring - 1] == pytest.approx(2 - 2 * expected, abs=1e-9)


def test_power_alone_is_not_enough() -> None:
    """HR's spectrum with other phases: LSD sees no difference, ring correlation does."""
    rng = np.random.default_rng(0)
    hr = rng.integers(60, 200, (128, 128)).astype(np.uint8)
    turned = pair(np.ascontiguousarray(hr[::-1, ::-1]), hr)
    assert lsd(turned) < 1
    assert abs(frc(turned).value) < 0.05


def test_the_cut_off_lies_between_rings() -> None:
    """A band below .25 cycles a pixel that agrees, and noise above it."""
    rng = np.random.default_rng(4)
    frequency = np.hypot(np.fft.fftfreq(128)[:, None], np.fft.fftfreq(128))
    low = frequency < 0.25
    truth, other = (np.fft.fft2(rng.normal(size=(128, 128))) for _ in range(2))
    mixed = np.fft.ifft2(np.where(low, truth, other)).real
    rings = compare_rings(mixed, np.fft.ifft2(truth).real, window=False)
    assert cutoff(rings) == pytest.approx(0.25, abs=1 / 128)
    assert cutoff(rings, threshold=-1.1) == 0.5


def test_the_band_above_lq_follows_the_scale() -> None:
    noisy = np.clip(PHOTO + np.random.default_rng(0).normal(0, 12, PHOTO.shape), 0, 255).astype(np.uint8)
    values = {scale: frc_high(pair(noisy, PHOTO, scale)) for scale in (2, 4, 8)}
    assert values[2] < values[4] < values[8]
    with pytest.raises(ValueError, match="no frequency is above LQ's Nyquist at scale 1 "):
        frc_high(pair(noisy, PHOTO, 1))


def test_flat_images_are_told_and_a_flat_restoration_has_0() -> None:
    flat = np.full((32, 32, 3), 90, np.uint8)
    with pytest.raises(ValueError, match="both images are flat"):
        frc(pair(flat, flat))
    assert frc(pair(flat, np.ascontiguousarray(PHOTO[:32, :32]))).value == 0
