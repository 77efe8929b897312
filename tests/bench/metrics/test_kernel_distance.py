"""KID against its definition, torchmetrics' estimate and what an unbiased one must do."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from asasr_bench.bench.metrics.metric import Payload
from asasr_bench.bench.metrics.registry import get_metric
from asasr_bench.bench.metrics.set_distances.kernel_distance import kid, resampled

Array = np.ndarray


def payloads(sr: Array, hr: Array) -> list[Payload]:
    return list(np.stack([sr, hr], axis=1))


def by_definition(sr: Array, hr: Array) -> float:
    """Pair by pair."""

    def kernel(a: Array, b: Array) -> float:
        return float(a @ b / len(a) + 1) ** 3

    count, total = len(sr), 0.0
    for i in range(count):
        for j in range(count):
            total -= 2 * kernel(sr[i], hr[j]) / count**2
            if i != j:
                total += (kernel(sr[i], sr[j]) + kernel(hr[i], hr[j])) / (count * (count - 1))
    return 1000 * total


def test_it_is_the_definition_and_torchmetrics_estimate() -> None:
    from torchmetrics.image.kid import poly_mmd

    rng = np.random.default_rng(0)
    sr, hr = rng.normal(0, 1, (12, 16)), rng.normal(0.4, 1.2, (12, 16))
    assert kid(payloads(sr, hr)) == pytest.approx(by_definition(sr, hr), rel=1e-9)
    expected = 1000 * float(poly_mmd(torch.from_numpy(hr), torch.from_numpy(sr)))
    assert kid(payloads(sr, hr)) == pytest.approx(expected, rel=1e-9)


def test_a_resampled_set_is_the_set_with_repeated_images() -> None:
    rng = np.random.default_rng(2)
    sr, hr = rng.normal(0, 1, (15, 8)), rng.normal(0.3, 1.5, (15, 8))
    draws = rng.multinomial(15, np.full(15, 1 / 15), size=5).astype(np.float64)
    for weights, value in zip(draws.astype(int), resampled(payloads(sr, hr), draws), strict=True):
        indices = np.repeat(np.arange(15), weights)
        assert value == pytest.approx(by_definition(sr[indices], hr[indices]), rel=1e-9)


def test_samples_of_one_distribution_have_none_on_average() -> None:
    """FID of such sets is far above 0; KID is above and below."""
    rng = np.random.default_rng(1)
    values = [kid(payloads(*rng.normal(0, 1, (2, 20, 32)))) for _ in range(400)]
    assert abs(np.mean(values)) < 3 * np.std(values) / 20
    assert min(values) < 0 < max(values)


def test_one_image_has_none_and_it_needs_what_fid_needs() -> None:
    assert np.isnan(kid(payloads(np.zeros((1, 4)), np.ones((1, 4)))))
    assert get_metric("kid").missing() == get_metric("fid").missing()
    assert get_metric("kid").measure is get_metric("fid").measure
