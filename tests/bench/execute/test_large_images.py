"""Large images go in strips and blocks: the same values, a bounded memory, a clear word where a metric cannot."""

from __future__ import annotations

import math

import numpy as np
import pytest
from asasr_bench.bench.metrics import measure as measuring
from asasr_bench.bench.metrics import metric_input as metrics
from asasr_bench.bench.metrics import similarity
from asasr_bench.bench.metrics.measure import TooLargeError, measure_each
from asasr_bench.bench.metrics.metric import Score
from asasr_bench.bench.metrics.metric_input import MetricInput
from asasr_bench.bench.metrics.registry import get_metric
from asasr_bench.bench.protocols import get_protocol
from asasr_bench.datasets import imresize as resizing
from asasr_bench.datasets.imresize import imresize
from hypothesis import given, settings
from hypothesis import strategies as st
from measured import measured
from numpy.typing import NDArray

IDS = ("psnr_y", "ssim_y", "psnr_rgb", "ssim_rgb")


def noisy(photo: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    return np.clip(photo + rng.normal(0, 6, photo.shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("protocol", ["classic-x4", "classic-x4-float", "asasr"])
@pytest.mark.parametrize("grey", [False, True])
def test_strips_give_the_values_of_the_whole(
    protocol: str, grey: bool, photo: NDArray[np.uint8], rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    hr = np.ascontiguousarray(photo[:, :, 0]) if grey else photo
    sr = noisy(hr, rng)
    values = {}
    for strip in (1 << 22, 5000, 300):  # whole; strips of 20 rows; of one row
        monkeypatch.setattr(similarity, "STRIP", strip)
        monkeypatch.setattr(metrics, "STRIP", strip)
        pair = MetricInput(sr, hr, get_protocol(protocol, 4))
        values[strip] = [measured(get_metric(id), pair) for id in IDS]
    for strip in (5000, 300):
        np.testing.assert_allclose(values[strip], values[1 << 22], rtol=1e-12)


@settings(max_examples=100)
@given(st.integers(1, 5000), st.integers(1, 5000), st.integers(1, 10**6))
def test_strips_cover_every_row_once(height: int, width: int, strip: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(similarity, "STRIP", strip)
        parts = list(similarity.row_strips(height, width))
    assert [row for part in parts for row in range(part.start, part.stop)] == list(range(height))
    most = max(part.stop - part.start for part in parts)
    assert most == 1 or most * width <= strip + width


def test_sizes_that_differ_are_told_whatever_the_strips(photo: NDArray[np.uint8]) -> None:
    for hr in (photo[:-1], photo[:, :-1], np.concatenate([photo, photo])):
        with pytest.raises(ValueError, match="cannot be compared"):
            measured(get_metric("psnr_y"), MetricInput(photo, hr, get_protocol("asasr", 4)))
    with pytest.raises(ValueError, match="too small to shave"):
        measured(get_metric("psnr_y"), MetricInput(photo[:8], photo[:8], get_protocol("classic-x4", 4)))
    assert measured(get_metric("psnr_rgb"), MetricInput(photo, photo, get_protocol("classic-x4", 4))) == math.inf


@pytest.mark.parametrize("scale", [0.25, 1 / 3, 2.0, 4.0])
@pytest.mark.parametrize("dtype", [np.uint8, np.float64, np.float32])
def test_blocks_resize_to_the_same_bits(
    scale: float, dtype: type, photo: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    image = photo[:60, :96].astype(dtype)
    for one in (image, image[..., 0]):
        whole = imresize(one, scale)
        with monkeypatch.context() as patch:
            patch.setattr(resizing, "_BLOCK", 3000)
            np.testing.assert_array_equal(imresize(one, scale), whole)


def test_metrics_that_need_all_at_once_say_so(
    photo: NDArray[np.uint8], rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    small, large = photo[:64, :64], photo[:128, :64]
    pairs = [MetricInput(noisy(one, rng), one, get_protocol("asasr", 4)) for one in (large, small, large)]
    monkeypatch.setattr(measuring, "MAX_UNTILED_PIXELS", 64 * 64)
    first, second, third = measure_each(get_metric("lsd"), pairs, "cpu")
    assert isinstance(first, TooLargeError)
    assert str(first) == "64x128 pixels are more than 'lsd' takes at once (4096); measure a crop (--crop)"
    assert isinstance(second, Score)
    assert isinstance(third, TooLargeError)
    assert all(isinstance(score, Score) for score in measure_each(get_metric("ssim_y"), pairs, "cpu"))
