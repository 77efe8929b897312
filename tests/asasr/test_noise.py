"""Noise: what is drawn for an image is independent; colored noise is the same at every size, wherever it is drawn."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from asasr_bench.asasr import sampling
from asasr_bench.asasr.backbones.codec import VaeCodec
from asasr_bench.asasr.config import load_config
from asasr_bench.asasr.model_config import ModelConfig
from asasr_bench.asasr.models import Model, build_model
from asasr_bench.asasr.negatives import Negative, Pairing, make_loser
from asasr_bench.asasr.noise import WHITE, NoiseSource, role_generator
from asasr_bench.asasr.sampling import SamplingSettings
from asasr_bench.asasr.spectral import SobolevOperator
from asasr_bench.asasr.training.batches import Batch
from asasr_bench.asasr.training.preference import Preference, PreferenceTask
from asasr_bench.asasr.training.prior import PriorTask, encode_pair
from tiny_networks import FAMILIES
from torch import Tensor

COLORED = NoiseSource(1.5, 16)


def draws(source: NoiseSource, side: int, count: int = 400) -> Tensor:
    return source.draw((count, 4, side, side), torch.Generator().manual_seed(0))


def correlation(noise: Tensor, down: int, across: int) -> float:
    """Mean product of latents that are so far apart."""
    height, width = noise.shape[-2:]
    return float((noise[..., down:, across:] * noise[..., : height - down, : width - across]).mean())


@pytest.mark.parametrize("distance", [(0, 0), (0, 1), (1, 0), (2, 2), (0, 4), (4, 0), (6, 0)])
def test_colored_noise_is_of_one_kind_at_every_size(distance: tuple[int, int]) -> None:
    """Its covariance at a distance is the transform of the spectrum, at 16, 32 and 48 latents; its variance is 1."""
    fine = torch.fft.fftfreq(512, dtype=torch.float64)
    power = (1 + 16**2 * (fine[:, None].square() + fine.square())) ** -1.5
    phase = torch.cos(2 * torch.pi * (distance[0] * fine[:, None] + distance[1] * fine))
    wanted = float((power * phase).mean() / power.mean())
    for side in (16, 32, 48):
        assert correlation(draws(COLORED, side), *distance) == pytest.approx(wanted, abs=0.03), side


def test_its_variance_is_one_at_edges_too_and_edges_do_not_meet() -> None:
    noise = draws(COLORED, 32, 800)
    for part in (noise[..., 0, 0], noise[..., 0, :], noise[..., 16, 16], noise[..., :, -1]):
        assert float(part.square().mean()) == pytest.approx(1, abs=0.08)
    assert float((noise[..., 0, :] * noise[..., -1, :]).mean()) == pytest.approx(0, abs=0.08)  # a periodic field: 0.8


def test_a_size_of_none_is_the_operators_own() -> None:
    """What ``sampling.colored_noise`` has meant since it came: the shipped prior's samples stay what they are."""
    white = torch.randn(2, 3, 16, 24, generator=torch.Generator().manual_seed(1))
    assert torch.equal(NoiseSource(0.01, None).colored(white, 16, 24), SobolevOperator(0.01).colored(white))
    assert torch.equal(WHITE.colored(white, 16, 24), white)
    assert NoiseSource(0.0, 64).field_shape(16, 24) == NoiseSource(1.0, None).field_shape(16, 24) == (16, 24)


@pytest.fixture(scope="module")
def large() -> Model:
    return build_model(ModelConfig.model_validate({"family": "flux", **FAMILIES["flux"]}))


class Drawn(VaeCodec):
    """Keeps the noise that the posterior was sampled with."""

    def __init__(self, codec: VaeCodec) -> None:
        super().__init__(codec.vae)
        self.noise: list[Tensor] = []

    def encode(self, images: Tensor, generators: Any = None) -> Tensor:
        mean, deviation = self.moments(images)
        latents = super().encode(images, generators)
        self.noise.append((latents - mean) / deviation)
        return latents


def independent(first: Tensor, second: Tensor) -> None:
    """Correlations of the tensors and of every shift of one against the other are those of independent draws."""
    one, two = first.flatten().double(), second.flatten().double()
    count = min(len(one), len(two))
    spectrum = torch.fft.fft(one[:count]) * torch.fft.fft(two[:count]).conj()
    shifts = torch.fft.ifft(spectrum).real / count
    assert float(shifts.abs().max()) < 6 / count**0.5


