"""The FLUX forward against the authors' recorded outputs and diffusers' own forward; what adapters touch."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from asasr_bench.asasr.adapters import AdapterError, Adapters
from asasr_bench.asasr.backbones.flux import PUBLISHED_TARGETS, FluxBackbone, image_positions
from diffusers import FluxTransformer2DModel
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional


def tiny(seed: int = 0, **changes: Any) -> FluxTransformer2DModel:
    """A random FLUX; its adaptive norms are not zero, so that every layer matters."""
    torch.manual_seed(seed)
    config = {
        "in_channels": 16, "num_layers": 2, "num_single_layers": 2, "attention_head_dim": 16, "num_attention_heads": 2,
        "joint_attention_dim": 24, "pooled_projection_dim": 12, "guidance_embeds": True, "axes_dims_rope": (4, 6, 6),
        **changes,
    }  # fmt: skip
    return FluxTransformer2DModel(**config).eval()


def random_adapter(adapters: Adapters, role: Any, seed: int = 5) -> None:
    adapters.add(role, PUBLISHED_TARGETS, rank=4, alpha=4)
    generator = torch.Generator().manual_seed(seed)
    for parameter in adapters.parameters(role):
        parameter.data = torch.randn(parameter.shape, generator=generator) * 0.3


RECORDED = {
    "out_base_no_lq": ([], None, False, 3.5),
    "out_base_lq": ([], None, True, 3.5),
    "out_base_lq_guidance0": ([], None, True, 0.0),
    "out_sr_lq": (["sr"], None, True, 3.5),
    "out_sr_lq_guidance0": (["sr"], None, True, 0.0),
    "out_sr_dpo_lq": (["sr", "dpo"], None, True, 3.5),
    "out_sr_dpo_lq_guidance0": (["sr", "dpo"], None, True, 0.0),
    "out_sr_dpo_half_lq": (["sr", "dpo"], [1.0, 0.5], True, 3.5),
    "out_sr_adv_lq": (["sr", "adv"], None, True, 3.5),
    "out_sr_adv_lq_guidance0": (["sr", "adv"], None, True, 0.0),
    "out_sr_dpo_no_lq": (["sr", "dpo"], None, False, 3.5),
}


def test_it_gives_what_the_authors_code_gave(shared: Path) -> None:
    """Outputs of the ASASR release's forward (wafer-bob/ASASR at c7a3c19) on a tiny random FLUX."""
    folder = shared / "data" / "asasr-forward"
    network = FluxTransformer2DModel(**json.loads((folder / "config.json").read_text()))
    network.load_state_dict(load_file(folder / "model.safetensors"))
    backbone, adapters = FluxBackbone(network.eval()), Adapters(network, "transformer")
    for role in ("sr", "dpo", "adv"):
        adapters.load(role, folder / f"{role}_lora.safetensors")
    recorded = load_file(folder / "vectors.safetensors")
    assert {name for name in recorded if name.startswith("out_")} == set(RECORDED)
    for name, (roles, weights, with_lq, guidance) in RECORDED.items():
        with torch.no_grad(), adapters.using(roles, weights):
            output = backbone.tokens_forward(
                recorded["hidden_states"], recorded["lq_tokens"] if with_lq else None, recorded["timestep"],
                recorded["img_ids"], recorded["encoder_hidden_states"], recorded["pooled_projections"], guidance,
            )  # fmt: skip
        error = (output - recorded[name]).norm() / recorded[name].norm()
        assert float(error) < 1e-4, name


@given(
    st.integers(1, 2), st.integers(0, 2), st.integers(1, 3), st.booleans(), st.integers(1, 3), st.integers(1, 4),
    st.integers(0, 100),
)  # fmt: skip
@settings(max_examples=15)
def test_without_lq_it_is_diffusers_own_forward(double, single, heads, guided, height, width, seed) -> None:
    network = tiny(seed, num_layers=double, num_single_layers=single, num_attention_heads=heads, guidance_embeds=guided)
    text, pooled = torch.randn(2, 5, 24), torch.randn(2, 12)
    image, sigma = torch.randn(2, height * width, 16), torch.rand(2)
    backbone = FluxBackbone(copy.deepcopy(network))
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    positions = torch.stack([0 * rows, rows, columns], -1).flatten(0, 1).float()
    with torch.no_grad():
        theirs = network(
            image, text, pooled, sigma, positions, torch.zeros(5, 3), torch.full((2,), 3.5) if guided else None,
            return_dict=False,
        )[0]  # fmt: skip
        ours = backbone.tokens_forward(image, None, sigma, positions, text, pooled, 3.5)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


