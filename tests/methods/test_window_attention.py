"""Attention by the fused kernel against the networks as spandrel computes them."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from asasr_bench.methods.interface import MethodCard
from asasr_bench.methods.networks.spandrel_network import load_network
from asasr_bench.methods.networks.window_attention import attend, fuse_attention
from safetensors.torch import save_file
from spandrel.architectures.DAT import DAT
from spandrel.architectures.HAT import HAT
from spandrel.architectures.SwinIR import SwinIR

NETWORKS: dict[str, Any] = {
    "dat": lambda: DAT(img_size=16, embed_dim=24, split_size=[4, 8], depth=[3, 1], num_heads=[2, 4], upscale=4,
                       upsampler="pixelshuffledirect"),
    "swinir": lambda: SwinIR(img_size=16, embed_dim=24, depths=[2], num_heads=[3], window_size=8, upscale=4,
                             upsampler="pixelshuffledirect"),
    "hat": lambda: HAT(img_size=16, embed_dim=24, depths=[2], num_heads=[3], window_size=8, upscale=4,
                       compress_ratio=3, squeeze_factor=6),
}  # fmt: skip
LAYERS = {"dat": 3, "swinir": 2, "hat": 2}
"""That compute attention within windows; of DAT's four, one attends to channels."""
SIZES = [(1, 16, 16), (2, 16, 24), (1, 8, 8), (1, 40, 16)]
"""Images, height and width: the size whose masks are stored, batches, one window alone."""


def network(name: str) -> Any:
    """With weights large enough that attention differs from a mean, and biases that differ between places."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        net = NETWORKS[name]()
        for key, parameter in net.named_parameters():
            if "qkv" in key or "relative_position_bias_table" in key or ".pos" in key:
                parameter.copy_(torch.randn(parameter.shape) * (0.5 if parameter.ndim > 1 else 0.1))
    return net.eval()


@pytest.mark.parametrize("name", NETWORKS)
def test_the_result_is_that_of_the_published_code(name: str) -> None:
    published = network(name)
    fused = deepcopy(published)
    assert fuse_attention(fused) == LAYERS[name]
    assert fuse_attention(torch.nn.Sequential(torch.nn.Conv2d(3, 3, 1))) == 0
    generator = torch.Generator().manual_seed(1)
    for images, height, width in SIZES:
        lq = torch.rand(images, 3, height, width, generator=generator)
        with torch.inference_mode():
            want, got = published(lq), fused(lq)
        assert want.std() > 0.01
        torch.testing.assert_close(got, want, rtol=0, atol=2e-5 * float(want.abs().max()))


@pytest.mark.parametrize("width", [10, 16, 30])
def test_attention_is_its_formula_in_double(width: int) -> None:
    """A bias for all windows, and one for each."""
    generator = torch.Generator().manual_seed(2)
    query, key, value = torch.randn(3, 4, 2, 64, width, generator=generator)
    for shape in ((2, 64, 64), (4, 2, 64, 64)):
        bias = torch.randn(shape, generator=generator)
        scores = query.double() @ key.double().transpose(-2, -1) * 0.3 + bias.double()
        want = scores.softmax(-1) @ value.double()
        torch.testing.assert_close(attend(query, key, value, bias, 0.3).double(), want, rtol=0, atol=1e-5)


def test_a_network_from_a_file_is_fused_on_a_processor(tmp_path: Path) -> None:
    """Its card counts the parameters that the file holds."""
    published = network("swinir")
    path = tmp_path / "net.safetensors"
    save_file({key: value.contiguous() for key, value in published.state_dict().items()}, path)
    method = load_network(path, MethodCard("net", "regression", "", (4,)), device="cpu", tile=256, overlap=32)
    assert method.card.parameters == sum(parameter.numel() for parameter in published.parameters())
    kinds = {type(layer).__name__: type(layer).__module__ for layer in method._descriptor.model.modules()}
    assert kinds["WindowAttention"].startswith("asasr_bench.")
    lq = torch.rand(1, 3, 24, 16, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        torch.testing.assert_close(method.restore(lq, 4, [0]), published(lq).clamp(0, 1), rtol=0, atol=1e-5)
