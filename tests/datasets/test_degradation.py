"""The degradation against closed forms, Pillow and the shares that Real-ESRGAN publishes."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from asasr_bench.asasr.config import DataConfig, load_config
from asasr_bench.asasr.errors import TrainingConfigError
from asasr_bench.datasets.degradation import kernels, stages
from asasr_bench.datasets.degradation.jpeg import jpeg
from asasr_bench.datasets.degradation.pipeline import VERSION, Recipe, degrade, degrade_image, draw_recipe
from asasr_bench.datasets.degradation.settings import KERNEL_SIZES, preset, preset_names
from asasr_bench.datasets.lq import LqRuleError, parse_lq_rule, rule_version
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage, special

SIGMAS = st.floats(0.8, 2.0)


def moments(kernel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Covariance (x, y) of a kernel as a distribution over pixels."""
    y, x = np.indices(kernel.shape) - len(kernel) // 2
    return np.array(
        [[(kernel * x * x).sum(), (kernel * x * y).sum()], [(kernel * x * y).sum(), (kernel * y * y).sum()]]
    )


def batch(image: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(image).movedim(-1, 0)[None].float() / 255


def generators(seeds: range) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


# Kernels


@given(sigma=st.tuples(SIGMAS, SIGMAS), angle=st.floats(-np.pi, np.pi))
def test_a_gaussian_has_the_covariance_asked_for(sigma: tuple[float, float], angle: float) -> None:
    axis, other = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    wanted = sigma[0] ** 2 * np.outer(axis, axis) + sigma[1] ** 2 * np.outer(other, other)
    np.testing.assert_allclose(moments(kernels.gaussian(21, sigma, angle)), wanted, atol=0.02)


def test_kernels_follow_their_formulas() -> None:
    y, x = np.indices((9, 9)) - 4.0
    q = (x**2 + y**2) / 1.3**2
    for kernel, formula in (
        (kernels.gaussian(9, (1.3, 1.3), 0.4, 0.7), np.exp(-0.5 * q**0.7)),
        (kernels.plateau(9, (1.3, 1.3), 0.4, 1.6), 1 / (1 + q**1.6)),
    ):
        np.testing.assert_allclose(kernel / kernel[4, 4], formula / formula[4, 4], rtol=1e-12)


def test_the_sinc_passes_low_and_stops_high_frequencies() -> None:
    kernel = kernels.sinc(21, np.pi / 2)
    radius = np.hypot(*(np.indices((21, 21)) - 10.0))
    ratio = kernel[10, 15] / kernel[10, 12]  # independent of normalisation
    wanted = (special.j1(np.pi / 2 * radius[10, 15]) / 5) / (special.j1(np.pi / 2 * radius[10, 12]) / 2)
    assert ratio == pytest.approx(wanted)
    response = np.abs(np.fft.fft2(kernel, (128, 128)))[0]
    assert response[:24].min() > 0.85  # the cut-off lies at bin 32
    assert response[40:64].max() < 0.1


@pytest.mark.parametrize("name", preset_names())
def test_drawn_kernels_are_kernels(name: str) -> None:
    rng = np.random.default_rng(1)
    for _ in range(200):
        for kernel in (kernels.draw_blur(rng, preset(name).first.blur), kernels.draw_final_sinc(rng, 0.8)):
            assert kernel.shape == (21, 21)
            assert kernel.sum() == pytest.approx(1)
            assert 2 * np.abs(np.argwhere(kernel) - 10).max() + 1 <= max(KERNEL_SIZES)
            np.testing.assert_allclose(kernel, kernel[::-1, ::-1], atol=1e-15)


# Stages


def test_blur_is_a_correlation_with_reflected_borders(photo: NDArray[np.uint8], rng: np.random.Generator) -> None:
    image = np.ascontiguousarray(photo[:40, :33])
    own = [rng.dirichlet(np.ones(49)).reshape(7, 7) for _ in range(2)]
    blurred = stages.blur(batch(image).repeat(2, 1, 1, 1), own)
    for result, kernel in zip(blurred, own, strict=True):
        for channel in range(3):
            wanted = ndimage.correlate(image[..., channel] / 255.0, kernel, mode="mirror")
            np.testing.assert_allclose(result[channel].numpy(), wanted, atol=2e-6)


@pytest.mark.parametrize("size", [(9, 30), (1, 4), (2, 2)])
def test_blur_takes_images_smaller_than_its_kernel(size: tuple[int, int], rng: np.random.Generator) -> None:
    image = rng.random(size)
    kernel = kernels.gaussian(21, (3.0, 3.0))
    result = stages.blur(torch.from_numpy(image).float()[None, None], [kernel])[0, 0]
    np.testing.assert_allclose(result.numpy(), ndimage.correlate(image, kernel, mode="mirror"), atol=2e-6)


def test_sharpening_leaves_flat_areas_and_raises_edges() -> None:
    image = torch.full((1, 3, 96, 96), 0.4)
    image[..., 48:] = 0.6
    sharp = stages.sharpen(image)
    assert sharp[..., 48].max() > 0.62
    assert sharp[..., 47].min() < 0.38
    torch.testing.assert_close(stages.sharpen(image[..., :40]), image[..., :40])


@pytest.mark.parametrize("grey", [0.0, 1.0])
def test_noise_has_the_moments_of_its_distribution(grey: float) -> None:
    image = torch.full((2, 3, 256, 256), 0.5)
    noisy = stages.gaussian_noise(image, torch.tensor([10.0, 20.0]), torch.full((2,), grey), generators(range(2)))
    deviations = (noisy - image).std(dim=(1, 2, 3)) * 255
    torch.testing.assert_close(deviations, torch.tensor([10.0, 20.0]), rtol=0.02, atol=0)
    image = torch.arange(60, 200).div(255).repeat(512, 1).expand(1, 3, 512, 140)  # 140 levels: white is 256 photons
    shot = stages.poisson_noise(image, torch.tensor([1.0]), torch.tensor([grey]), generators(range(1))) - image
    expected = image[0, 0].mean().item() / 256  # a Poisson count's variance is its mean
    assert shot.var().item() == pytest.approx(expected, rel=0.03)
    assert shot[..., -10:].var() > 2 * shot[..., :10].var()
    for result in (noisy - 0.5, shot):
        assert bool((result[:, 0] == result[:, 1]).all()) == bool(grey)


@pytest.mark.parametrize(("quality", "least"), [(50, 45.0), (25, 45.0), (30, 38.0), (80, 40.0), (95, 42.0)])
def test_jpeg_is_pillows(photo: NDArray[np.uint8], quality: int, least: float) -> None:
    """At 50 and 25 the quantisation tables are whole numbers in both; elsewhere ours are not rounded."""
    grey = np.repeat(photo.mean(-1, keepdims=True).round().astype(np.uint8), 3, axis=-1)  # chroma is filtered otherwise
    file = io.BytesIO()
    Image.fromarray(grey).save(file, "JPEG", quality=quality)
    theirs = np.asarray(Image.open(file)).astype(float)
    ours = (jpeg(batch(grey), torch.tensor([float(quality)]))[0] * 255).movedim(0, -1).numpy()
    assert 10 * np.log10(255**2 / ((ours - theirs) ** 2).mean()) > least
    lost = np.abs(ours - grey).mean()
    assert lost == pytest.approx(np.abs(theirs - grey).mean(), rel=0.15)


def test_jpeg_has_the_tables_of_the_standard_not_their_transposes(photo: NDArray[np.uint8]) -> None:
    """DiffJPEG's are transposed; a table that is not symmetric shows it at quality 50, where steps are whole."""
    grey = np.repeat(photo.mean(-1, keepdims=True).round().astype(np.uint8), 3, axis=-1)
    file = io.BytesIO()
    Image.fromarray(grey).save(file, "JPEG", quality=50)
    theirs = np.asarray(Image.open(file)).astype(float)
    ours, turned = (
        (jpeg(images, torch.tensor([50.0]))[0] * 255).movedim(0, -1).numpy()
        for images in (batch(grey), batch(np.ascontiguousarray(grey.transpose(1, 0, 2))))
    )
    assert np.abs(ours - theirs).mean() < 0.3
    assert np.abs(turned.transpose(1, 0, 2) - theirs).mean() > 3 * np.abs(ours - theirs).mean()


def test_jpeg_of_colours_is_close_to_pillows(photo: NDArray[np.uint8]) -> None:
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "JPEG", quality=50)
    theirs = np.asarray(Image.open(file)).astype(float)
    ours = (jpeg(batch(photo), torch.tensor([50.0]))[0] * 255).movedim(0, -1).numpy()
    assert np.abs(ours - theirs).mean() < 0.3 * np.abs(ours - photo).mean()


