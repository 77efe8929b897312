"""Sampling: seeds, batches, tiles, colour."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from asasr_bench.asasr import precision, sampling
from asasr_bench.asasr.backbones.backbone import Backbone
from asasr_bench.asasr.backbones.codec import PixelCodec, VaeCodec
from asasr_bench.asasr.colour import fix_colour
from asasr_bench.asasr.config import load_config
from asasr_bench.asasr.flow import resolution_shift, sampling_sigmas
from asasr_bench.asasr.models import Model, build_model
from asasr_bench.asasr.noise import WHITE
from asasr_bench.asasr.sampling import SamplingSettings, restore, tiled_velocity
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor


@pytest.fixture(scope="module")
def model() -> Model:
    return build_model(load_config("small").model)


class Local(Backbone):
    """A velocity that looks at nothing but its own place."""

    channels, multiple = 3, 2

    def forward(self, state: Tensor, sigma: Tensor, lq: Tensor | None, *rest: object) -> Tensor:
        assert lq is not None
        return 2 * state - lq * sigma.view(-1, 1, 1, 1)


class Gaussian(Backbone):
    """The exact velocity where each pixel is normal about LQ, with deviation 0.05: the posterior's mean is LQ."""

    channels, multiple = 3, 2

    def forward(self, state: Tensor, sigma: Tensor, lq: Tensor | None, *rest: object) -> Tensor:
        assert lq is not None
        sigma = sigma.view(-1, 1, 1, 1)
        gain = (1 - sigma) * 0.05**2 / ((1 - sigma) ** 2 * 0.05**2 + sigma**2)
        return (state - lq - gain * (state - (1 - sigma) * lq)) / sigma


QUICK = SamplingSettings(steps=2, colour_fix="none")


def images(batch: int, height: int, width: int, seed: int = 0) -> Tensor:
    return torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(seed))


def test_an_image_depends_on_its_seed_and_not_on_its_batch(model: Model) -> None:
    lq = images(3, 8, 8)
    together = restore(model.backbone, model.codec, lq, 4, [5, 6, 7], QUICK)
    turned = restore(model.backbone, model.codec, lq.flip(0), 4, [7, 6, 5], QUICK).flip(0)
    torch.testing.assert_close(together, turned, atol=2e-5, rtol=0)
    alone = restore(model.backbone, model.codec, lq[1:2], 4, [6], QUICK)
    torch.testing.assert_close(together[1:2], alone, atol=2e-5, rtol=0)
    other = restore(model.backbone, model.codec, lq[1:2], 4, [8], QUICK)
    assert float((other - alone).abs().mean()) > 1e-3


@given(st.integers(2, 19), st.integers(2, 19))
@settings(max_examples=10)
def test_any_size_is_restored(model: Model, height: int, width: int) -> None:
    sr = restore(model.backbone, model.codec, images(1, height, width), 4, [0], QUICK)
    assert sr.shape == (1, 3, 4 * height, 4 * width)
    assert bool(((sr >= 0) & (sr <= 1)).all())


@given(st.integers(4, 30), st.integers(4, 30), st.integers(8, 32), st.integers(0, 7))
def test_tiles_cover_everything_and_blend_to_one(height: int, width: int, tile: int, overlap: int) -> None:
    """A local field does not notice that it was computed in tiles."""
    state, lq = torch.randn(2, 3, 2 * height, 2 * width), torch.randn(2, 3, 2 * height, 2 * width)
    sigma = torch.tensor([0.2, 0.7])
    whole = Local()(state, sigma, lq)
    tiled = tiled_velocity(Local(), state, sigma, lq, SamplingSettings(tile=tile, overlap=overlap))
    torch.testing.assert_close(tiled, whole, atol=1e-5, rtol=1e-5)


def test_tiles_are_few_and_equal() -> None:
    """Three along 512: each of 192 with two overlaps of 32, not two of 256 and one that repeats the second."""
    sides = []

    class Watched(Local):
        def forward(self, state: Tensor, sigma: Tensor, lq: Tensor | None, *rest: object) -> Tensor:
            sides.append(tuple(state.shape[-2:]))
            return super().forward(state, sigma, lq)

    state = torch.randn(1, 3, 512, 200)
    tiled_velocity(Watched(), state, torch.tensor([0.5]), state, SamplingSettings(tile=256, overlap=32))
    assert sides == 3 * [(192, 200)]


