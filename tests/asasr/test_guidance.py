"""Adversary guidance while sampling."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml
from asasr_bench.asasr.adapters import Adapters
from asasr_bench.asasr.config import load_config
from asasr_bench.asasr.errors import TrainingConfigError
from asasr_bench.asasr.flow import sampling_sigmas
from asasr_bench.asasr.guidance import evaluations, weight_at
from asasr_bench.asasr.models import Model, build_model
from asasr_bench.asasr.sampling import SamplingSettings, restore
from asasr_bench.methods.asasr import find_model, shipped_adapter
from asasr_bench.methods.errors import MethodError
from asasr_bench.methods.registry import resolve, resolve_and_load
from hypothesis import given
from hypothesis import strategies as st
from peft.tuners.lora import LoraLayer

LQ = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
QUICK = {"steps": 3, "colour_fix": "none", "precision": "no"}


@pytest.fixture(scope="module")
def model() -> Model:
    """The shipped prior with the shipped adversary."""
    adversary = str(shipped_adapter("small-adversary"))
    config = load_config(find_model("asasr:small-full"), {"model.adapters.adv": adversary})
    built = build_model(config.model)
    built.adapters.activate(["dpo"])
    return built


def guided(model: Model, weight: object) -> torch.Tensor:
    settings = SamplingSettings(**QUICK, adversary=weight)  # type: ignore[arg-type]
    return restore(
        model.backbone, model.codec, LQ, 4, [1, 2], settings, None, lambda: model.adapters.using(["adv"])
    )  # fmt: skip


def test_weight_0_changes_no_bit(model: Model) -> None:
    plain = restore(model.backbone, model.codec, LQ, 4, [1, 2], SamplingSettings(**QUICK))  # type: ignore[arg-type]
    assert torch.equal(guided(model, 0.0), plain)
    assert torch.equal(guided(model, ((0.0, 0.0), (1.0, 0.0))), plain)
    assert not torch.equal(guided(model, 0.1), plain)


def test_no_state_is_left_in_the_adapters(model: Model) -> None:
    first = guided(model, 0.2)
    assert torch.equal(guided(model, 0.2), first)
    layers = [layer for layer in model.backbone.network.modules() if isinstance(layer, LoraLayer)]
    assert layers
    assert all(list(layer.active_adapters) == ["dpo"] and not layer.disable_adapters for layer in layers)


def test_it_is_the_step_that_its_formula_says(model: Model) -> None:
    """One Euler step from pure noise: sr = noise - (v + w (v - v_adv)), with both velocities computed here."""
    settings = SamplingSettings(steps=1, colour_fix="none", adversary=0.3)
    using = model.adapters.using
    sr = restore(model.backbone, model.codec, LQ, 4, [1, 2], settings, None, lambda: using(["adv"]))
    enlarged = torch.nn.functional.interpolate(LQ, (32, 32), mode="bicubic", align_corners=False).clamp(0, 1)
    condition = model.codec.encode(enlarged)
    noise = torch.stack([torch.randn(3, 32, 32, generator=torch.Generator().manual_seed(seed)) for seed in (1, 2)])
    sigma = torch.ones(2)
    with torch.inference_mode():
        own = model.backbone(noise, sigma, condition)
        with using(["adv"]):
            other = model.backbone(noise, sigma, condition)
    expected = model.codec.decode(noise - (1.3 * own - 0.3 * other))
    torch.testing.assert_close(sr, expected, atol=1e-5, rtol=0)


def test_without_an_adversary_it_is_refused(model: Model) -> None:
    with pytest.raises(ValueError, match="no adversary"):
        restore(model.backbone, model.codec, LQ, 4, [1, 2], SamplingSettings(adversary=0.1))
    with pytest.raises(MethodError, match=r"model\.adapters\.adv"):
        resolve_and_load({"name": "g", "id": "asasr:small-full", "sampling": {"adversary": 0.1}})


def test_a_weight_over_sigma_is_linear_between_its_points() -> None:
    points = ((0.2, 0.0), (0.6, 0.4))
    assert [weight_at(points, sigma) for sigma in (0.0, 0.2, 0.4, 0.6, 1.0)] == pytest.approx([0, 0, 0.2, 0.4, 0.4])


@given(st.integers(1, 40), st.floats(-2, 2), st.floats(0.05, 0.9))
def test_cost_counts_the_steps_that_ask_the_adversary(steps: int, shift: float, until: float) -> None:
    assert evaluations(steps, 0.0, shift) == steps
    assert evaluations(steps, 0.1, shift) == 2 * steps
    sigmas = sampling_sigmas(steps, shift)[:-1].tolist()
    points = ((0.0, 0.3), (until, 0.0))
    assert evaluations(steps, points, shift) == steps + sum(sigma < until for sigma in sigmas)


@pytest.mark.parametrize("points", ["[[0.5, 1], [0.2, 0]]", "[]", "[[0, 1], [1.5, 0]]"])
def test_points_out_of_order_are_refused(points: str) -> None:
    with pytest.raises(TrainingConfigError, match="sigma rising"):
        load_config("small", {"sampling.adversary": yaml.safe_load(points)})


def test_a_guided_method_has_an_identity_and_a_cost_of_its_own(tmp_path: Path) -> None:
    source = find_model("asasr:small-full")
    content = yaml.safe_load(source.read_text())
    adversary = str(shipped_adapter("small-adversary"))
    content["model"]["weights"] = str(source.parent / content["model"]["weights"])
    content["model"]["adapters"] = {"dpo": str(source.parent / content["model"]["adapters"]["dpo"]), "adv": adversary}
    path = tmp_path / "model.yaml"
    path.write_text(yaml.safe_dump(content))
    changes = {"steps": 2, "adversary": [[0, 0.2], [0.7, 0]]}
    plain, own = (
        resolve({"name": "g", "id": f"asasr:{path.parent}", "sampling": one}) for one in ({"steps": 2}, changes)
    )
    assert plain.identity("x", 4) != own.identity("x", 4)
    assert (plain.card.steps, own.card.steps) == (2, 3)
    reference = {"name": "g", "id": f"asasr:{path.parent}"}
    first, second = (
        resolve_and_load({**reference, "sampling": sampling}).restore(LQ, 4, [1, 2])
        for sampling in ({"steps": 2}, changes)
    )
    assert float((first - second).abs().max()) > 1e-3


def test_adapters_come_back_where_their_weights_were_not_1(model: Model) -> None:
    assert isinstance(model.adapters, Adapters)
    model.adapters.activate(["dpo"], [0.5])
    first = guided(model, 0.0)
    guided(model, 0.2)
    assert torch.equal(guided(model, 0.0), first)
    model.adapters.activate(["dpo"])
