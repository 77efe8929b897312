"""FLUX.1-dev at its true size, on the meta device: no weights, every shape."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from asasr_bench.asasr.adapters import AdapterError, Adapters
from asasr_bench.asasr.backbones.backbone import Prompt
from asasr_bench.asasr.backbones.flux import FluxBackbone
from asasr_bench.asasr.choices import Role
from asasr_bench.asasr.config import load_config
from asasr_bench.asasr.model_config import ModelConfig
from asasr_bench.methods.asasr import find_model
from diffusers import FluxTransformer2DModel
from safetensors.torch import save_file
from torch import Tensor

WIDTH, HEADS = 3072, 24
MODULES = 343
"""Layers with an adapter: x_embedder, 6 in each of 19 double blocks, 6 in each of 38 single blocks."""
PUBLISHED = re.compile(
    r"transformer\.(x_embedder"
    r"|transformer_blocks\.\d+\.(norm1\.linear|attn\.to_q|attn\.to_k|attn\.to_v|attn\.to_out\.0|ff\.net\.2)"
    r"|single_transformer_blocks\.\d+\.(norm\.linear|proj_mlp|proj_out|attn\.to_q|attn\.to_k|attn\.to_v)"
    r")\.lora_[AB]\.weight"
)
"""Names in the authors' files, wafer-bob/ASASR."""
ROLES: tuple[Role, ...] = ("sr", "dpo", "adv")
MIB: dict[Role, float] = {"sr": 884.3, "dpo": 110.5, "adv": 110.5}
"""Of the authors' files in bfloat16: 885 and 111 MB are what the Hub says of them."""


@pytest.fixture
def backbone() -> FluxBackbone:
    """As ``black-forest-labs/FLUX.1-dev`` describes its transformer: diffusers' own defaults, and guidance."""
    with torch.device("meta"):
        network = FluxTransformer2DModel(guidance_embeds=True).to(torch.bfloat16)
    return FluxBackbone(network.eval())


def adapted(backbone: FluxBackbone, model: ModelConfig) -> Adapters:
    adapters = Adapters(backbone.network, "transformer", backbone.idle, torch.bfloat16)
    for role in ROLES:
        with torch.device("meta"):
            adapters.add(role, backbone.adapter_targets, rank=model.rank_of(role), alpha=model.alpha_of(role))
    return adapters


def test_it_is_the_network_that_is_known(backbone: FluxBackbone) -> None:
    assert sum(parameter.numel() for parameter in backbone.parameters()) == 11_901_408_320
    assert (backbone.channels, backbone.multiple) == (16, 2)


def test_adapters_have_the_published_names_shapes_and_sizes(backbone: FluxBackbone) -> None:
    """Rank 128 for the prior, 16 for policy and adversary, alpha equal to the rank: the files' scale is 1."""
    model = load_config("flux-dev").model
    adapters = adapted(backbone, model)
    layers = dict(backbone.network.named_modules())
    for role, rank in (("sr", 128), ("dpo", 16), ("adv", 16)):
        tensors = adapters.tensors(role)  # type: ignore[arg-type]
        assert len(tensors) == 2 * MODULES
        assert all(PUBLISHED.fullmatch(name) for name in tensors)
        for name, tensor in tensors.items():
            module = name.removeprefix("transformer.").rsplit(".lora_", 1)[0]
            out, given = layers[module].base_layer.weight.shape  # type: ignore[union-attr]
            assert tensor.shape == ((rank, given) if ".lora_A." in name else (out, rank)), name
        size = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
        assert size / 2**20 == pytest.approx(MIB[role], abs=0.1)
        assert adapters._configs[role].lora_alpha == rank  # type: ignore[index]


def published_file(path: Path, rank: int, **changes: Tensor) -> Path:
    """An adapter file of the authors' layout, names and layers; without rank and alpha in its header, as theirs."""
    tensors: dict[str, Tensor] = {}

    def layer(name: str, given: int, out: int) -> None:
        tensors[f"transformer.{name}.lora_A.weight"] = torch.zeros(rank, given, dtype=torch.bfloat16)
        tensors[f"transformer.{name}.lora_B.weight"] = torch.zeros(out, rank, dtype=torch.bfloat16)

    layer("x_embedder", 64, WIDTH)
    for number in range(19):
        block = f"transformer_blocks.{number}"
        layer(f"{block}.norm1.linear", WIDTH, 6 * WIDTH)
        layer(f"{block}.ff.net.2", 4 * WIDTH, WIDTH)
        for part in ("to_q", "to_k", "to_v", "to_out.0"):
            layer(f"{block}.attn.{part}", WIDTH, WIDTH)
    for number in range(38):
        block = f"single_transformer_blocks.{number}"
        layer(f"{block}.norm.linear", WIDTH, 3 * WIDTH)
        layer(f"{block}.proj_mlp", WIDTH, 4 * WIDTH)
        layer(f"{block}.proj_out", 5 * WIDTH, WIDTH)
        for part in ("to_q", "to_k", "to_v"):
            layer(f"{block}.attn.{part}", WIDTH, WIDTH)
    save_file({**tensors, **changes}, path)
    return path


