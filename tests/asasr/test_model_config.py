"""The section ``model``: paths, revisions, ranks by role; what does not fit is told before anything is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from asasr_bench.asasr import models
from asasr_bench.asasr.adapters import Adapters
from asasr_bench.asasr.backbones.backbone import BackboneError
from asasr_bench.asasr.config import load_config, preset_names
from asasr_bench.asasr.errors import TrainingConfigError
from asasr_bench.asasr.model_config import ModelConfig, hub_file, names_a_folder
from asasr_bench.asasr.models import build_model
from pydantic import ValidationError
from tiny_networks import FAMILIES


def written(folder: Path, **model: Any) -> Path:
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump({"name": "mine", "model": model}))
    return path


def test_a_relative_source_starts_from_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As all other paths do; a name of the Hub stays one."""
    (tmp_path / "here" / "models" / "FLUX").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    for source in ("models/FLUX", "./models/FLUX"):
        config = load_config(written(tmp_path / "here", family="flux", source=source))
        assert config.model.source is not None
        assert Path(config.model.source).samefile(tmp_path / "here" / "models" / "FLUX")
    config = load_config(written(tmp_path / "here", family="flux", source="../gone"))
    assert Path(str(config.model.source)) == tmp_path / "here" / ".." / "gone"
    assert load_config(written(tmp_path, family="flux", source="owner/name")).model.source == "owner/name"
    assert not names_a_folder("owner/name")


def test_a_folder_that_cannot_be_loaded_does_not_send_people_to_the_hub(tmp_path: Path) -> None:
    with pytest.raises(BackboneError, match=r"layout, with model_index\.json") as folder:
        build_model(load_config(written(tmp_path, family="sd15", source="../gone")).model)
    assert "log in" not in str(folder.value)


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("hub:wafer-bob/ASASR/sr_lora/v2.safetensors", ("wafer-bob/ASASR", None, "sr_lora/v2.safetensors")),
        ("hub:a/b@0f3c/c.safetensors", ("a/b", "0f3c", "c.safetensors")),
    ],
)
def test_files_on_the_hub_may_name_a_revision(
    reference: str, parts: tuple[str, str | None, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Any, ...]] = []
    monkeypatch.setattr(
        "huggingface_hub.hf_hub_download",
        lambda repository, name, revision: asked.append((repository, revision, name)) or __file__,
    )
    assert tuple(hub_file(reference)) == parts
    assert str(models._adapter_file(reference)) == __file__
    assert asked == [parts]


@pytest.mark.parametrize("reference", ["hub:", "hub:a/b", "hub:a/b@/c", "hub:/b/c"])
def test_other_references_to_the_hub_are_refused(reference: str) -> None:
    with pytest.raises(ValidationError, match="no file on the Hub; write hub:OWNER"):
        ModelConfig.model_validate({"family": "flux", "adapters": {"sr": reference}})


def test_a_source_is_loaded_at_its_revision(monkeypatch: pytest.MonkeyPatch) -> None:
    from diffusers import UNet2DConditionModel

    asked: list[dict[str, Any]] = []

    def from_pretrained(source: str, **options: Any) -> None:
        asked.append({"source": source, **options})
        raise OSError("stop")

    monkeypatch.setattr(UNet2DConditionModel, "from_pretrained", from_pretrained)
    config = ModelConfig.model_validate({"family": "sd15", "source": "a/b", "revision": "c0ffee"})
    with pytest.raises(BackboneError, match="Accept its licence"):
        build_model(config)
    assert (asked[0]["source"], asked[0]["revision"]) == ("a/b", "c0ffee")


def test_rank_and_alpha_are_by_role_or_one_for_all() -> None:
    network = {"family": "flux", **FAMILIES["flux"]}
    by_role = build_model(ModelConfig.model_validate({**network, "rank": {"sr": 8}, "alpha": {"sr": 4, "dpo": 32}}))
    for role, rank, alpha in (("sr", 8, 4.0), ("dpo", 16, 32.0), ("adv", 16, 16.0)):
        by_role.new_adapter(role)  # type: ignore[arg-type]
        assert by_role.adapters.parameters(role)[0].shape[0] == rank  # type: ignore[arg-type]
        config = by_role.adapters._configs[role]  # type: ignore[index]
        assert (config.r, config.lora_alpha) == (rank, alpha)
    old = ModelConfig.model_validate({**network, "rank": 4, "alpha": 8})
    assert [(old.rank_of(role), old.alpha_of(role)) for role in ("sr", "dpo")] == [(4, 8.0), (4, 8.0)]  # type: ignore[arg-type]
    flux = load_config("flux-dev").model
    assert (flux.rank_of("sr"), flux.rank_of("dpo"), flux.rank_of("adv")) == (128, 16, 16)
    assert flux.alpha_of("sr") / flux.rank_of("sr") == flux.alpha_of("dpo") / flux.rank_of("dpo") == 1


