"""Number formats: what a GPU computes in, taken on the CPU too; what is trained stays float32."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from asasr_bench.asasr import precision
from asasr_bench.asasr.backbones.codec import VaeCodec
from asasr_bench.asasr.config import AsasrConfig, load_config, preset_names
from asasr_bench.asasr.model_config import ModelConfig
from asasr_bench.asasr.models import Model, build_model
from asasr_bench.asasr.negatives import Negative
from asasr_bench.asasr.precision import (
    PrecisionPolicy,
    forward_dtype,
    sampling_policy,
    training_policy,
    training_precision,
)
from asasr_bench.asasr.spectral import SobolevOperator
from asasr_bench.asasr.training.batches import Batch
from asasr_bench.asasr.training.preference import Preference, PreferenceTask
from asasr_bench.methods.asasr import describe, find_model, load, shipped_names
from tiny_networks import FAMILIES

LARGE = ("flux", "sd15", "sdxl")
BF16, FP16, FP32 = torch.bfloat16, torch.float16, torch.float32


@pytest.fixture
def every_device_has_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "has_bfloat16", lambda device: True)


def tiny(config: AsasrConfig, folder: Path) -> Path:
    """A configuration's folder with a tiny random network and adapters of its roles that change something."""
    model = config.model.model_dump(mode="json", exclude_defaults=True)
    family = config.model.family
    adapters: dict[str, str] = {}
    if family != "small":
        model |= {"source": None, **FAMILIES[family]}
        model.pop("adapters", None)
        built = build_model(ModelConfig.model_validate(model))
        for role in ("sr", "dpo"):
            built.new_adapter(role)
            for number, parameter in enumerate(built.adapters.parameters(role)):
                torch.nn.init.normal_(parameter, 0, 0.02, generator=torch.Generator().manual_seed(number))
            built.adapters.save(role, folder / f"{role}.safetensors")
            adapters[role] = f"{role}.safetensors"
        model["adapters"] = adapters
    content = {
        "name": config.name,
        "model": model,
        "sampling": {**config.sampling.model_dump(mode="json"), "steps": 2, "samples": 1},
    }
    (folder / "model.yaml").write_text(yaml.safe_dump(content))
    return folder


def configurations() -> Iterator[tuple[str, str]]:
    yield from (("preset", name) for name in preset_names())
    yield from (("shipped", name) for name in shipped_names())


@pytest.mark.usefixtures("every_device_has_bfloat16")
@pytest.mark.parametrize("asked", ["bf16", "no"])
@pytest.mark.parametrize(("kind", "name"), list(configurations()))
def test_every_configuration_restores_in_16_and_in_32_bits(kind: str, name: str, asked: str, tmp_path: Path) -> None:
    """With ``bf16`` the branch that a GPU takes: 16-bit weights, which float32 latents must not meet."""
    config = load_config(name if kind == "preset" else find_model(name))
    reference = f"asasr:{tiny(config, tmp_path)}"
    card, _, _ = describe(reference)
    method = load(reference, card, "cpu:0", {"precision": asked})
    weights = next(method._model.backbone.network.parameters()).dtype
    assert weights == (BF16 if asked == "bf16" and config.model.family in LARGE else FP32)
    lq = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    sr = method.restore(lq, 4, [1, 2])
    assert sr.shape == (2, 3, 64, 64)
    assert bool(sr.isfinite().all())


def test_the_choice_for_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Large networks in 16 bits as the GPU has them, small ones as they are asked for, a CPU in float32 by default."""
    low, half = PrecisionPolicy(BF16, BF16, BF16), PrecisionPolicy(FP16, FP16, FP16)
    for has, wanted in ((True, low), (False, half)):
        monkeypatch.setattr(precision, "has_bfloat16", lambda device, has=has: has)
        for family in LARGE:
            assert sampling_policy(family, "auto", "cuda:0") == wanted
            assert sampling_policy(family, "bf16", "cuda") == (low if has else PrecisionPolicy())
            assert sampling_policy(family, "fp16", "cuda") == half
            assert sampling_policy(family, "auto", "cpu") == sampling_policy(family, "no", "cuda") == PrecisionPolicy()
            assert sampling_policy(family, "fp16", "cpu") == PrecisionPolicy()
            assert training_policy(family, False, "bf16") == PrecisionPolicy(BF16, FP32, BF16)
            assert training_policy(family, True, "bf16") == PrecisionPolicy(FP32, FP32, BF16)
        assert sampling_policy("small", "auto", "cuda") == PrecisionPolicy()
        assert sampling_policy("small", "bf16", "cpu") == PrecisionPolicy(autocast=BF16 if has else None)
        assert training_precision("bf16", "cuda") == ("bf16" if has else "no")
        assert forward_dtype(PrecisionPolicy(), "bf16", "cpu") == (BF16 if has else None)
    assert training_precision("fp16", "cuda") == "fp16"
    assert training_precision("fp16", "cpu") == training_precision("no", "cuda") == "no"


def test_a_vae_whose_activations_leave_float16_stays_in_float32() -> None:
    """SDXL's own VAE says so of itself (``force_upcast``); bfloat16 has the range of float32."""
    half = PrecisionPolicy(FP16, FP16, FP16)
    for force, dtype in ((True, FP32), (False, FP16)):
        vae = {**FAMILIES["sdxl"]["vae"], "force_upcast": force}
        config = ModelConfig.model_validate({"family": "sdxl", "network": FAMILIES["sdxl"]["network"], "vae": vae})
        model = build_model(config, half)
        assert isinstance(model.codec, VaeCodec)
        assert {parameter.dtype for parameter in model.codec.vae.parameters()} == {dtype}
        assert {parameter.dtype for parameter in model.backbone.network.parameters()} == {FP16}
        assert half.vae(force) == dtype
    assert PrecisionPolicy(BF16).vae(force_upcast=True) == BF16