@pytest.mark.filterwarnings("ignore:.*copying from a non-meta parameter")
def test_a_file_of_the_published_layout_fits(backbone: FluxBackbone, tmp_path: Path) -> None:
    """Written from the layers' sizes alone, at rank 1, which is a hundredth of the published ``sr``."""
    adapters = Adapters(backbone.network, "transformer", backbone.idle, torch.bfloat16)
    adapters.load("dpo", published_file(tmp_path / "fits.safetensors", 1))
    config = adapters._configs["dpo"]
    assert (len(adapters.tensors("dpo")), config.lora_alpha / config.r) == (2 * MODULES, 1.0)
    wrong = published_file(tmp_path / "wrong.safetensors", 1, **{
        "transformer.x_embedder.lora_A.weight": torch.zeros(1, 16, dtype=torch.bfloat16)
    })  # fmt: skip
    with pytest.raises(AdapterError, match="x_embedder has weights"):
        adapters.load("sr", wrong)


def test_the_published_model_names_both_adapters() -> None:
    model = load_config(find_model("asasr:flux")).model
    assert set(model.adapters) == {"sr", "dpo"}
    assert (model.scope, model.resize, model.text_in("sampling")) == ("condition", "pil-bicubic", "empty")


@pytest.mark.parametrize(("side", "batch", "text"), [(512, 1, 512), (1024, 2, 512), (512, 1, 1)])
def test_every_shape_of_the_forward(backbone: FluxBackbone, side: int, batch: int, text: int) -> None:
    """Of an image of this side: 512 tokens of text, which are one where all are zeros, a token of image and of LQ for
    16x16 pixels, all in bfloat16."""
    adapters = adapted(backbone, load_config("flux-dev").model)
    adapters.activate(["sr", "dpo"])
    network, tokens = backbone.network, (side // 16) ** 2
    seen: dict[str, list[tuple[int, ...]]] = {}

    def record(name: str) -> Any:
        def hook(module: torch.nn.Module, given: Any, output: Any) -> None:
            outputs = output if isinstance(output, list | tuple) else [output]
            assert {one.dtype for one in outputs} == {torch.bfloat16}, name
            seen.setdefault(name, []).extend(tuple(one.shape) for one in outputs)

        return hook

    watched = ["x_embedder", "context_embedder", "time_text_embed", "norm_out", "proj_out"]
    for name, module in network.named_modules():
        if name in watched or re.fullmatch(r"(single_)?transformer_blocks\.\d+", name):
            module.register_forward_hook(record(name))
    latents = torch.empty(batch, 16, side // 8, side // 8, device="meta", dtype=torch.bfloat16)
    sigma = torch.empty(batch, device="meta", dtype=torch.bfloat16)
    prompt = Prompt(torch.empty(1, text, 4096, device="meta"), torch.empty(1, 768, device="meta"))
    with torch.no_grad():
        velocity = backbone(latents, sigma, latents, prompt if text > 1 else None, guidance=3.5)
    assert (velocity.shape, velocity.dtype) == (latents.shape, torch.bfloat16)
    assert seen.pop("x_embedder") == [(batch, tokens, WIDTH)]  # LQ; image tokens pass by its base layer
    assert seen.pop("context_embedder") == [(batch, text, WIDTH)]
    assert seen.pop("time_text_embed") == [(batch, WIDTH)] * 2
    assert seen.pop("norm_out") == [(batch, tokens, WIDTH)]
    assert seen.pop("proj_out") == [(batch, tokens, 64)]
    double = {name: shapes for name, shapes in seen.items() if not name.startswith("single")}
    single = {name: shapes for name, shapes in seen.items() if name.startswith("single")}
    assert (len(double), len(single)) == (19, 38)
    assert all(shapes == [(batch, text, WIDTH), *[(batch, tokens, WIDTH)] * 2] for shapes in double.values())
    assert all(shapes == [(batch, text + tokens, WIDTH), (batch, tokens, WIDTH)] for shapes in single.values())