def forward(backbone: FluxBackbone, lq: Tensor | None, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    state = torch.randn(2, 4, 6, 4, generator=generator)
    return backbone(state, torch.tensor([0.3, 0.8]), lq)


@pytest.mark.parametrize("scope", ["condition", "all"])
@pytest.mark.parametrize("checkpointing", [False, True])
def test_a_text_of_zeros_is_one_token_that_counts_512_times(scope: Any, checkpointing: bool) -> None:
    """Velocity and every gradient are those of 512 tokens that all go through the network."""
    network = tiny()
    backbone, adapters = FluxBackbone(network, scope), Adapters(network, "transformer")
    random_adapter(adapters, "dpo")
    adapters.train("dpo")
    adapters.activate(["dpo"])
    network.train(checkpointing).gradient_checkpointing = checkpointing
    state, lq = torch.randn(2, 2, 4, 4, 6, generator=torch.Generator().manual_seed(3))
    sigma, zeros, pooled = torch.tensor([0.3, 0.8]), torch.zeros(2, 512, 24), torch.zeros(2, 12)

    def gradients(velocity: Tensor) -> list[Tensor]:
        network.zero_grad()
        velocity.square().sum().backward()
        return [torch.zeros(()) if one.grad is None else one.grad.clone() for one in adapters.parameters("dpo")]

    short = backbone(state, sigma, lq)
    short_gradients = gradients(short)
    pack = [functional.pixel_unshuffle(one, 2).flatten(2).mT for one in (state, lq)]
    long = backbone.tokens_forward(*pack, sigma, image_positions(2, 3), zeros, pooled, 0.0)
    long_gradients = gradients(long)
    torch.testing.assert_close(functional.pixel_unshuffle(short, 2).flatten(2).mT, long, rtol=1e-4, atol=1e-5)
    assert any(bool(gradient.any()) for gradient in long_gradients)
    for one, other in zip(short_gradients, long_gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4 * float(other.abs().max()) + 1e-7)


def test_an_adapter_of_the_condition_acts_on_lq_tokens_alone() -> None:
    network = tiny()
    backbone, adapters = FluxBackbone(network), Adapters(network, "transformer")
    random_adapter(adapters, "dpo")
    lq = torch.randn(2, 4, 6, 4)
    inputs: dict[str, list[Tensor]] = {}

    def record(name: str):
        return lambda module, given, output: inputs.setdefault(name, []).append(output.detach())

    layers = {name: one for name, one in network.named_modules() if name.endswith("lora_B.dpo")}
    hooks = [layer.register_forward_hook(record(name)) for name, layer in layers.items()]
    with torch.no_grad(), adapters.using([]):
        without = forward(backbone, None), forward(backbone, lq)
    with torch.no_grad(), adapters.using(["dpo"]):
        alone = forward(backbone, None)
        assert inputs == {}  # no LQ tokens: no adapter ran
        together = forward(backbone, lq)
    assert torch.equal(alone, without[0])
    assert not torch.allclose(together, without[1])
    # with LQ tokens every adapted layer's adapter ran once, on as many tokens as LQ has (norms: on one vector)
    assert set(inputs) == set(layers)
    for name, outputs in inputs.items():
        assert len(outputs) == 1, name
        assert outputs[0].shape[:2] == ((2, 6) if outputs[0].ndim == 3 else (2, outputs[0].shape[1])), name
    for hook in hooks:
        hook.remove()


def test_an_adapter_of_all_tokens_acts_without_lq_too() -> None:
    network = tiny()
    adapters = Adapters(network, "transformer")
    random_adapter(adapters, "dpo")
    everywhere = FluxBackbone(network, "all")
    with torch.no_grad(), adapters.using([]):
        without = forward(everywhere, None)
    with torch.no_grad(), adapters.using(["dpo"]):
        assert not torch.allclose(forward(everywhere, None), without)


def test_gradients_reach_every_adapter_tensor_also_with_checkpointing() -> None:
    gradients = []
    for checkpointing in (False, True):
        network = tiny()
        backbone = FluxBackbone(network.train())
        adapters = Adapters(network, "transformer", backbone.idle)
        random_adapter(adapters, "dpo")
        adapters.activate(["dpo"])
        adapters.train("dpo")
        if checkpointing:
            network.enable_gradient_checkpointing()
        forward(backbone, torch.randn(2, 4, 6, 4, generator=torch.Generator().manual_seed(3))).square().sum().backward()
        parameters = adapters.parameters("dpo")
        trained = {name for name, parameter in network.named_parameters() if parameter.requires_grad}
        assert {name for name, _ in network.named_parameters() if ".dpo." in name} - trained == {
            f"single_transformer_blocks.1.{layer}.lora_{half}.dpo.weight"
            for layer in ("proj_out", "proj_mlp", "attn.to_q") for half in "AB"
        }  # fmt: skip
        for name, parameter in network.named_parameters():
            if name in trained:
                assert parameter.grad is not None, name
                assert float(parameter.grad.abs().max()) > 0, name
            else:
                assert parameter.grad is None, name
        gradients.append([parameter.grad for parameter in parameters if parameter.grad is not None])
    for plain, recomputed in zip(*gradients, strict=True):
        torch.testing.assert_close(plain, recomputed)


def published_layout(path: Path, network: FluxTransformer2DModel, rank: int = 16) -> set[str]:
    """A file as the authors publish: no metadata, r = alpha = 16."""
    generator = torch.Generator().manual_seed(0)
    tensors = {}
    for name, module in network.named_modules():
        double = name.startswith("transformer_blocks") and name.endswith(
            ("norm1.linear", "attn.to_q", "attn.to_k", "attn.to_v", "attn.to_out.0", "ff.net.2")
        )
        single = name.startswith("single_transformer_blocks") and name.endswith(
            ("norm.linear", "proj_mlp", "proj_out", "attn.to_q", "attn.to_k", "attn.to_v")
        )
        if double or single or name == "x_embedder":
            tensors[f"transformer.{name}.lora_A.weight"] = torch.randn(rank, module.in_features, generator=generator)
            tensors[f"transformer.{name}.lora_B.weight"] = torch.randn(module.out_features, rank, generator=generator)
    save_file(tensors, path)
    return set(tensors)


def test_a_published_file_loads_with_every_key_used(tmp_path: Path) -> None:
    network = tiny()
    names = published_layout(tmp_path / "lora.safetensors", network)
    adapters = Adapters(network, "transformer")
    adapters.load("sr", tmp_path / "lora.safetensors")
    assert len(adapters.parameters("sr")) == len(names)
    adapters.save("sr", tmp_path / "again.safetensors")
    first, second = load_file(tmp_path / "lora.safetensors"), load_file(tmp_path / "again.safetensors")
    assert first.keys() == second.keys() == names
    assert all(torch.equal(first[name], second[name]) for name in names)
    own = Adapters(tiny(), "transformer")
    own.add("sr", PUBLISHED_TARGETS, rank=16, alpha=16)
    assert len(own.parameters("sr")) == len(names)


def test_diffusers_reads_what_we_save(tmp_path: Path) -> None:
    """Rank 4 and alpha 8: a reader that lost alpha would give another scale."""
    network, other = tiny(), tiny()
    adapters = Adapters(network, "transformer")
    adapters.add("dpo", PUBLISHED_TARGETS, rank=4, alpha=8)
    for parameter in adapters.parameters("dpo"):
        torch.nn.init.normal_(parameter, std=0.3)
    adapters.save("dpo", tmp_path / "dpo.safetensors")
    other.load_lora_adapter(tmp_path, weight_name="dpo.safetensors", prefix="transformer", adapter_name="dpo")
    again = Adapters(third := tiny(), "transformer")
    again.load("dpo", tmp_path / "dpo.safetensors")
    again.activate(["dpo"])
    adapters.activate(["dpo"])
    with torch.no_grad():
        outputs = [forward(FluxBackbone(one, "all"), torch.ones(2, 4, 6, 4)) for one in (network, other, third)]
    torch.testing.assert_close(outputs[0], outputs[1])
    assert torch.equal(outputs[0], outputs[2])


def test_contexts_leave_nothing_behind() -> None:
    network = tiny()
    backbone, adapters = FluxBackbone(network), Adapters(network, "transformer")
    for role in ("sr", "dpo", "adv"):
        random_adapter(adapters, role, seed=len(role))
    adapters.train("dpo")
    adapters.activate(["sr", "dpo"], [1.0, 0.5])
    lq = torch.ones(2, 4, 6, 4)
    flags = [parameter.requires_grad for parameter in network.parameters()]
    with torch.no_grad():
        before = forward(backbone, lq)
        with adapters.using(["sr"]):
            reference = forward(backbone, lq)
            with adapters.using(["sr", "adv"], [0.3, 2.0]):
                forward(backbone, lq)
            assert torch.equal(forward(backbone, lq), reference)
            with adapters.using([]):
                forward(backbone, lq)
        with pytest.raises(RuntimeError), adapters.using([]):
            raise RuntimeError
        assert torch.equal(forward(backbone, lq), before)
    assert [parameter.requires_grad for parameter in network.parameters()] == flags


def test_files_that_do_not_fit_are_named(tmp_path: Path) -> None:
    save_file({"transformer.nowhere.lora_A.weight": torch.zeros(2, 2)}, tmp_path / "other.safetensors")
    (tmp_path / "broken.safetensors").write_bytes(b"not a file")
    with pytest.raises(AdapterError, match="nowhere"):
        Adapters(tiny(), "transformer").load("sr", tmp_path / "other.safetensors")
    with pytest.raises(AdapterError, match="damaged"):
        Adapters(tiny(), "transformer").load("sr", tmp_path / "broken.safetensors")
    with pytest.raises(AdapterError, match="no such"):
        Adapters(tiny(), "transformer").load("sr", tmp_path / "none.safetensors")
    network = tiny()
    published_layout(tmp_path / "lora.safetensors", tiny(num_attention_heads=3))
    with pytest.raises(AdapterError, match=r"lora\.safetensors"):
        Adapters(network, "transformer").load("sr", tmp_path / "lora.safetensors")
    with pytest.raises(AdapterError, match="no adapter of role adv"):
        Adapters(tiny(), "transformer").activate(["adv"])
