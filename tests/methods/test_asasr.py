"""ASASR models in the registry."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from asasr_bench.asasr.config import load_config
from asasr_bench.asasr.models import build_model
from asasr_bench.asasr.sampling import SamplingSettings, restore
from asasr_bench.datasets.images import write_png
from asasr_bench.methods.asasr import find_model, shipped_names
from asasr_bench.methods.errors import MethodError, MethodReferenceError, MissingWeightsError, UnknownMethodError
from asasr_bench.methods.registry import REGISTRY, load_method, resolve
from safetensors.torch import save_file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model as training leaves it, with random weights."""
    config = load_config("small")
    network = build_model(config.model).backbone.network
    save_file(network.state_dict(), tmp_path / "network.safetensors")
    model = {**config.model.model_dump(mode="json"), "weights": "network.safetensors"}
    content = {"name": "mine", "model": model, "sampling": {"steps": 2, "colour_fix": "none"}}
    (tmp_path / "model.yaml").write_text(yaml.safe_dump(content))
    return tmp_path


def test_a_trained_folder_is_a_method(folder: Path) -> None:
    entry = resolve(f"asasr:{folder}")
    assert entry.card.id == "asasr:mine"
    assert entry.card.family == "flow"
    assert not entry.card.deterministic
    method = load_method(f"asasr:{folder}")
    assert method.card.parameters == 3_201_932
    sr = method.restore(torch.rand(1, 3, 8, 8), 4, [3])
    assert sr.shape == (1, 3, 32, 32)
    with pytest.raises(MethodError, match="scale 4, not 2"):
        method.restore(torch.rand(1, 3, 8, 8), 2, [3])


def test_weights_and_settings_are_its_identity(folder: Path) -> None:
    first = resolve(f"asasr:{folder}").identity("x", 4)
    assert resolve(f"other=asasr:{folder}").identity("x", 4) == first
    path = folder / "model.yaml"
    path.write_text(path.read_text().replace("steps: 2", "steps: 3"))
    second = resolve(f"asasr:{folder}").identity("x", 4)
    state = {
        name: tensor + 1
        for name, tensor in build_model(load_config("small").model).backbone.network.state_dict().items()
    }
    save_file(state, folder / "network.safetensors")
    third = resolve(f"asasr:{folder}").identity("x", 4)
    assert first != second != third


def test_sampling_can_be_varied(folder: Path) -> None:
    """As the points of a perception-distortion curve are: other settings, another identity, other pixels."""
    plain, varied = (
        {"name": "m", "id": f"asasr:{folder}"}, {"name": "m3", "id": f"asasr:{folder}", "sampling": {"steps": 3}}
    )  # fmt: skip
    assert resolve(plain).identity("x", 4) != resolve(varied).identity("x", 4)
    lq = torch.rand(1, 3, 8, 8)
    first, second = (load_method(one).restore(lq, 4, [0]) for one in (plain, varied))
    assert not torch.equal(first, second)
    with pytest.raises(MethodError, match="did you mean 'steps'"):
        load_method({**varied, "sampling": {"stepps": 3}})
    with pytest.raises(MethodReferenceError, match="goes with an id"):
        resolve({"id": "bicubic", "sampling": {"steps": 3}})


@pytest.mark.parametrize("weight", [1.0, 0.5])
def test_samples_are_those_of_adapters_beside_the_weights(weight: float) -> None:
    """Methods add adapters to the weights, which changes the speed and nothing else."""
    config = load_config(find_model("asasr:small-full"), {"sampling.steps": 2, "sampling.precision": "no"})
    beside = build_model(config.model)
    lq = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    settings = config.sampling.model_dump(exclude={"scales"})
    sampled = []
    for scale in (weight, 0.0):
        beside.adapters.activate(["dpo"], [scale])
        sampled.append(restore(beside.backbone, beside.codec, lq, 4, [0], SamplingSettings(**settings)))
    changes = {"steps": 2, "precision": "no", "scales": {"dpo": weight}}
    method = load_method({"name": "m", "id": "asasr:small-full", "sampling": changes})
    torch.testing.assert_close(method.restore(lq, 4, [0]), sampled[0], atol=1e-5, rtol=0)
    assert (sampled[0] - sampled[1]).abs().max() > 100 * 1e-5  # what is compared above is far from nothing


def test_what_is_not_there_is_told(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownMethodError, match="no ASASR model 'nowhere'"):
        resolve("asasr:nowhere")
    (folder / "network.safetensors").unlink()
    with pytest.raises(MissingWeightsError, match=r"network\.safetensors is missing"):
        resolve(f"asasr:{folder}")
    (folder / "network.safetensors").write_bytes(b"half")
    with pytest.raises(MissingWeightsError, match="damaged, or of another network"):
        load_method(f"asasr:{folder}")


@pytest.mark.parametrize("name", shipped_names())
def test_every_shipped_model_restores_or_says_what_is_missing(name: str, session, tmp_path: Path) -> None:
    assert name in REGISTRY.names()
    assert name in session("show", name).out
    write_png(tmp_path / "lq.png", np.full((8, 8, 3), 100, np.uint8))
    try:
        method = load_method(name)
    except MissingWeightsError as error:
        problem = str(error)
    else:
        assert method.restore(torch.rand(1, 3, 8, 8), 4, [0]).shape == (1, 3, 32, 32)
        assert session("restore", name, "lq.png", "sr.png", "--device", "cpu").status == 0
        assert (tmp_path / "sr.png").is_file()
        return
    assert "licence" in problem or "Download" in problem
    told = session("restore", name, "lq.png", "sr.png", "--device", "cpu")
    assert (told.status, told.err.startswith("error:")) == (3, True)
