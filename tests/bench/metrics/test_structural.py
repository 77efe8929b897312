"""MS-SSIM, GMSD and FSIM against pyiqa called directly, and against what they must be by definition."""

from __future__ import annotations

import numpy as np
import pytest
from asasr_bench.bench.metrics import structural
from asasr_bench.bench.metrics.metric import Metric
from asasr_bench.bench.metrics.metric_input import MetricInput
from asasr_bench.bench.metrics.phase_congruency import phase_congruency
from asasr_bench.bench.metrics.structural import full_range_y
from asasr_bench.bench.protocols import get_protocol
from asasr_bench.datasets.imresize import imresize
from measured import measured

PROTOCOL = get_protocol("osediff-512", 4)

every_metric = pytest.mark.parametrize("metric", structural.METRICS, ids=lambda metric: metric.id)


def images(size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """A photo of this size, and the same blurred and noisy."""
    from skimage import data

    hr = np.ascontiguousarray(data.astronaut()[: size[0], : size[1]])
    rng = np.random.default_rng(0)
    blurred = imresize(imresize(hr[: size[0] // 4 * 4, : size[1] // 4 * 4], 0.25), 4)
    sr = hr.copy()
    sr[: blurred.shape[0], : blurred.shape[1]] = blurred
    return np.clip(sr + rng.normal(0, 6, sr.shape), 0, 255).astype(np.uint8), hr


@every_metric
@pytest.mark.parametrize("size", [(256, 256), (189, 331), (512, 512)])
def test_it_is_pyiqas_value(metric: Metric, size: tuple[int, int]) -> None:
    """To 1e-4: ties in rounding Y, one pixel in a thousand, go up here and as float32 has them there."""
    pyiqa = pytest.importorskip("pyiqa", reason="pyiqa is not installed")
    import torch

    sr, hr = images(size)
    reference_network = pyiqa.create_metric(metric.id, device="cpu")
    tensors = [torch.from_numpy(image).movedim(-1, 0)[None].float() / 255 for image in (sr, hr)]
    expected = float(reference_network(*tensors))
    assert measured(metric, MetricInput(sr, hr, PROTOCOL)) == pytest.approx(expected, rel=1e-4)
    assert reference_network.lower_better == (metric.card.direction == "lower")
    assert reference_network.score_range == metric.card.range


@every_metric
def test_an_image_is_like_itself(metric: Metric, photo: np.ndarray) -> None:
    best = 0 if metric.card.direction == "lower" else 1
    assert measured(metric, MetricInput(photo, photo, PROTOCOL)) == pytest.approx(best, abs=1e-6)


@every_metric
def test_more_noise_is_worse(metric: Metric, photo: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 1, photo.shape)
    noisy = [np.clip(photo + sigma * noise, 0, 255).astype(np.uint8) for sigma in (4, 16, 48)]
    values = [measured(metric, MetricInput(image, photo, PROTOCOL)) for image in noisy]
    assert values == sorted(values, reverse=metric.card.direction == "higher")


def test_the_crop_is_the_protocols(photo: np.ndarray) -> None:
    noisy = np.clip(photo + np.random.default_rng(0).normal(0, 15, photo.shape), 0, 255).astype(np.uint8)
    inner = (slice(4, -4), slice(4, -4))
    cropped = MetricInput(noisy, photo, get_protocol("classic-x4-float", 4))
    for metric in structural.METRICS:
        assert measured(metric, cropped) == measured(metric, MetricInput(noisy[inner], photo[inner], PROTOCOL))


def test_phase_congruency_does_not_depend_on_contrast(photo: np.ndarray) -> None:
    """It is high at an edge, and the same whether the edge is strong or weak."""
    plane = np.full((96, 128), 100, np.float32)
    plane[:, 64:] = 140
    strong, weak = phase_congruency(plane), phase_congruency(100 + (plane - 100) / 4)
    np.testing.assert_allclose(strong, weak, atol=1e-3)
    assert strong[48, 62:66].max() > 0.8
    grey = photo.astype(np.float32).mean(-1)
    assert 0 < phase_congruency(grey).min() <= phase_congruency(grey).max() <= 1


def test_y_is_rounded_half_up_exactly() -> None:
    """0.299 * 10 + 0.587 * 10 + 0.114 * 5 = 9.43; 0.299 * 1 + 0.587 * 1 + 0.114 * 1 = 1; 0.5 goes up."""
    assert full_range_y(np.array([[[10, 10, 5], [1, 1, 1], [0, 0, 250]]], np.uint8)).tolist() == [[9, 1, 29]]


def test_too_small_an_image_is_refused() -> None:
    small = np.zeros((160, 300, 3), np.uint8)
    with pytest.raises(ValueError, match="at least 11x11"):
        structural.multi_scale_ssim(MetricInput(small, small, PROTOCOL))