def test_sampling_draws_start_and_posterior_apart(large: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    codec = Drawn(large.codec)  # type: ignore[arg-type]
    starts: list[Tensor] = []
    kept = sampling._noise
    monkeypatch.setattr(sampling, "_noise", lambda *args: starts.append(kept(*args)) or starts[-1])
    lq = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(3))
    sampling.restore(large.backbone, codec, lq, 4, [5, 6], SamplingSettings(steps=1, colour_fix="none"))
    for start in starts[0]:
        for posterior in codec.noise[0]:
            independent(start, posterior)


def test_training_draws_everything_apart(large: Model) -> None:
    codec = Drawn(large.codec)  # type: ignore[arg-type]
    generator = torch.Generator().manual_seed(0)
    batch = Batch(torch.rand(8, 3, 64, 64, generator=generator), torch.rand(8, 3, 16, 16, generator=generator), seed=77)
    encode_pair(codec, batch, "bicubic")
    hq, lq = codec.noise
    again = torch.Generator().manual_seed(batch.seed)
    torch.randn(8, generator=again)  # the sigmas
    flow = WHITE.draw(hq.shape, again)
    for one in (hq, lq):
        independent(one, flow)
    independent(hq, lq)
    assert not torch.equal(hq[0], hq[1])


def test_roles_seeds_and_indices_have_draws_of_their_own() -> None:
    keys = [(seed, role, index) for seed in (0, 1) for role in ("hq posterior", "lq posterior") for index in (0, 1)]
    drawn = {tuple(torch.randn(3, generator=role_generator(*key)).tolist()) for key in keys}  # type: ignore[arg-type]
    assert len(drawn) == len(keys)
    first, second = (torch.randn(3, generator=role_generator(4, "lq posterior")) for _ in range(2))
    assert torch.equal(first, second)


def smoothness(noise: Tensor) -> float:
    """Correlation of neighbours: 0 for white noise."""
    return correlation(noise, 0, 1) / correlation(noise, 0, 0)


def test_every_stage_draws_the_models_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prior and adversary, winners, losers with noise of their own, samples of the policy, the start of sampling."""
    config = load_config("small", {"model.noise": {"s": 1.5, "size": 16}})
    model = build_model(config.model)
    model.new_adapter("dpo")
    seen: list[Tensor] = []

    def velocity(state: Tensor, sigma: Tensor, *rest: object) -> Tensor:
        seen.append(state / sigma.view(-1, 1, 1, 1))  # winners, losers and LQ are zeros
        return torch.zeros_like(state)

    monkeypatch.setattr(model.backbone, "forward", velocity)
    nothing = torch.zeros(4, 3, 32, 32)
    batch = Batch(nothing, nothing, seed=1, encoded=True)
    PriorTask(model.backbone, model.codec, 1e-4).loss("backbone", {"backbone": model.backbone}, batch)
    negatives = (Negative("lq", own_noise=True), Negative("policy", steps=1))
    preference = Preference(SobolevOperator(0.0), 1.0, negatives)
    task = PreferenceTask(model.backbone, model.codec, model.adapters, preference, 1e-4)
    task.loss("policy", {"policy": model.backbone}, batch)
    grey = torch.full((4, 3, 8, 8), 0.5)
    sampling.restore(model.backbone, model.codec, grey, 4, [0, 1, 2, 3], SamplingSettings(steps=1, colour_fix="none"))
    assert [len(noise) for noise in seen] == [4, 4, 12, 12, 4]  # prior, the policy's sample, both networks, sampling
    assert min(smoothness(part) for noise in seen for part in noise.split(4)) > 0.5


def test_a_pairing_of_white_noise_draws_white_noise() -> None:
    winner = torch.zeros(8, 4, 16, 16)
    pairing = Pairing(
        winner, winner, winner, torch.full((8,), 0.5), policy=lambda state, sigma: state, adversary=None,
        operator=SobolevOperator(1.5), generator=torch.Generator().manual_seed(0),
    )  # fmt: skip
    loser = make_loser(Negative("lq", own_noise=True), pairing)
    assert abs(smoothness(loser.noise)) < 0.1