def test_seams_of_a_real_network_are_blended(model: Model) -> None:
    """Between neighbouring columns nothing jumps where tiles meet: the step there is an ordinary one."""
    lq = torch.nn.functional.interpolate(images(1, 6, 6), (32, 32), mode="bicubic").clamp(0, 1)
    tiled = restore(
        model.backbone, model.codec, lq, 4, [0], SamplingSettings(4, colour_fix="none", tile=64, overlap=32)
    )
    steps = (tiled[..., 1:] - tiled[..., :-1]).abs().mean((0, 1, 2))
    assert float(steps.max()) < 3 * float(steps.median())


def test_a_vae_scales_and_shifts() -> None:
    from diffusers import AutoencoderKL

    torch.manual_seed(0)
    vae = AutoencoderKL(
        block_out_channels=(8, 8), down_block_types=("DownEncoderBlock2D",) * 2, norm_num_groups=4, latent_channels=4,
        up_block_types=("UpDecoderBlock2D",) * 2, scaling_factor=0.36, shift_factor=0.12,
    )  # fmt: skip
    codec, picture = VaeCodec(vae), images(2, 16, 16)
    posterior = vae.encode(picture * 2 - 1).latent_dist
    assert codec.reduction == 2
    torch.testing.assert_close(codec.encode(picture), (posterior.mean - 0.12) * 0.36)
    seeds = [torch.Generator().manual_seed(number) for number in (1, 2)]
    drawn = codec.encode(picture, seeds)
    again = codec.encode(picture[1:], [torch.Generator().manual_seed(2)])
    torch.testing.assert_close(drawn[1:], again)
    torch.testing.assert_close(
        codec.decode(posterior.mean.mul(0)), (vae.decode(posterior.mean * 0 + 0.12).sample / 2 + 0.5).clamp(0, 1)
    )


def test_a_large_image_goes_through_the_vae_in_tiles() -> None:
    """Neither network ever sees more than a tile; a constant image has no seams."""
    from diffusers import AutoencoderKL

    torch.manual_seed(0)
    vae = AutoencoderKL(
        block_out_channels=(8, 8), down_block_types=("DownEncoderBlock2D",) * 2, norm_num_groups=4, latent_channels=4,
        up_block_types=("UpDecoderBlock2D",) * 2,
    )  # fmt: skip
    seen: dict[str, list[int]] = {"encoder": [], "decoder": []}
    for part, sides in seen.items():
        network = getattr(vae, part)
        network.register_forward_pre_hook(lambda _, inputs, sides=sides: sides.append(max(inputs[0].shape[-2:])))
    codec = VaeCodec(vae, tile=32)
    latents = codec.encode(torch.full((1, 3, 80, 56), 0.3))
    assert latents.shape == (1, 4, 40, 28)
    assert codec.decode(latents).shape == (1, 3, 80, 56)
    assert max(seen["encoder"]) == 32
    assert max(seen["decoder"]) == 16
    assert len(seen["encoder"]) > 1
    codec.encode(torch.rand(1, 3, 32, 32))
    assert seen["encoder"][-1] == 32


def test_pixels_go_there_and_back() -> None:
    picture = images(1, 4, 4)
    torch.testing.assert_close(PixelCodec().decode(PixelCodec().encode(picture)), picture)


def test_adain_gives_mean_and_deviation() -> None:
    sr, lq = images(2, 32, 32) * 0.2 + 0.2, images(2, 32, 32, seed=1) * 0.3 + 0.4
    fixed = fix_colour(sr, lq, "adain")
    for statistic in (torch.mean, torch.std):
        torch.testing.assert_close(statistic(fixed, (2, 3)), statistic(lq, (2, 3)), atol=1e-3, rtol=0)


def test_the_wavelet_fix_takes_coarse_colours_and_keeps_detail() -> None:
    detail = 0.05 * (torch.arange(64) % 2 * 2 - 1).float().expand(1, 3, 64, 64)
    sr, lq = 0.3 + detail, torch.full((1, 3, 64, 64), 0.6)
    fixed = fix_colour(sr, lq, "wavelet")
    torch.testing.assert_close(fixed[..., 8:-8], (lq + detail)[..., 8:-8], atol=2e-2, rtol=0)
    assert torch.equal(fix_colour(sr, lq, "none"), sr)


def test_a_mean_of_samples_is_their_mean(model: Model) -> None:
    lq = images(2, 8, 8)
    first = restore(model.backbone, model.codec, lq, 4, [1, 2], QUICK)
    both = restore(model.backbone, model.codec, lq, 4, [1, 2], replace(QUICK, samples=2))
    other = restore(model.backbone, model.codec, lq, 4, [1 + 1_000_003, 2 + 1_000_003], QUICK)
    torch.testing.assert_close(both, (first + other) / 2, atol=1e-5, rtol=0)


