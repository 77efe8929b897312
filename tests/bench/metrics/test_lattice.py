"""Grid artifacts: what upsampling prints at fractions of the sampling rate, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from asasr_bench.bench.metrics.lattice import grid_artifacts
from asasr_bench.bench.metrics.metric_input import MetricInput
from asasr_bench.bench.protocols import get_protocol
from asasr_bench.datasets.imresize import imresize
from numpy.typing import NDArray
from scipy.ndimage import convolve, gaussian_filter, shift
from skimage import data

Image = NDArray[np.uint8]
PHOTOS = {
    "astronaut": np.ascontiguousarray(data.astronaut()[:256, 128:384]),
    "cat": np.ascontiguousarray(data.chelsea()[20:261, 60:331]),  # sides that 4 does not divide
    "coffee": np.ascontiguousarray(data.coffee()[:300, :400]),
}


def rounded(values: NDArray[np.float64]) -> Image:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def artifacts(sr: Image, hr: Image) -> float:
    return grid_artifacts(MetricInput(sr, hr, get_protocol("osediff-512", 4)))


def transposed_convolutions(lq: Image, uneven: float) -> Image:
    """Twice: zeros between pixels, then 3x3 weights: even ones are bilinear, others give each phase its own gain."""
    values = lq.astype(np.float64)
    weights = np.outer([0.5, 1, 0.5], [0.5, 1, 0.5])
    weights[1, 1] *= 1 + uneven
    for _ in range(2):
        height, width, channels = values.shape
        spread = np.zeros((2 * height, 2 * width, channels))
        spread[::2, ::2] = values
        values = convolve(spread, weights[..., None], mode="nearest")
    return rounded(values)


@pytest.mark.parametrize("name", PHOTOS)
def test_a_clean_photo_raises_no_alarm(name: str) -> None:
    """Equal, darker, moved, noisy, blurred, sharpened, with another grain: all below 1.5 dB."""
    hr = PHOTOS[name]
    light = hr.astype(np.float64)
    soft = gaussian_filter(light, (1.2, 1.2, 0))
    noise = np.random.default_rng(0).normal(0, 8, hr.shape)
    assert artifacts(hr, hr) == 0
    changed = (0.7 * light, shift(light, (1, 2, 0), order=0, mode="nearest"), light + noise, soft, 2 * light - soft)
    for sr in changed:
        assert artifacts(rounded(sr), hr) < 1.5


@pytest.mark.parametrize("name", PHOTOS)
def test_what_upsampling_prints_is_seen(name: str) -> None:
    hr = PHOTOS[name]
    hr = hr[: hr.shape[0] // 4 * 4, : hr.shape[1] // 4 * 4]
    lq = imresize(hr, 0.25)
    assert artifacts(lq.repeat(4, 0).repeat(4, 1), hr) > 5
    even, slight, strong = (artifacts(transposed_convolutions(lq, uneven), hr) for uneven in (0.0, 0.02, 0.1))
    assert strong > slight + 3 > even + 6
    assert strong > 18


@pytest.mark.parametrize(
    ("period", "down", "across"), [(2, 1, 1), (2, 1, 0), (2, 0, 1), (4, 1, 1), (4, 1, 0), (4, 0, 1)]
)
def test_lines_of_every_direction_grow_with_their_strength(period: int, down: int, across: int) -> None:
    """Six dB for twice the amplitude, once a line stands far above its surroundings."""
    hr = np.clip(PHOTOS["astronaut"], 40, 215)
    rows, columns = np.indices(hr.shape[:2])
    wave = np.cos(2 * np.pi * (down * rows + across * columns) / period + 0.4)[..., None]
    values = [artifacts(rounded(hr + level * wave), hr) for level in (2, 8, 16)]
    assert values[0] > 2
    assert values[2] - values[1] == pytest.approx(6.02, abs=1.5)


def test_small_images_are_refused() -> None:
    small = PHOTOS["cat"][:51, :200]
    with pytest.raises(ValueError, match="52 pixels or more"):
        artifacts(small, small)
