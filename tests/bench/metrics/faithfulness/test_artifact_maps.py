"""LDL's and DeSRA's maps against plain computations after the authors' descriptions, and what they mark."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from asasr_bench.bench.metrics.faithfulness.artifact_maps import (
    artifact_areas,
    artifact_maps,
    contrast_agreement,
    desra,
    ldl,
    ldl_map,
)
from asasr_bench.bench.metrics.metric_input import MetricInput
from asasr_bench.bench.protocols import get_protocol
from asasr_bench.datasets.imresize import imresize
from numpy.typing import NDArray
from scipy.ndimage import binary_fill_holes, gaussian_filter
from skimage import data

Image = NDArray[np.uint8]
PROTOCOL = get_protocol("osediff-512", 4)
HR = np.ascontiguousarray(data.astronaut()[:256, 128:384])
LQ = imresize(HR, 0.25)


def rounded(values: NDArray[np.float64]) -> Image:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def noisy(where: tuple[slice, slice], sigma: float = 60) -> Image:
    values = HR.astype(np.float64)
    values[where] += np.random.default_rng(0).normal(0, sigma, values[where].shape)
    return rounded(values)


def measured(sr: Image, lq: Image = LQ) -> MetricInput:
    return MetricInput(sr, HR, PROTOCOL, lq)


def test_ldl_s_map_is_that_of_its_description() -> None:
    """Windows unfolded by torch, torch's unbiased variances, a mirrored border, 0 where the other image is worse."""
    sr, stable = noisy(np.s_[40:90, 30:200]), rounded(gaussian_filter(HR.astype(float), (2, 2, 0)))
    planes = [torch.from_numpy(image.astype(np.float64) / 255) for image in (sr, HR, stable)]
    residual, other = ((planes[1] - planes[place]).abs().sum(2)[None, None] for place in (0, 2))
    windows = F.pad(residual, (3, 3, 3, 3), mode="reflect").unfold(2, 7, 1).unfold(3, 7, 1)
    expected = torch.var(residual) ** 0.2 * torch.var(windows, dim=(-1, -2))
    np.testing.assert_allclose(ldl_map(sr, HR), expected[0, 0].numpy(), rtol=1e-9, atol=1e-14)
    expected[(255 * residual).round() < (255 * other).round()] = 0  # levels: no tie is decided by rounding
    np.testing.assert_allclose(ldl_map(sr, HR, stable), expected[0, 0].numpy(), rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("grey", [False, True])
def test_desra_s_agreement_is_that_of_its_equation(grey: bool) -> None:
    """With explicit Gaussian windows at some places, standard deviations and the constant of SSIM's contrast term."""
    sr = noisy(np.s_[100:180, 60:160], 25)
    sr = np.repeat(sr[..., :1], 3, axis=2) if grey else sr
    agreement, excess = contrast_agreement(sr, HR)
    x = np.arange(-5, 6)
    window = np.exp(-(x[:, None] ** 2 + x**2) / (2 * 1.5**2))
    window /= window.sum()
    for row, column in [(5, 5), (30, 200), (140, 100), (250, 250), (101, 61)]:
        terms, surplus = [], 0.0
        for channel in range(3):
            patches = (image[row - 5 : row + 6, column - 5 : column + 6, channel].astype(float) for image in (sr, HR))
            a, b = (float((window * (patch - (window * patch).sum()) ** 2).sum()) for patch in patches)
            terms.append((2 * np.sqrt(a * b) + 58.5225) / (a + b + 58.5225))
            surplus += a - b
        assert agreement[row, column] == pytest.approx(np.mean(terms), abs=1e-6)
        assert excess[row, column] == (surplus > 0)
    assert (agreement[:5] == 1).all()
    assert (agreement[:, -5:] == 1).all()


def test_hr_itself_has_no_artifacts() -> None:
    maps = artifact_maps(HR, HR)
    assert maps.ldl.max() == 0
    assert maps.agreement.min() == pytest.approx(1)
    assert not maps.areas.any()
    assert ldl(measured(HR)) == 0
    assert desra(measured(HR)) == 0


def test_an_artifact_is_marked_where_it_is() -> None:
    """Noise on 100x100 pixels of a smooth image; nothing is marked farther away than windows and dilations reach."""
    smooth = rounded(gaussian_filter(HR.astype(float), (6, 6, 0)))
    sr = smooth.astype(np.float64)
    place = np.s_[80:180, 60:160]
    sr[place] += np.random.default_rng(0).normal(0, 40, sr[place].shape)
    maps = artifact_maps(rounded(sr), smooth)
    inside = np.zeros(maps.areas.shape, bool)
    inside[place] = True
    assert maps.areas[inside].mean() > 0.95
    assert maps.excess[inside].mean() > 0.99
    reach = np.zeros_like(inside)
    reach[80 - 12 : 180 + 12, 60 - 12 : 160 + 12] = True
    assert not maps.areas[~reach].any()
    assert maps.ldl[inside].mean() > 1000 * maps.ldl[~reach].mean()


@pytest.mark.parametrize("sigma", [10, 25, 60])
def test_areas_at_the_border_are_those_of_opencv(sigma: float) -> None:
    """The authors' script: windows that fit, then OpenCV's morphology on these pixels alone, and no border around."""
    cv2 = pytest.importorskip("cv2")
    sr = noisy(np.s_[:, :90], sigma)
    agreement, _ = contrast_agreement(sr, HR)
    marked = (agreement[5:-5, 5:-5] < 0.7).astype(np.uint8)
    square = np.ones((5, 5), np.uint8)
    grown = cv2.dilate(cv2.erode(marked, square), square, iterations=3)
    filled = binary_fill_holes(grown, np.ones((3, 3))).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(filled, connectivity=8)
    large = stats[:, cv2.CC_STAT_AREA] > 4000
    large[0] = False
    expected = large[labels]
    areas = artifact_maps(sr, HR).areas
    np.testing.assert_array_equal(areas[5:-5, 5:-5], expected)
    assert areas.sum() == expected.sum()
    assert desra(measured(sr)) == pytest.approx(100 * expected.mean())
    assert sigma < 60 or areas[5, 5]


def test_small_areas_are_left_out_and_holes_are_filled() -> None:
    agreement = np.ones((200, 300))
    agreement[10:60, 10:60] = 0  # 2,500 pixels, 3,364 once grown by 4
    agreement[80:160, 80:200] = 0
    agreement[110:118, 110:118] = 1
    agreement[180:182, :] = 0  # thinner than the erosion
    areas = artifact_areas(agreement)
    assert not areas[:70, :70].any()
    assert areas[80:160, 80:200].all()
    assert not areas[178:].any()
    assert areas.sum() == (80 + 2 * 4) * (120 + 2 * 4)


def test_interpolation_has_none_for_ldl_and_invented_detail_has() -> None:
    bicubic = imresize(LQ, 4)
    assert ldl(measured(bicubic)) == 0
    detailed = rounded(bicubic + np.random.default_rng(1).normal(0, 20, HR.shape))
    assert ldl(measured(detailed)) > 0.1
    assert 0 < ldl(measured(noisy(np.s_[:128, :], 20))) < ldl(measured(noisy(np.s_[:, :], 20)))


def test_blur_and_noise_have_areas_of_other_contrast() -> None:
    soft = rounded(gaussian_filter(HR.astype(float), (4, 4, 0)))
    assert desra(measured(soft)) > 5
    assert not artifact_maps(soft, HR).excess[artifact_maps(soft, HR).areas].mean() > 0.1
    assert desra(measured(noisy(np.s_[:, :], 40))) > 5


def test_what_cannot_be_compared_is_told() -> None:
    with pytest.raises(ValueError, match="cannot be compared"):
        artifact_maps(HR[:-1], HR)
    with pytest.raises(ValueError, match="sides of 11 pixels"):
        contrast_agreement(HR[:10], HR[:10])
    with pytest.raises(ValueError, match="sides of 7 pixels"):
        ldl_map(HR[:6], HR[:6])