def test_jpeg_quality_is_each_images_own(photo: NDArray[np.uint8]) -> None:
    images = batch(np.ascontiguousarray(photo[:50, :37])).repeat(3, 1, 1, 1)
    qualities = torch.tensor([30.0, 60.0, 95.0])
    together = jpeg(images, qualities)
    assert together.shape == images.shape
    alone = torch.cat([jpeg(images[:1], quality[None]) for quality in qualities])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-6)
    losses = (together - images).abs().mean(dim=(1, 2, 3))
    assert losses[0] > losses[1] > losses[2]


# The whole


def recipe(name: str, seed: int, shared: int | None = None) -> Recipe:
    rng = np.random.default_rng(seed)
    return draw_recipe(preset(name), rng, None if shared is None else np.random.default_rng(shared))


def test_recipes_have_the_published_shares() -> None:
    drawn = [recipe("realesrgan-x4", seed) for seed in range(4000)]
    factors = np.array([one.geometry.factors for one in drawn])
    shares = [[(factors[:, n] > 1).mean(), (factors[:, n] < 1).mean(), (factors[:, n] == 1).mean()] for n in (0, 1)]
    np.testing.assert_allclose(shares, [[0.2, 0.7, 0.1], [0.3, 0.4, 0.3]], atol=0.03)
    assert 0.15 <= factors[:, 0].min() < 0.17
    assert 1.48 < factors[:, 0].max() <= 1.5
    single = [[np.count_nonzero(one.kernels[n]) == 1 for one in drawn] for n in (0, 1, 2)]
    np.testing.assert_allclose(np.mean(single, axis=1), [0.0, 0.2, 0.2], atol=0.03)
    np.testing.assert_allclose(np.mean([one.geometry.gaussian for one in drawn], axis=0), 0.5, atol=0.03)
    np.testing.assert_allclose(np.mean([one.grey for one in drawn], axis=0), 0.4, atol=0.03)
    assert np.mean([one.geometry.jpeg_last for one in drawn]) == pytest.approx(0.5, abs=0.03)
    qualities = np.array([one.quality for one in drawn])
    assert 30 <= qualities.min() < 31 < 94 < qualities.max() <= 95


