"""Ways of running a model: offloaded, compiled, quantised, tiles and images together; what is computed stays."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from asasr_bench.asasr import running
from asasr_bench.asasr.config import ModelConfig
from asasr_bench.asasr.in_place import reuse_memory
from asasr_bench.asasr.models import Model, build_model
from asasr_bench.asasr.running import compile_blocks, place, quantize
from asasr_bench.asasr.sampling import SamplingSettings, restore
from asasr_bench.methods.errors import MethodError
from asasr_bench.methods.registry import resolve, resolve_and_load
from tiny_networks import FAMILIES

SETTINGS = SamplingSettings(steps=2, colour_fix="none", tile=16, overlap=4)
LATENT = ["flux", "sd15", "sdxl"]


def model(family: str) -> Model:
    """A tiny network with an adapter that changes something."""
    config = ModelConfig.model_validate({"family": family, "rank": 4, "alpha": 4.0, **FAMILIES[family]})
    built = build_model(config)
    built.new_adapter("sr")
    for number, parameter in enumerate(built.adapters.parameters("sr")):
        torch.nn.init.normal_(parameter, 0, 0.05, generator=torch.Generator().manual_seed(number))
    built.adapters.activate(["sr"])
    return built


def lq(batch: int = 2, height: int = 40, width: int = 64) -> torch.Tensor:
    return torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(1))


def sampled(
    built: Model, images: torch.Tensor, seeds: list[int], settings: SamplingSettings = SETTINGS
) -> torch.Tensor:
    return restore(built.backbone, built.codec, images, 4, seeds, settings)


@pytest.mark.parametrize("family", [*LATENT, "small"])
def test_tiles_and_images_together_give_what_each_gives_alone(family: str) -> None:
    """Each image has its own noise, whatever is restored beside it; what is left is rounding."""
    built = model(family)
    images = lq() if family != "small" else lq(height=10, width=16)
    together = sampled(built, images, [7, 8], replace(SETTINGS, tiles_at_once=4))
    for number, seed in enumerate((7, 8)):
        alone = sampled(built, images[number : number + 1], [seed])
        torch.testing.assert_close(together[number : number + 1], alone, atol=2e-5, rtol=0)
    assert not torch.equal(sampled(built, images[:1], [9]), sampled(built, images[:1], [7]))


def test_steps_are_told() -> None:
    built, told = model("small"), list[tuple[int, int]]()
    settings = replace(SETTINGS, samples=2)
    restore(built.backbone, built.codec, lq(1, 10, 16), 4, [0], settings, tell=lambda *one: told.append(one))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


@pytest.mark.parametrize("low", [False, True])
@pytest.mark.parametrize(("family", "blocks"), [("small", 7), ("sd15", 8), ("flux", 0)])
def test_blocks_that_reuse_memory_give_the_same_bits(family: str, blocks: int, low: bool) -> None:
    """With an adapter on them, images together, in float32 and under autocast."""
    built = model(family)
    images = lq(height=10, width=16)
    with torch.autocast("cpu", torch.bfloat16, enabled=low):
        before = sampled(built, images, [7, 8])
        assert reuse_memory(built.backbone.network) == blocks
        assert torch.equal(sampled(built, images, [7, 8]), before)


@pytest.mark.parametrize("offload", ["model", "layers"])
@pytest.mark.parametrize("family", [*LATENT, "small"])
def test_offloading_changes_nothing(family: str, offload: Any) -> None:
    images = lq(1) if family != "small" else lq(1, 10, 16)
    expected = sampled(model(family), images, [3])
    built = model(family)
    place(built, "cpu", offload)
    assert torch.equal(sampled(built, images, [3]), expected)
    assert torch.equal(sampled(built, images, [3]), expected)  # what went back comes again
    if offload == "layers":
        own = [parameter for parameter in built.backbone.network.parameters() if not parameter.is_meta]
        assert own == []


def test_network_and_vae_take_turns_on_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two steps: each module comes when it is called, and knows which it sends away, as accelerate does off a CPU."""
    built, moves = model("flux"), list[tuple[str, str]]()
    vae: Any = built.codec.vae  # type: ignore[attr-defined]
    place(built, "cpu:0", "model")
    for name, module in (("network", built.backbone), ("vae", vae)):
        monkeypatch.setattr(module, "to", lambda where, name=name: moves.append((name, str(where))))
    sampled(built, lq(1, 16, 16), [0])
    assert moves == [("vae", "cpu:0"), ("network", "cpu:0"), ("network", "cpu:0"), ("vae", "cpu:0")]
    assert built.backbone._hf_hook.prev_module_hook.model is vae  # type: ignore[union-attr]
    assert vae._hf_hook.prev_module_hook.model is built.backbone