@pytest.mark.parametrize(
    ("preset", "changes", "said"),
    [
        ("flux-dev", {"data.crop": 504}, "'data.crop': 504 does not fit a flux .*of 16; give 496 or 512"),
        ("sd15", {"data.crop": 480}, "multiple of 64; give 448 or 512"),
        ("sdxl", {"data.crop": 528}, "multiple of 32; give 512 or 544"),
        ("small", {"data.crop": 60}, "multiple of 8; give 56 or 64"),
        ("small", {"data.crop": 64, "data.scale": 3}, "no multiple of the scale 3; give 63 or 66"),
        ("small", {"preference.beta": -5}, "'preference.beta': .*greater than 0"),
        ("small", {"preference.beta": 0}, "'preference.beta'"),
        ("small", {"preference.negatives": [{"kind": "policy", "trust": -1}]}, "trust"),
        ("small", {"preference.negatives": [{"kind": "policy", "trust": 1.5}]}, "trust"),
        ("small", {"preference.negatives": [{"kind": "gradient", "radius": 0}]}, "radius"),
        ("small", {"preference.sobolev": {"s": -1}}, "'preference.sobolev.s'"),
        (
            "small", {"preference.sobolev": {"basis": "rfft2"}, "preference.negatives": [{"kind": "gradient"}]},
            "kind 'gradient' need dct or fft",
        ),
        ("flux-dev", {"sampling.tile": 65}, "'sampling.tile': 65 does not fit a flux backbone.*give 64 or 66"),
        ("sd15", {"sampling.tile": 60}, "give 56 or 64"),
        ("flux-dev", {"sampling.overlap": 64}, "'sampling.overlap': 64 is not smaller than 'sampling.tile', 64"),
        ("small", {"model.scale": 2, "data.scale": 3}, "'data.scale': 3 is not the model's scale, 2"),
        ("small", {"model.rank": 0}, "'model.rank"),
        ("small", {"model.rank": {"sd": 4}}, "'model.rank"),
        ("small", {"model.alpha": 0}, "'model.alpha"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_told_with_the_remedy(preset: str, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(TrainingConfigError, match=said) as told:
        load_config(preset, changes)
    assert "Value error" not in str(told.value)
    assert "''" not in str(told.value)


def test_the_configurations_own_values_fit() -> None:
    for name in preset_names():
        load_config(name)


@pytest.mark.parametrize("family", FAMILIES)
def test_multiples_are_those_of_the_networks(family: str) -> None:
    """What a configuration tells before its network is built is what the network says."""
    config = ModelConfig.model_validate({"family": family, **FAMILIES[family]})
    model = build_model(config)
    assert (config.multiple, config.reduction) == (model.backbone.multiple, model.codec.reduction)
    assert isinstance(model.adapters, Adapters)


def test_the_scale_is_the_models_and_the_datas() -> None:
    assert load_config("small").scale == 4
    for changes in ({"data.scale": 2}, {"model.scale": 2}):
        config = load_config("small", changes)
        assert (config.scale, config.data.scale) == (2, 2)


def test_the_old_key_of_colored_noise_is_the_models_noise() -> None:
    """Which every stage and the sampling take."""
    config = load_config("small", {"preference.colored_noise": True})
    assert (config.model.noise.s, config.model.noise.size) == (1.5, 64)
    kept = load_config("small", {"preference.colored_noise": True, "model.noise": {"s": 0.5, "size": 8}})
    assert (kept.model.noise.s, kept.model.noise.size) == (0.5, 8)
    assert load_config("small").model.noise.s == 0
    assert config.sampling.colored_noise is None
