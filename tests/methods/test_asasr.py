"""ASASR models in the registry."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from asasr_bench.asasr.backbones.codec import VaeCodec
from asasr_bench.asasr.config import load_config
from asasr_bench.asasr.model_config import ModelConfig
from asasr_bench.asasr.models import build_model
from asasr_bench.asasr.sampling import SamplingSettings, restore
from asasr_bench.datasets.images import write_png
from asasr_bench.methods.asasr import find_model, shipped_names
from asasr_bench.methods.errors import MethodError, MethodReferenceError, MissingWeightsError, UnknownMethodError
from asasr_bench.methods.registry import REGISTRY, resolve, resolve_and_load
from safetensors.torch import save_file
from tiny_networks import FAMILIES


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
    method = resolve_and_load(f"asasr:{folder}")
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
    first, second = (resolve_and_load(one).restore(lq, 4, [0]) for one in (plain, varied))
    assert not torch.equal(first, second)
    with pytest.raises(MethodError, match="did you mean 'steps'"):
        resolve_and_load({**varied, "sampling": {"stepps": 3}})
    with pytest.raises(MethodReferenceError, match="goes with an id"):
        resolve({"id": "bicubic", "sampling": {"steps": 3}})


def large(folder: Path, **changes: object) -> Path:
    """A trained folder on a tiny SD1.5 that lies beside it."""
    base = build_model(ModelConfig.model_validate({"family": "sd15", **FAMILIES["sd15"]}))
    assert isinstance(base.codec, VaeCodec)
    base.backbone.network.save_pretrained(folder / "base" / "unet")
    base.codec.vae.save_pretrained(folder / "base" / "vae")
    (folder / "model").mkdir()
    model = {"family": "sd15", "source": "../base", **changes}
    content = {
        "name": "large",
        "model": model,
        "sampling": {"steps": 1, "colour_fix": "none", "tile": 16, "overlap": 4},
    }
    (folder / "model" / "model.yaml").write_text(yaml.safe_dump(content))
    return folder / "model"


def test_a_source_is_identified_by_its_content_wherever_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = large(tmp_path / "one")
    identity = resolve(f"asasr:{first}").identity("x", 4)
    assert str(tmp_path) not in str(identity)
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    monkeypatch.chdir(tmp_path / "two")
    assert resolve("asasr:model").identity("x", 4) == identity
    assert resolve_and_load("asasr:model").restore(torch.rand(1, 3, 16, 16), 4, [0]).shape == (1, 3, 64, 64)
    path = tmp_path / "two" / "base" / "vae" / "config.json"
    path.write_text(path.read_text().replace('"scaling_factor": 0.18215', '"scaling_factor": 0.5'))
    assert resolve("asasr:model").identity("x", 4) != identity
    shutil.rmtree(tmp_path / "two" / "base" / "unet")
    with pytest.raises(MissingWeightsError, match="holds no folder 'unet'"):
        resolve("asasr:model")


def hub_cache(folder: Path, repository: str, commit: str, name: str, content: bytes) -> None:
    """A file as the Hub's own cache keeps it, of its branch ``main``."""
    home = folder / f"models--{repository.replace('/', '--')}"
    path = home / "snapshots" / commit / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    (home / "refs").mkdir(exist_ok=True)
    (home / "refs" / "main").write_text(commit)


def test_what_the_hub_gave_is_in_the_identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By content where no commit is pinned: another file under the same name is another method."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))

    def identity(name: str, **changes: object) -> str:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        model = {"family": "flux", "source": "a/base", "adapters": {"sr": "hub:b/c/sr.safetensors"}, **changes}
        (folder / "model.yaml").write_text(yaml.safe_dump({"name": "m", "model": model}))
        return str(resolve(f"asasr:{folder}").identity("x", 4))

    cache = tmp_path / "cache"
    seen = [identity("m")]
    for commit, content in (("1" * 40, b"one"), ("2" * 40, b"two")):
        hub_cache(cache, "b/c", commit, "sr.safetensors", content)
        seen.append(identity("m"))
    hub_cache(cache, "a/base", "3" * 40, "transformer/config.json", b"{}")
    seen.append(identity("m"))
    hub_cache(cache, "a/base", "4" * 40, "transformer/config.json", b"{}")
    seen.append(identity("m"))
    assert len(set(seen)) == len(seen)
    pinned = {"revision": "3" * 40, "adapters": {"sr": f"hub:b/c@{'1' * 40}/sr.safetensors"}}
    before = identity("p", **pinned)
    hub_cache(cache, "b/c", "5" * 40, "sr.safetensors", b"five")
    assert identity("p", **pinned) == before
    with pytest.raises(MethodError, match="no file on the Hub"):
        identity("bad", adapters={"sr": "hub:b"})


def test_models_with_a_vae_have_another_version(tmp_path: Path, folder: Path) -> None:
    """Their samples changed when the posterior's noise became independent; those in pixel space did not."""
    assert resolve(f"asasr:{folder}").card.version == resolve("asasr:small-prior").card.version == "2"
    assert resolve(f"asasr:{large(tmp_path / 'large')}").card.version == "3"


def test_a_model_of_scale_2_restores_at_scale_2(folder: Path, tmp_path: Path) -> None:
    path = folder / "model.yaml"
    content = yaml.safe_load(path.read_text())
    content["model"]["scale"] = 2
    path.write_text(yaml.safe_dump(content))
    entry = resolve(f"asasr:{folder}")
    assert entry.card.scales == (2,)
    method = resolve_and_load(f"asasr:{folder}")
    assert method.restore(torch.rand(1, 3, 12, 8), 2, [0]).shape == (1, 3, 24, 16)
    with pytest.raises(MethodError, match="scale 2, not 4"):
        method.restore(torch.rand(1, 3, 8, 8), 4, [3])
    content["model"]["scale"] = "two"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(MethodError, match="'two' is no scale"):
        resolve(f"asasr:{folder}")


@pytest.mark.parametrize("weight", [1.0, 0.5])
def test_samples_are_those_of_adapters_beside_the_weights(weight: float) -> None:
    """Methods add adapters to the weights, which changes the speed and nothing else."""
    config = load_config(find_model("asasr:small-full"), {"sampling.steps": 2, "sampling.precision": "no"})
    beside = build_model(config.model)
    lq = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    settings = config.sampling.settings()
    sampled = []
    for scale in (weight, 0.0):
        beside.adapters.activate(["dpo"], [scale])
        sampled.append(restore(beside.backbone, beside.codec, lq, 4, [0], SamplingSettings(**settings)))
    changes = {"steps": 2, "precision": "no", "scales": {"dpo": weight}}
    method = resolve_and_load({"name": "m", "id": "asasr:small-full", "sampling": changes})
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
        resolve_and_load(f"asasr:{folder}")


@pytest.mark.parametrize("name", shipped_names())
def test_every_shipped_model_restores_or_says_what_is_missing(name: str, session, tmp_path: Path) -> None:
    assert name in REGISTRY.names()
    assert name in session("show", name).out
    write_png(tmp_path / "lq.png", np.full((8, 8, 3), 100, np.uint8))
    try:
        method = resolve_and_load(name)
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