# cswry/SeeSR and cswry/OSEDiff, dataloaders/params_realesrgan.yml, each at its only revision
_SEESR = {
    "resize": ((0.3, 1.5), (0.6, 1.2)), "noise": ((1, 15), (1, 12)), "poisson": ((0.05, 2), (0.05, 1)),
    "jpeg": ((60, 95), (60, 100)), "blurred": (1.0, 0.5),
}  # fmt: skip
_OSEDIFF = {
    "resize": ((0.15, 1.5), (0.3, 1.2)), "noise": ((1, 30), (1, 25)), "poisson": ((0.05, 3), (0.05, 2.5)),
    "jpeg": ((30, 95), (30, 95)), "blurred": (1.0, 0.8),
}  # fmt: skip


@pytest.mark.parametrize(("name", "published"), [("seesr-x4", _SEESR), ("osediff-x4", _OSEDIFF)])
def test_presets_have_the_published_values(name: str, published: dict[str, object]) -> None:
    passes = preset(name).first, preset(name).second
    assert published == {
        "resize": tuple(one.resize_range for one in passes),
        "noise": tuple(one.gaussian_sigma for one in passes),
        "poisson": tuple(one.poisson_scale for one in passes),
        "jpeg": tuple(one.jpeg for one in passes),
        "blurred": tuple(one.blur.probability for one in passes),
    }
    for one, sigma in zip(passes, ((0.2, 3.0), (0.2, 1.5)), strict=True):  # both files
        assert (one.blur.sigma, one.blur.generalised_beta, one.blur.plateau_beta) == (sigma, (0.5, 4.0), (1.0, 2.0))
    assert [one.resize for one in passes] == [(0.2, 0.7, 0.1), (0.3, 0.4, 0.3)]
    assert not preset(name).sharpen  # the line is commented out in both loaders
    assert "params_realesrgan.yml" in preset(name).source


