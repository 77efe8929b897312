"""What UNets read, what their adapters are on, and what their residuals count with at each noise level."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from asasr_bench.asasr.backbones.backbone import Prompt
from asasr_bench.asasr.backbones.unet import WITH_TEXT, WITHOUT_TEXT
from asasr_bench.asasr.config import load_config
from asasr_bench.asasr.flow import logit_normal_sigmas
from asasr_bench.asasr.model_config import ModelConfig
from asasr_bench.asasr.models import Model, build_model
from asasr_bench.asasr.negatives import Negative
from asasr_bench.asasr.objective import residual_energies
from asasr_bench.asasr.spectral import SobolevOperator
from asasr_bench.asasr.training.batches import Batch
from asasr_bench.asasr.training.preference import Preference, PreferenceTask
from tiny_networks import FAMILIES
from torch import Tensor


def model_of(family: str) -> Model:
    return build_model(ModelConfig.model_validate({"family": family, "rank": 4, "alpha": 4, **FAMILIES[family]}))


def gradients(model: Model) -> dict[str, float]:
    """Largest gradient of each adapter tensor of a preference step, from adapters that change something."""
    model.new_adapter("dpo")
    generator = torch.Generator().manual_seed(0)
    for parameter in model.adapters.parameters("dpo"):
        parameter.data = torch.randn(parameter.shape, generator=generator) * 0.05
    task = PreferenceTask(
        model.backbone, model.codec, model.adapters, Preference(SobolevOperator(1.5), 10.0, (Negative("lq"),)), 1e-4
    )
    hq, lq = torch.randn(2, 2, model.backbone.channels, 16, 16, generator=generator)
    loss, _ = task.loss("policy", {"policy": model.backbone}, Batch(hq, lq, 3, encoded=True))
    loss.backward()
    return {
        name: 0.0 if parameter.grad is None else float(parameter.grad.abs().max())
        for name, parameter in model.backbone.named_parameters() if parameter.requires_grad
    }  # fmt: skip


@pytest.mark.parametrize("family", ["sd15", "sdxl"])
def test_every_adapter_of_a_unet_has_a_gradient(family: str) -> None:
    """Trained with zeros as text no adapter is on cross-attention; trained with a prompt they are, and all learn."""
    found = gradients(model_of(family))
    assert not [name for name in found if "attn2" in name]
    assert min(found.values()) > 0
    assert any("attn1" in name for name in found)

    model = model_of(family)
    config = model.backbone.network.config
    generator = torch.Generator().manual_seed(1)
    pooled = torch.randn(1, 32, generator=generator) if family == "sdxl" else None
    model.backbone.text = Prompt(torch.randn(1, 7, config.cross_attention_dim, generator=generator), pooled)
    model.backbone.adapter_targets = WITH_TEXT
    found = gradients(model)
    assert len([name for name in found if "attn2.to_k" in name]) > 0
    assert min(found.values()) > 0


def test_targets_with_and_without_text_differ_in_cross_attention_alone() -> None:
    names = [name for name, _ in model_of("sdxl").backbone.network.named_modules()]
    with_text = {name for name in names if re.fullmatch(WITH_TEXT, name)}
    without = {name for name in names if re.fullmatch(WITHOUT_TEXT, name)}
    assert "conv_in" in without
    assert with_text - without == {name for name in with_text if ".attn2." in name} != set()


def test_training_and_sampling_read_the_same(tmp_path: Path) -> None:
    """SD1.5 and SDXL the empty prompt, if they are trained now; zeros, if they were trained before there was a choice.
    FLUX as its authors have it."""
    for name in ("sd15", "sdxl"):
        model = load_config(name).model
        assert model.text_in("training") == model.text_in("sampling") == "empty"
        old = model.model_copy(update={"text": None})
        assert old.text_in("training") == old.text_in("sampling") == "zeros"
        random = model.model_copy(update={"source": None})
        assert random.text_in("training") == random.text_in("sampling") == "zeros"
    for flux in (load_config("flux-dev").model, ModelConfig(family="flux", source="a/b")):
        assert (flux.text_in("training"), flux.text_in("sampling")) == ("zeros", "empty")


@pytest.mark.parametrize("family", ["sd15", "sdxl", "flux"])
def test_the_resting_text_is_read_where_no_prompt_is_given(family: str) -> None:
    model = model_of(family)
    config = model.backbone.network.config
    width = config.joint_attention_dim if family == "flux" else config.cross_attention_dim
    pooled = {"flux": 12, "sdxl": 32, "sd15": 0}[family]
    prompt = Prompt(torch.randn(1, 5, width), torch.randn(1, pooled) if pooled else None)
    state = torch.randn(1, model.backbone.channels, 8, 8)
    if family == "flux":
        torch.nn.init.normal_(model.backbone.network.proj_out.weight)
    with torch.no_grad():
        zeros = model.backbone(state, torch.tensor([0.5]), state)
        given = model.backbone(state, torch.tensor([0.5]), state, prompt)
        model.backbone.text = prompt
        resting = model.backbone(state, torch.tensor([0.5]), state)
    assert torch.equal(given, resting)
    assert not torch.equal(zeros, given)


def share_of_the_greatest(energies: Tensor) -> float:
    """Part of the sum that the greatest tenth has."""
    return float(energies.sort(descending=True).values[: len(energies) // 10].sum() / energies.sum())


@pytest.mark.parametrize(("family", "unweighted"), [("sd15", 0.4), ("flux", 0.0)])
def test_no_noise_level_dominates_the_energies(family: str, unweighted: float) -> None:
    """Of a network whose own prediction is wrong by as much at every noise level: epsilon, or the velocity."""
    model = model_of(family)
    backbone = model.backbone
    sigma = logit_normal_sigmas(4000, torch.Generator().manual_seed(0)).clamp(*backbone.sigma_range)
    error = torch.randn(4000, 4, 2, 2, generator=torch.Generator().manual_seed(1))
    error = error / error.square().flatten(1).mean(1).sqrt().view(-1, 1, 1, 1)
    velocity = error / (1 - sigma).view(-1, 1, 1, 1) if family == "sd15" else error
    operator, target = SobolevOperator(0.0), torch.zeros_like(error)
    weighted = residual_energies(operator, velocity, velocity, target, backbone.residual_weight(sigma))
    assert share_of_the_greatest(weighted.policy) < 0.2
    assert share_of_the_greatest(residual_energies(operator, velocity, velocity, target).policy) > unweighted
    torch.testing.assert_close(weighted.policy, torch.ones(4000), rtol=1e-4, atol=0)
    torch.testing.assert_close(weighted.reference, weighted.policy)


def test_a_preference_step_weighs_winners_and_losers_by_their_own_noise_levels(monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_of("sd15")
    model.new_adapter("dpo")
    task = PreferenceTask(
        model.backbone, model.codec, model.adapters,
        Preference(SobolevOperator(0.0), 1.0, (Negative("lq", own_noise=True),), supervised=1.0), 1e-4,
    )  # fmt: skip
    sigmas: list[Tensor] = []

    def wrong(state: Tensor, sigma: Tensor, *rest: object) -> Tensor:
        """The true velocity of zeros, and an epsilon that is 1 too large."""
        sigmas.append(sigma)
        return (state / sigma.view(-1, 1, 1, 1)) + 1 / (1 - sigma).view(-1, 1, 1, 1)

    monkeypatch.setattr(model.backbone, "forward", wrong)
    nothing = torch.zeros(4, 4, 8, 8)
    loss, logs = task.loss("policy", {"policy": model.backbone}, Batch(nothing, nothing, 5, encoded=True))
    assert not torch.equal(sigmas[0][:4], sigmas[0][4:])
    assert float(logs["reference_winner"]) == pytest.approx(1, rel=1e-4)
    assert float(logs["reference_lq_1"]) == pytest.approx(1, rel=1e-4)
    assert float(loss) == pytest.approx(1 + float(torch.log(torch.tensor(2.0))), rel=1e-4)
