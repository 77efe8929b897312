"""The preference loss: where it starts, what it changes, what its losers are."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from asasr_bench.asasr.config import AsasrConfig, load_config
from asasr_bench.asasr.models import Model, build_model
from asasr_bench.asasr.negatives import Negative, make_loser
from asasr_bench.asasr.training import loop
from asasr_bench.asasr.training.batches import Batch
from asasr_bench.asasr.training.preference import PreferenceTask, cosine, riesz_step
from asasr_bench.asasr.training.sources import training_pairs
from asasr_bench.asasr.training.stages import (
    preference_of,
    train_adversary,
    train_preference,
)
from safetensors.torch import load_file
from tiny_networks import FAMILIES
from tiny_training import configuration, place


def with_model(config: AsasrConfig, path: Path, **adapters: str) -> AsasrConfig:
    trained = load_config(path).model
    files = {"weights": trained.weights, "adapters": {**trained.adapters, **adapters}}
    return config.model_copy(update={"model": config.model.model_copy(update=files)})


def preference_task(config: AsasrConfig) -> tuple[PreferenceTask, Model]:
    model = build_model(config.model)
    model.new_adapter("adv")
    model.new_adapter("dpo")
    assert config.preference is not None
    return PreferenceTask(model.backbone, model.codec, model.adapters, preference_of(config.preference), 1e-3), model


def batch(size: int = 32, seed: int = 7) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    return Batch(torch.rand(2, 3, size, size, generator=generator), torch.rand(2, 3, size // 4, size // 4), seed)


@pytest.mark.parametrize("family", FAMILIES)
def test_at_the_start_the_policy_is_the_reference(family: str, hq: Path) -> None:
    """Bit for bit, so every loser's loss is log 2; then a step changes tensors of ``dpo`` alone."""
    task, model = preference_task(configuration(family, hq))
    loss, logs = task.loss("policy", {"policy": model.backbone}, batch(64))
    assert float(logs["energy_winner"]) == 0
    assert [float(value) for name, value in logs.items() if name.startswith("margin_") and "_sigma_" not in name] == [
        0.0
    ] * 4
    assert float(loss) == pytest.approx(4 * math.log(2), rel=1e-6)
    before = {name: one.clone() for name, one in model.backbone.state_dict().items()}
    loss.backward()
    torch.optim.SGD(loop.trainable(model.backbone), lr=1.0).step()
    changed = {name for name, one in model.backbone.state_dict().items() if not torch.equal(one, before[name])}
    assert changed
    assert all(".dpo." in name for name in changed)


@pytest.mark.parametrize("family", ["small", "flux"])
def test_all_weights_can_be_preferred(family: str, hq: Path, tmp_path: Path) -> None:
    """Against a copy that stays; what is written is a network that starts from there, and no adapter."""
    config = configuration(family, hq, preference__what="network")
    adversary = train_adversary(config, training_pairs(config.data), place(tmp_path / "adversary"))
    config = with_model(config, adversary)
    begun = build_model(config.model).adapters.network_weights()
    trained = load_config(train_preference(config, place(tmp_path / "policy"))).model
    ended = build_model(trained).adapters.network_weights()
    assert trained.weights is not None
    assert set(load_file(trained.weights)) == set(begun) == set(ended)
    assert all(torch.equal(load_file(trained.weights)[name], ended[name]) for name in ended)
    assert any(not torch.equal(begun[name], ended[name]) for name in ended)
    first = (tmp_path / "policy" / "log.csv").read_text().splitlines()[:2]
    logs = dict(zip(*(line.split(",") for line in first), strict=True))
    assert float(logs["energy_winner"]) == 0
    assert float(logs["loss"]) == pytest.approx(4 * math.log(2), rel=1e-5)


def test_several_negatives_share_one_forward(hq: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = configuration("small", hq, preference__negatives=[{"kind": "lq"}, {"kind": "lq", "trust": 0.5}])
    task, model = preference_task(config)
    batches: list[tuple[bool, int]] = []
    forward = model.backbone.forward
    monkeypatch.setattr(
        model.backbone, "forward",
        lambda state, *rest: batches.append((torch.is_grad_enabled(), len(state))) or forward(state, *rest),
    )  # fmt: skip
    task.loss("policy", {"policy": model.backbone}, batch())
    assert batches == [(True, 6), (False, 6)]


def test_trust_puts_the_loser_between_winner_and_negative(hq: Path) -> None:
    task, _ = preference_task(configuration("small", hq))
    pairing = task._pair(batch())
    full, part = (make_loser(Negative("lq", trust=trust), pairing) for trust in (1.0, 0.25))
    torch.testing.assert_close(full.clean, pairing.lq)
    torch.testing.assert_close(part.clean, 0.75 * pairing.winner + 0.25 * pairing.lq)
    assert torch.equal(part.noise, pairing.noise)
    step = make_loser(Negative("gradient", radius=0.3), pairing).clean - pairing.winner
    torch.testing.assert_close(pairing.operator.energy(step), torch.full((2,), 0.09), rtol=1e-4, atol=0)
    whole = make_loser(Negative("gradient"), pairing)
    agreement = cosine(whole.clean - pairing.winner, riesz_step(pairing), pairing.operator)
    torch.testing.assert_close(agreement, torch.ones(2), rtol=1e-3, atol=0)
