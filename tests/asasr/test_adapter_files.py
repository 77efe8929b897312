"""Adapter files that others wrote: they fit, or are refused by name before they change the network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from asasr_bench.asasr.adapters import METADATA_KEY, AdapterError, Adapters
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from refusals import read_or_refused
from safetensors.torch import save, save_file


def network() -> torch.nn.Module:
    block = torch.nn.ModuleDict({"to_q": torch.nn.Linear(6, 4), "norm": torch.nn.LayerNorm(4)})
    return torch.nn.ModuleDict({"conv": torch.nn.Conv2d(3, 5, 3), "block": block})


def fitting() -> dict[str, torch.Tensor]:
    return {
        "unet.block.to_q.lora_A.weight": torch.ones(2, 6), "unet.block.to_q.lora_B.weight": torch.ones(4, 2),
        "unet.conv.lora_A.weight": torch.ones(1, 3, 3, 3), "unet.conv.lora_B.weight": torch.ones(5, 1, 1, 1),
    }  # fmt: skip


def test_a_file_that_fits_acts(tmp_path: Path) -> None:
    save_file(fitting(), tmp_path / "a.safetensors")
    base = network()
    before = base["block"]["to_q"](torch.ones(1, 6))
    adapters = Adapters(base, "unet")
    adapters.load("sr", tmp_path / "a.safetensors")
    with adapters.using(["sr"]):
        assert torch.allclose(base["block"]["to_q"](torch.ones(1, 6)), before + 12)  # A gives 6 twice, B adds them


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"unet.block.to_q.lora_B.weight": torch.ones(5, 2)}, r"to_q has weights \[4, 6\]"),
        ({"unet.block.to_q.lora_A.weight": torch.ones(2, 7)}, r"does not fit this backbone"),
        ({"unet.block.to_q.lora_A.weight": torch.ones(0, 6), "unet.block.to_q.lora_B.weight": torch.ones(4, 0)}, "fit"),
        ({"unet.block.to_q.lora_A.weight": torch.ones(2, 6, dtype=torch.int64)}, "fit"),
        ({"unet.block.to_q.lora_B.weight": torch.tensor(1.0)}, "fit"),
        ({"unet.block.to_q.lora_A.weight": torch.tensor(1.0)}, "no adapter of this backbone"),
        (
            {"unet.block.norm.lora_A.weight": torch.ones(1, 4), "unet.block.norm.lora_B.weight": torch.ones(4, 1)},
            "norm",
        ),
        ({"unet.block.to_q.lora_magnitude_vector": torch.ones(4)}, "lora_magnitude_vector"),
        ({"unet.gone.lora_B.weight": torch.ones(4, 2)}, "gone"),
    ],
)
def test_what_does_not_fit_leaves_the_network_alone(change: dict[str, torch.Tensor], said: str, tmp_path: Path) -> None:
    save_file({**fitting(), **change}, tmp_path / "a.safetensors")
    base = network()
    names = set(base.state_dict())
    adapters = Adapters(base, "unet")
    with pytest.raises(AdapterError, match=rf"a\.safetensors: .*{said}"):
        adapters.load("sr", tmp_path / "a.safetensors")
    assert (set(base.state_dict()), adapters.roles) == (names, ())


@pytest.mark.parametrize(
    "metadata",
    ["{", "[1]", "[" * 100_000, '{"unet.r": 0, "unet.lora_alpha": 1}', '{"unet.r": "x", "unet.lora_alpha": 1}',
     '{"unet.r": [1], "unet.lora_alpha": 1}', '{"unet.r": 1, "unet.lora_alpha": 1e999}'],
)  # fmt: skip
def test_headers_that_tell_nonsense_are_refused(metadata: str, tmp_path: Path) -> None:
    save_file(fitting(), tmp_path / "a.safetensors", {METADATA_KEY: metadata})
    with pytest.raises(AdapterError, match=r"a\.safetensors: its header"):
        Adapters(network(), "unet").load("sr", tmp_path / "a.safetensors")


_SHAPES = st.lists(st.integers(0, 6), max_size=4).map(torch.zeros)
_NAMES = st.sampled_from([*fitting(), "unet.lora_A.weight", ".lora_A.weight", "unet.block.lora_A.weight",
                          "unet.block.lora_B.weight", "x", "unet.conv.lora_A.bias"])  # fmt: skip
_HEADERS = st.dictionaries(
    st.sampled_from(["unet.r", "unet.lora_alpha", "r"]), st.none() | st.integers() | st.floats() | st.text(max_size=3)
)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_bytes_are_an_adapter_or_refused_by_name(data: st.DataObject, tmp_path: Path) -> None:
    tensors: dict[str, Any] = {**(fitting() if data.draw(st.booleans()) else {})}
    tensors |= data.draw(st.dictionaries(_NAMES, _SHAPES, max_size=3))
    content = bytearray(save(tensors, {METADATA_KEY: json.dumps(data.draw(_HEADERS))}))
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / "a.safetensors").write_bytes(content)
    with read_or_refused(AdapterError, "a.safetensors"):
        Adapters(network(), "unet").load("sr", tmp_path / "a.safetensors")