@pytest.mark.parametrize("steps", [1, 3, 8])
def test_antithetic_samples_of_a_gaussian_average_to_its_mean(steps: int) -> None:
    """A sample is affine in its noise, so that two of opposite noise leave nothing but the posterior's mean."""
    lq = 0.4 + 0.2 * images(2, 8, 8)
    enlarged = torch.nn.functional.interpolate(lq, (32, 32), mode="bicubic").clamp(0, 1)
    wanted = SamplingSettings(steps=steps, colour_fix="none", samples=2)

    def off(antithetic: float) -> Tensor:
        return restore(Gaussian(), PixelCodec(), lq, 4, [3, 4], replace(wanted, antithetic=antithetic)) - enlarged

    assert float(off(1.0).abs().max()) < 1e-6
    if steps > 1:
        assert float(off(0.0).std()) > 1e-3
        assert float(off(0.5).std() / off(0.0).std()) == pytest.approx(0.5**0.5, abs=0.06)


def test_antithetic_noise_is_normal_and_anticorrelated() -> None:
    like = torch.zeros(1, 3, 128, 128)
    first, second, third = (sampling._noise(like, WHITE, [9], number, 0.6) for number in range(3))
    assert float(second.std()) == pytest.approx(1, abs=0.02)
    correlation = torch.corrcoef(torch.stack([first.flatten(), second.flatten(), third.flatten()]))
    assert float(correlation[0, 1]) == pytest.approx(-0.6, abs=0.02)
    assert float(correlation[1:, 2].sub(torch.tensor([0.0, 1.0])).abs().max()) < 0.02
    assert torch.equal(first, sampling._noise(like, WHITE, [9], 0, 0))


def test_a_start_below_noise_keeps_more_of_lq(model: Model) -> None:
    """At sigma 0 there would be nothing but LQ; a random network leaves it the earlier, the higher it starts."""
    lq = images(1, 8, 8)
    enlarged = torch.nn.functional.interpolate(lq, (32, 32), mode="bicubic").clamp(0, 1)

    def apart(start: float) -> float:
        settings = SamplingSettings(steps=4, start=start, colour_fix="none")
        return float((restore(model.backbone, model.codec, lq, 4, [0], settings) - enlarged).abs().mean())

    assert apart(0.01) < 0.02
    assert apart(0.01) < apart(0.3) < apart(1.0)


@pytest.mark.parametrize("native", [True, False])
def test_low_precision_stays_near(model: Model, native: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a level of 8 bits on average: velocities are rounded, the state is not.

    A processor without AVX-512 takes a hundred times as long for bfloat16 as for float32, and gets the latter.
    """
    monkeypatch.setattr(precision, "has_bfloat16", lambda device: native)
    lq = images(1, 8, 8)
    full, low = (
        restore(model.backbone, model.codec, lq, 4, [0], SamplingSettings(steps=4, precision=precision))
        for precision in ("no", "bf16")
    )
    assert torch.equal(full, low) is not native
    assert float((full - low).abs().mean()) < 0.5 / 255


def test_colored_noise_changes_the_start_alone(model: Model) -> None:
    lq = images(1, 8, 8)
    white = restore(model.backbone, model.codec, lq, 4, [0], QUICK)
    colored = restore(
        model.backbone, model.codec, lq, 4, [0], SamplingSettings(2, colour_fix="none", colored_noise=1.0)
    )
    assert float((white - colored).abs().mean()) > 1e-3


class Recording(Local):
    """Tells which noise levels and sizes it was asked for, with FLUX's shift of the schedule."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[float] = []
        self.sizes: set[tuple[int, int]] = set()

    def forward(self, state: Tensor, sigma: Tensor, lq: Tensor | None, *rest: object) -> Tensor:
        self.asked.append(float(sigma[0]))
        self.sizes.add((state.shape[-2], state.shape[-1]))
        return super().forward(state, sigma, lq)

    def shift(self, height: int, width: int) -> float:
        return resolution_shift((height // 2) * (width // 2))


@pytest.mark.parametrize("height", [64, 96, 256])
def test_the_schedule_is_that_of_the_size_that_the_network_sees(height: int) -> None:
    """Of a tile, not of the image: at 4096 pixels FLUX's whole schedule would be one step."""
    settings = SamplingSettings(steps=4, colour_fix="none", tile=64, overlap=16)
    backbone = Recording()
    restore(backbone, PixelCodec(), images(1, height // 4, 16), 4, [0], settings)
    ((seen_height, seen_width),) = backbone.sizes
    assert seen_height <= 64
    sigmas = sampling_sigmas(4, resolution_shift((seen_height // 2) * (seen_width // 2)))
    assert sorted(set(backbone.asked), reverse=True) == pytest.approx(sigmas[:-1].tolist(), rel=1e-6)
