"""Diffusion pipelines: the real classes of diffusers on random weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from asasr_bench.methods.diffusion.pipelines import pipeline_ids
from asasr_bench.methods.errors import MethodError, MethodReferenceError, MissingWeightsError
from asasr_bench.methods.registry import REGISTRY, resolve, resolve_and_load
from torch.nn import functional


@pytest.fixture(autouse=True)
def nothing_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASASR_BENCH_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))


def reference(id: str, folder: Path, **sampling: object) -> dict[str, object]:
    return {"id": id, "folder": str(folder), "sampling": {"steps": 4, **sampling}}


@pytest.mark.parametrize("id", pipeline_ids())
def test_a_pipeline_restores_by_its_seeds_alone(
    id: str, saved_pipeline: Callable[[str], Path], tiny_pipeline: Callable[[str], Any]
) -> None:
    method = resolve_and_load(reference(id, saved_pipeline(id)))
    assert method.card.parameters == sum(
        p.numel() for part in tiny_pipeline(id).components.values() if isinstance(part, torch.nn.Module)
        for p in part.parameters()
    )  # fmt: skip
    lq = torch.rand(2, 3, 12, 10, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        both = method.restore(lq, 4, [3, 4])
        again = method.restore(lq[1:], 4, [4])
        other = method.restore(lq[1:], 4, [5])
    assert both.shape == (2, 3, 48, 40)
    assert bool(torch.isfinite(both).all())
    assert torch.equal(both[1:], again)
    assert not torch.equal(again, other)
    with pytest.raises(MethodError, match="for scale 4, not 2"):
        method.restore(lq, 2, [3, 4])


@pytest.mark.parametrize("id", ["sd-x4-upscaler", "flux-upscaler", "sd15-tile"])
def test_a_pipeline_gives_what_diffusers_gives(id: str, saved_pipeline: Callable[[str], Path]) -> None:
    """The pipeline called by hand as its model card does it, on an image whose size needs no padding."""
    import diffusers

    lq = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    enlarged = functional.interpolate(lq, (64, 64), mode="bicubic", align_corners=False).clamp(0, 1)
    call = {
        "sd-x4-upscaler": {"image": lq, "prompt": "", "noise_level": 20, "guidance_scale": 9.0},
        "flux-upscaler": {
            "control_image": enlarged, "prompt": "", "guidance_scale": 3.5, "controlnet_conditioning_scale": 0.6,
            "height": 64, "width": 64,
        },
        "sd15-tile": {
            "image": enlarged, "control_image": enlarged, "prompt": "best quality", "strength": 1.0,
            "negative_prompt": "blur, lowres, bad anatomy, bad hands, cropped, worst quality",
        },
    }[id]  # fmt: skip
    pipeline = diffusers.DiffusionPipeline.from_pretrained(saved_pipeline(id))
    pipeline.set_progress_bar_config(disable=True)
    generator = torch.Generator().manual_seed(7)
    expected = pipeline(**call, num_inference_steps=4, generator=generator, output_type="pt").images
    made = resolve_and_load(reference(id, saved_pipeline(id))).restore(lq, 4, [7])
    torch.testing.assert_close(made, expected.clamp(0, 1), atol=2e-5, rtol=0)


def test_large_images_are_sampled_in_tiles(saved_pipeline: Callable[[str], Path]) -> None:
    method = resolve_and_load(reference("sd-x4-upscaler", saved_pipeline("sd-x4-upscaler"), tile=16, overlap=8))
    lq = torch.rand(1, 3, 40, 24, generator=torch.Generator().manual_seed(1))
    first, second = (method.restore(lq, 4, [seed]) for seed in (0, 0))
    assert first.shape == (1, 3, 160, 96)
    assert torch.equal(first, second)
    assert not torch.equal(first, method.restore(lq, 4, [1]))


@pytest.mark.parametrize("id", pipeline_ids())
def test_what_is_missing_is_told(id: str) -> None:
    entry = REGISTRY.get(id)
    assert entry.card.licence
    assert entry.card.steps
    with pytest.raises(MissingWeightsError, match="'hf download ") as caught:
        resolve(id)
    assert entry.card.licence in str(caught.value)
    with pytest.raises(MissingWeightsError):
        entry.load("cpu")


def test_weights_and_settings_are_its_identity(
    saved_pipeline: Callable[[str], Path], tiny_pipeline: Callable[[str], Any], tmp_path: Path
) -> None:
    id = "ldm-super-resolution"
    plain = resolve(reference(id, saved_pipeline(id)))
    assert plain.card.steps == 4
    assert resolve(reference(id, saved_pipeline(id), eta=0.0)).identity("x", 4) != plain.identity("x", 4)
    other = tiny_pipeline(id)
    torch.nn.init.zeros_(other.unet.conv_out.weight)
    other.save_pretrained(tmp_path / "other")
    assert resolve(reference(id, tmp_path / "other")).identity("x", 4) != plain.identity("x", 4)


def test_weights_are_found_in_our_folder_and_in_the_hubs_cache(
    tiny_pipeline: Callable[[str], Any], tmp_path: Path
) -> None:
    id, source = "ldm-super-resolution", "CompVis/ldm-super-resolution-4x-openimages"
    tiny_pipeline(id).save_pretrained(tmp_path / "weights" / source)
    own = resolve(id).weights_digest
    revision = "1" * 40
    cache = tmp_path / "hub" / f"models--{source.replace('/', '--')}"
    (tmp_path / "weights" / source).rename(_made(cache / "snapshots") / revision)
    _made(cache / "refs").joinpath("main").write_text(revision)
    assert resolve(id).weights_digest == own
    assert resolve_and_load(id).restore(torch.rand(1, 3, 4, 4), 4, [0]).shape == (1, 3, 16, 16)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def test_wrong_settings_and_folders_are_named(saved_pipeline: Callable[[str], Path], tmp_path: Path) -> None:
    with pytest.raises(MethodError, match="its sampling has no 'stepps'"):
        resolve({"id": "sd15-img2img", "sampling": {"stepps": 3}})
    with pytest.raises(MethodError, match="'steps' must be a whole number of at least 1"):
        resolve({"id": "sd15-img2img", "sampling": {"steps": 0}})
    with pytest.raises(MethodError, match=r"holds no model_index\.json"):
        resolve({"id": "sd15-img2img", "folder": str(tmp_path)})
    with pytest.raises(MethodError, match="is no FluxControlNetPipeline"):
        resolve_and_load({"id": "flux-upscaler", "folder": str(saved_pipeline("ldm-super-resolution"))})
    with pytest.raises(MethodReferenceError, match="'folder' goes with"):
        resolve({"id": "bicubic", "folder": str(tmp_path)})