def test_lq_of_another_revision_of_a_preset_is_other_work() -> None:
    assert rule_version("degradation:seesr-x4:0") > rule_version("degradation:osediff-x4:0") == VERSION
    assert rule_version("matlab-bicubic") == 1
    assert preset("seesr-x4").identity != "seesr-x4"  # what was trained or cached with its first values
    assert preset("osediff-x4").identity == "osediff-x4"


@given(seeds=st.lists(st.integers(0, 2**31), min_size=2, max_size=5), name=st.sampled_from(preset_names()))
@settings(max_examples=15)
def test_an_image_does_not_depend_on_its_batch(seeds: list[int], name: str) -> None:
    torch.manual_seed(3)
    hq = torch.rand(len(seeds), 3, 48, 64)
    recipes = [recipe(name, seed, shared=seeds[0] if index % 2 else None) for index, seed in enumerate(seeds)]
    together = degrade(hq, recipes, 4)
    assert together.shape == (len(seeds), 3, 12, 16)
    backwards = degrade(hq.flip(0), recipes[::-1], 4).flip(0)
    alone = torch.cat([degrade(hq[index : index + 1], [one], 4) for index, one in enumerate(recipes)])
    torch.testing.assert_close(together, backwards, rtol=0, atol=0)
    torch.testing.assert_close(together, alone, rtol=0, atol=0)
    levels = together * 255
    torch.testing.assert_close(levels, levels.round(), rtol=0, atol=1e-4)


def test_equal_geometry_runs_as_one_batch_with_own_chance() -> None:
    recipes = [recipe("seesr-x4", seed, shared=9) for seed in range(4)]
    assert len({one.geometry for one in recipes}) == 1
    lq = degrade(torch.full((4, 3, 64, 64), 0.5), recipes, 4)
    assert all((lq[0] != other).any() for other in lq[1:])


def test_a_picture_and_a_seed_give_one_lq(photo: NDArray[np.uint8]) -> None:
    first = degrade_image(photo, preset("seesr-x4"), 1)
    assert first.shape == (64, 64, 3)
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(first, degrade_image(photo.copy(), preset("seesr-x4"), 1))
    assert (first != degrade_image(photo, preset("seesr-x4"), 2)).any()
    other = photo.copy()
    other[0, 0] ^= 1
    assert np.abs(first.astype(int) - degrade_image(other, preset("seesr-x4"), 1)).mean() > 1
    assert degrade_image(photo[..., 0], preset("seesr-x4")).shape == (64, 64, 3)


def test_misfits_are_refused() -> None:
    with pytest.raises(ValueError, match="multiple of the scale"):
        degrade(torch.rand(1, 3, 30, 32), [recipe("seesr-x4", 0)], 4)
    with pytest.raises(ValueError, match="as many recipes"):
        degrade(torch.rand(2, 3, 32, 32), [recipe("seesr-x4", 0)], 4)


def test_lq_rules_are_read_in_full() -> None:
    assert parse_lq_rule("matlab-bicubic", 3) == "matlab-bicubic"
    assert parse_lq_rule("degradation:seesr-x4", 4) == parse_lq_rule("degradation:seesr-x4:0", 4)
    assert parse_lq_rule("degradation:seesr-x4:07", 4) == "degradation:seesr-x4:7"
    for rule, scale, message in (
        ("bicubic", 4, "did you mean 'matlab-bicubic'"),
        ("degradation:seesr", 4, "did you mean 'degradation:seesr-x4'"),
        ("degradation:seesr-x4:x", 4, "whole number"),
        ("degradation:seesr-x4", 2, "scale 4, not 2"),
    ):
        with pytest.raises(LqRuleError, match=message):
            parse_lq_rule(rule, scale)


def test_training_names_a_degradation_that_exists() -> None:
    config = load_config("sd15").data
    assert config.degradation == DataConfig().degradation == "osediff-x4"  # the values that these presets always had
    with pytest.raises(TrainingConfigError, match=r"unknown degradation 'seesr' \(known: realesrgan-x4, "):
        load_config("sd15", {"data.degradation": "seesr"})