def test_a_vae_computes_in_its_own_format_inside_of_a_training_step() -> None:
    config = ModelConfig.model_validate({"family": "sdxl", **FAMILIES["sdxl"]})
    model = build_model(config)
    images = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    alone = model.codec.encode(images)
    with torch.autocast("cpu", BF16):
        assert torch.equal(model.codec.encode(images), alone)
        inside = model.codec.decode(alone)
    assert torch.equal(inside, model.codec.decode(alone))


def trained(family: str, policy: PrecisionPolicy, scaler: Any = None, steps: int = 60) -> tuple[Model, dict[str, Any]]:
    """AS-DPO at the authors' learning rate: the model, and its adapter's entries before."""
    config = ModelConfig.model_validate({"family": family, "rank": 4, "alpha": 4, **FAMILIES[family]})
    model = build_model(config, policy)
    model.new_adapter("dpo")
    preference = Preference(SobolevOperator(1.5), 2000.0, (Negative("lq"),))
    task = PreferenceTask(model.backbone, model.codec, model.adapters, preference, 1e-5)
    parameters = [one for one in model.backbone.parameters() if one.requires_grad]
    generator = torch.Generator().manual_seed(0)
    for name, parameter in model.backbone.network.named_parameters():
        if "lora_B.dpo" in name:  # from zero, the first steps give the A entries no gradient
            parameter.data = torch.randn(parameter.shape, generator=generator).to(parameter) * 0.02
    before = {name: one.detach().clone() for name, one in model.backbone.named_parameters() if one.requires_grad}
    optimizer = torch.optim.AdamW(parameters, lr=1e-5)
    channels, side = model.backbone.channels, 4
    for step in range(steps):
        hq, lq = torch.randn(2, 1, channels, side, side, generator=generator)
        with precision.computing_in(policy.autocast, "cpu"):
            loss, _ = task.loss("policy", {"policy": model.backbone}, Batch(hq, lq, step, encoded=True))
        if scaler is None:
            loss.backward()
            optimizer.step()
        else:
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
        optimizer.zero_grad()
    assert {one.dtype for one in parameters} == {policy.adapters}
    return model, before


def moved(model: Model, before: dict[str, Any]) -> float:
    """Share of the entries of the adapters' A that are others than before."""
    after = dict(model.backbone.named_parameters())
    changes = [(after[name] != tensor).flatten() for name, tensor in before.items() if "lora_A" in name]
    return float(torch.cat(changes).float().mean())


def test_adapters_of_a_16_bit_network_train_in_float32() -> None:
    """At a learning rate of 1e-5 an entry in bfloat16 keeps its value; the optimiser's state is float32 as well."""
    policy = training_policy("flux", False, "bf16")
    model, before = trained("flux", policy)
    assert {one.dtype for name, one in model.backbone.network.named_parameters() if ".lora_" not in name} == {BF16}
    assert moved(model, before) > 0.999
    model, before = trained("flux", PrecisionPolicy(BF16, BF16, BF16), steps=20)
    assert moved(model, before) < 0.1


def test_float16_trains_under_a_gradient_scaler() -> None:
    """It refuses gradients in float16, which is what adapters in float16 would have."""
    policy = training_policy("flux", False, "fp16")
    scaler = torch.amp.GradScaler("cpu", init_scale=256.0)
    model, before = trained("flux", policy, scaler, steps=5)
    assert {one.dtype for name, one in model.backbone.network.named_parameters() if ".lora_" not in name} == {FP16}
    assert moved(model, before) > 0.999
    with pytest.raises(ValueError, match="unscale FP16"):
        trained("flux", PrecisionPolicy(FP16, FP16, FP16), _Unscaling("cpu", init_scale=256.0), steps=1)


class _Unscaling(torch.amp.GradScaler):
    """As ``accelerate`` uses it: gradients are unscaled for clipping before the step."""

    def step(self, optimizer: torch.optim.Optimizer, *args: Any, **options: Any) -> float | None:
        self.unscale_(optimizer)
        return super().step(optimizer, *args, **options)


def test_a_loaded_adapter_has_the_policys_format(tmp_path: Path) -> None:
    """The published files are bfloat16; trained on, or beside a float32 network, they are float32."""
    config = ModelConfig.model_validate({"family": "flux", **FAMILIES["flux"]})
    model = build_model(config, PrecisionPolicy(BF16, BF16, BF16))
    model.new_adapter("sr")
    model.adapters.save("sr", tmp_path / "sr.safetensors")
    for policy in (training_policy("flux", False, "bf16"), PrecisionPolicy(), sampling_policy("flux", "no", "cpu")):
        again = build_model(config.model_copy(update={"adapters": {"sr": str(tmp_path / "sr.safetensors")}}), policy)
        assert {parameter.dtype for parameter in again.adapters.parameters("sr")} == {FP32}
        for ours, theirs in zip(again.adapters.parameters("sr"), model.adapters.parameters("sr"), strict=True):
            assert torch.equal(ours, theirs.float())


@pytest.mark.parametrize("family", LARGE)
def test_casting_a_network_says_nothing(
    family: str, every_device_has_bfloat16: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """diffusers' own cast warns of layers to keep in float32, of which these networks have none."""
    from diffusers.models import modeling_utils

    said: list[str] = []
    monkeypatch.setattr(modeling_utils.logger, "warning", said.append)
    model = build_model(ModelConfig(family=family, **FAMILIES[family]), sampling_policy(family, "bf16", "cpu"))
    assert model.backbone.network.dtype == BF16
    assert said == []