@pytest.mark.parametrize("family", ["flux", "small"])
def test_a_compiled_network_gives_what_it_gave(family: str) -> None:
    from torch._dynamo.utils import counters

    images = lq(1) if family != "small" else lq(1, 10, 16)
    built = model(family)
    expected = sampled(built, images, [3])
    torch._dynamo.reset()
    counters.clear()
    compile_blocks(built.backbone, backend="eager")
    torch.testing.assert_close(sampled(built, images, [3]), expected, atol=1e-5, rtol=0)
    assert counters["stats"]["unique_graphs"] > 0


def wide_flux() -> Model:
    """Wide enough for the groups of 64 weights that share a scale."""
    network = {
        **FAMILIES["flux"]["network"], "attention_head_dim": 64, "num_attention_heads": 2,
        "axes_dims_rope": [16, 24, 24],
    }  # fmt: skip
    config = ModelConfig.model_validate({"family": "flux", "network": network, "vae": FAMILIES["flux"]["vae"]})
    built = build_model(config)
    built.new_adapter("sr")
    built.adapters.activate(["sr"])
    return built


@pytest.mark.parametrize(("kind", "difference"), [("int8", 0.03), ("nf4", 0.2)])
def test_quantised_weights_are_near_those_they_replace(kind: Any, difference: float) -> None:
    pytest.importorskip("bitsandbytes")
    built = wide_flux()
    state, sigma = torch.randn(2, 1, 4, 8, 8, generator=torch.Generator().manual_seed(0)), torch.tensor([0.5])
    with torch.no_grad():
        expected = built.backbone(state[0], sigma, state[1])
        before = [one.clone() for one in built.adapters.parameters("sr")]
        count = quantize(built.backbone.network, kind)
        built.to("cpu")
        measured = built.backbone(state[0], sigma, state[1])
    assert count == 20
    distance = float((measured - expected).norm() / expected.norm())
    assert 0 < distance < difference
    assert all(torch.equal(a, b) for a, b in zip(before, built.adapters.parameters("sr"), strict=True))
    assert quantize(built.backbone.network, "no") == 0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    content = {"name": "tiny", "model": {"family": "flux", **FAMILIES["flux"]}, "sampling": {"steps": 2}}
    (tmp_path / "model.yaml").write_text(yaml.safe_dump(content))
    return tmp_path


def test_references_tell_how_a_model_is_run(folder: Path) -> None:
    """What changes no pixels is no part of the method's identity; quantisation and a prompt of one's own are."""
    from asasr_bench.asasr.backbones.backbone import Prompt
    from asasr_bench.asasr.prompts import write_prompt

    plain = {"name": "m", "id": f"asasr:{folder}"}
    expected = resolve_and_load(plain).restore(lq(1), 4, [0])
    how = {**plain, "running": {"offload": "model", "tiles": 3}}
    assert resolve(how).identity("x", 4) == resolve(plain).identity("x", 4)
    torch.testing.assert_close(resolve_and_load(how, "cpu:0").restore(lq(1), 4, [0]), expected, atol=2e-2, rtol=0)

    write_prompt(Prompt(torch.randn(1, 5, 24), torch.randn(1, 12)), folder / "own.safetensors")
    prompted = {**plain, "running": {"prompt_file": str(folder / "own.safetensors")}}
    assert resolve(prompted).identity("x", 4) != resolve(plain).identity("x", 4)
    assert not torch.equal(resolve_and_load(prompted).restore(lq(1), 4, [0]), expected)
    assert resolve({**plain, "sampling": {"quantize": "nf4"}}).identity("x", 4) != resolve(plain).identity("x", 4)


def test_what_cannot_be_run_so_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = {"name": "m", "id": f"asasr:{folder}"}
    for changes, words in (
        ({"running": {"offlod": "model"}}, "running: 'offlod': unknown key; did you mean 'offload'"),
        ({"running": {"offload": "all"}}, "running: 'offload'"),
        ({"running": {"tiles": 0}}, "running: 'tiles'"),
        ({"sampling": {"prompt": "a cat"}}, "no text encoders; leave the prompt empty"),
    ):
        with pytest.raises(MethodError, match=words):
            resolve_and_load({**plain, **changes})
    monkeypatch.setattr(running, "find_spec", lambda name: None)
    with pytest.raises(MethodError, match="nf4 needs bitsandbytes; install it with: pip install bitsandbytes"):
        resolve_and_load({**plain, "sampling": {"quantize": "nf4"}})
