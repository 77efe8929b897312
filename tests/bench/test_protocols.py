"""Fidelity metrics under every crop and colour setting that a protocol can have."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import numpy as np
import pytest
from asasr_bench.bench.metrics.fidelity import METRICS
from asasr_bench.bench.metrics.metric import Metric
from asasr_bench.bench.metrics.metric_input import MetricInput
from asasr_bench.bench.protocols import Protocol
from hypothesis import given, settings
from hypothesis import strategies as st
from measured import measured
from skimage.color import rgb2ycbcr
from skimage.metrics import peak_signal_noise_ratio

protocols = st.builds(
    Protocol,
    name=st.just("any"),
    version=st.just(1),
    summary=st.just(""),
    shave=st.integers(0, 9),
    grey_as_rgb=st.booleans(),
    psnr_rounds_y=st.booleans(),
    ssim_rounds_y=st.booleans(),
    mse_floor=st.sampled_from([0.0, 1e-8]),
    clamp_contrast=st.booleans(),
)
seeds = st.integers(0, 2**32 - 1)
every_metric = pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.id)


def images(seed: int, grey: bool, noise: float = 12.0) -> tuple[np.ndarray, np.ndarray]:
    """Two uint8 pictures of 31x34 that no clipping touches."""
    rng = np.random.default_rng(seed)
    shape = (31, 34) if grey else (31, 34, 3)
    first = rng.integers(70, 186, shape)
    return first.astype(np.uint8), (first + np.clip(rng.normal(0, noise, shape), -60, 60)).round().astype(np.uint8)


@every_metric
@given(protocols, seeds, st.booleans())
@settings(max_examples=40)
def test_symmetric(metric: Metric, protocol: Protocol, seed: int, grey: bool) -> None:
    a, b = images(seed, grey)
    assert measured(metric, MetricInput(a, b, protocol)) == pytest.approx(
        measured(metric, MetricInput(b, a, protocol)), abs=1e-12
    )


@every_metric
@given(protocols, seeds, st.booleans())
@settings(max_examples=40)
def test_an_image_equals_itself(metric: Metric, protocol: Protocol, seed: int, grey: bool) -> None:
    a, _ = images(seed, grey)
    best = 1.0 if metric.id.startswith("ssim") else 80.0 if protocol.mse_floor else inf
    assert measured(metric, MetricInput(a, a, protocol)) == pytest.approx(best, abs=1e-9)


@every_metric
@given(protocols, seeds, st.booleans())
@settings(max_examples=40)
def test_more_noise_is_worse(metric: Metric, protocol: Protocol, seed: int, grey: bool) -> None:
    values = [measured(metric, MetricInput(*images(seed, grey, noise), protocol)) for noise in (2, 6, 18)]
    assert values == sorted(values, reverse=True)
    assert len(set(values)) == 3


@every_metric
@given(protocols, seeds, st.booleans())
@settings(max_examples=40)
def test_what_is_shaved_does_not_count(metric: Metric, protocol: Protocol, seed: int, grey: bool) -> None:
    a, b = images(seed, grey)
    border = np.ones(a.shape, bool)
    inner = slice(protocol.shave, -protocol.shave or None)
    border[inner, inner] = False
    spoilt = np.where(border, 255 - a, a).astype(np.uint8)
    assert measured(metric, MetricInput(spoilt, b, protocol)) == measured(metric, MetricInput(a, b, protocol))
    if protocol.shave:
        unshaved = replace(protocol, shave=0)
        assert measured(metric, MetricInput(spoilt, b, unshaved)) < measured(metric, MetricInput(a, b, unshaved))


@given(protocols, seeds)
@settings(max_examples=40)
def test_psnr_of_colour_equals_scikit_image(protocol: Protocol, seed: int) -> None:
    a, b = images(seed, grey=False)
    inner = slice(protocol.shave, -protocol.shave or None)
    planes = [rgb2ycbcr(image[inner, inner])[..., 0] for image in (a, b)]
    if protocol.psnr_rounds_y:
        planes = [np.floor(plane + 0.5) for plane in planes]
    expected = peak_signal_noise_ratio(*planes, data_range=255)
    value = measured(METRICS[0], MetricInput(a, b, protocol))
    assert value == pytest.approx(expected, abs=1e-3 if protocol.mse_floor else 1e-10)


@given(protocols, seeds)
@settings(max_examples=40)
def test_grey_is_raw_or_studio_range(protocol: Protocol, seed: int) -> None:
    """Replicated to RGB, grey keeps 219 of 255 levels: its PSNR is 20 log10(255 / 219) dB higher."""
    a, b = images(seed, grey=True)
    exact = replace(protocol, psnr_rounds_y=False, mse_floor=0.0)
    raw = measured(METRICS[0], MetricInput(a, b, replace(exact, grey_as_rgb=False)))
    studio = measured(METRICS[0], MetricInput(a, b, replace(exact, grey_as_rgb=True)))
    assert studio - raw == pytest.approx(20 * np.log10(255 / 219), abs=1e-9)
