"""Pipelines of diffusers by id: cards, documented settings and where their weights are. Does not import torch."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ...datasets.fetch.digests import digest_of
from ..errors import MethodError
from ..interface import Family, MethodCard
from ..weights.files import own_folder

SCALE = 4
_HEX = 64  # the Hub's cache names large files by their SHA-256


@dataclass(frozen=True)
class Pipeline:
    """A pipeline and how its authors run it."""

    summary: str
    family: Family
    pipeline: str
    """Name of the class in diffusers."""
    source: str
    """Repository of the Hub with the whole pipeline."""
    paper: str
    licence: str
    size: str
    """Size of the download, as text for messages."""
    steps: int
    """Steps of the schedule; with ``strength`` only this fraction of them is run."""
    call: Mapping[str, object]
    """Arguments of the call, as the authors use them or, where they name none, the defaults of diffusers."""
    image: tuple[str, ...]
    """Names of the arguments that receive the image."""
    enlarged: bool
    """Whether the image is LQ enlarged to the size of the output; else LQ itself."""
    multiple: int
    """Sides of the image are padded to a multiple of this many pixels."""
    tile: int
    """LQ pixels of a tile's centre: with its context a tile has the size at which the network was trained."""
    controlnet: str = ""
    """Repository of the ControlNet; '' if the pipeline has none."""
    signed: bool = False
    """Whether the image is passed in [-1, 1] instead of [0, 1]."""


OVERLAP = 32
"""LQ pixels of context around a tile, over which neighbours are blended."""

_TILE_PROMPT = {
    "prompt": "best quality",
    "negative_prompt": "blur, lowres, bad anatomy, bad hands, cropped, worst quality",
}
# Without text and with an empty negative prompt both branches of guidance are equal: guidance 1 gives the same image in
# half the time.
_NO_TEXT = {"prompt": "", "guidance_scale": 1.0}

PIPELINES: dict[str, Pipeline] = {
    "sd-x4-upscaler": Pipeline(
        "Stable Diffusion x4 upscaler", "diffusion", "StableDiffusionUpscalePipeline",
        "stabilityai/stable-diffusion-x4-upscaler", "https://arxiv.org/abs/2112.10752", "openrail++", "3.5 GB", 75,
        {**_NO_TEXT, "noise_level": 20}, ("image",), enlarged=False, multiple=8, tile=64,
    ),
    "ldm-super-resolution": Pipeline(
        "Latent diffusion super-resolution x4 (OpenImages)", "diffusion", "LDMSuperResolutionPipeline",
        "CompVis/ldm-super-resolution-4x-openimages", "https://arxiv.org/abs/2112.10752", "Apache-2.0", "0.7 GB", 100,
        {"eta": 1.0}, ("image",), enlarged=False, multiple=16, tile=64, signed=True,
    ),
    "flux-upscaler": Pipeline(
        "FLUX.1-dev with the upscaling ControlNet of Jasper", "flow", "FluxControlNetPipeline",
        "black-forest-labs/FLUX.1-dev", "", "FLUX.1-dev non-commercial",
        "34 GB; accept FLUX's licence on its page first", 28,
        {"prompt": "", "guidance_scale": 3.5, "controlnet_conditioning_scale": 0.6}, ("control_image",),
        enlarged=True, multiple=16, tile=192, controlnet="jasperai/Flux.1-dev-Controlnet-Upscaler",
    ),
    "sd15-img2img": Pipeline(
        "Stable Diffusion 1.5 on the enlarged LQ (image-to-image), which knows nothing of degradation", "diffusion",
        "StableDiffusionImg2ImgPipeline", "stable-diffusion-v1-5/stable-diffusion-v1-5",
        "https://arxiv.org/abs/2112.10752", "CreativeML OpenRAIL-M", "4 GB", 50, {**_NO_TEXT, "strength": 0.3},
        ("image",), enlarged=True, multiple=64, tile=64,
    ),
    "sdxl-img2img": Pipeline(
        "Stable Diffusion XL on the enlarged LQ (image-to-image), which knows nothing of degradation", "diffusion",
        "StableDiffusionXLImg2ImgPipeline", "stabilityai/stable-diffusion-xl-base-1.0",
        "https://arxiv.org/abs/2307.01952", "CreativeML OpenRAIL++-M", "7 GB", 50,
        {"prompt": "", "guidance_scale": 5.0, "strength": 0.3}, ("image",), enlarged=True, multiple=64, tile=192,
    ),
    "sd15-tile": Pipeline(
        "Stable Diffusion 1.5 with the tile ControlNet", "diffusion", "StableDiffusionControlNetImg2ImgPipeline",
        "stable-diffusion-v1-5/stable-diffusion-v1-5", "https://arxiv.org/abs/2302.05543", "CreativeML OpenRAIL-M",
        "5.5 GB", 32, {**_TILE_PROMPT, "guidance_scale": 7.5, "strength": 1.0}, ("image", "control_image"),
        enlarged=True, multiple=64, tile=64, controlnet="lllyasviel/control_v11f1e_sd15_tile",
    ),
}  # fmt: skip
"""Steps, guidance and strengths are those of the model cards and of diffusers' documentation."""


def pipeline_ids() -> tuple[str, ...]:
    """Ids of all pipelines."""
    return tuple(PIPELINES)


@dataclass(frozen=True)
class PipelineFiles:
    """Where the files of a pipeline are."""

    folder: Path
    """The pipeline, as diffusers saves it."""
    controlnet: Path | None = None
    """The ControlNet, if it is saved in a separate folder."""

    def digest(self) -> str:
        """SHA-256 over the names and contents of all its files."""
        folders = [folder for folder in (self.folder, self.controlnet) if folder is not None]
        files = [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]
        lines = [f"{path.name} {_content(path)}" for path in files]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _content(path: Path) -> str:
    blob = path.resolve().name
    return blob if path.is_symlink() and len(blob) == _HEX else digest_of(path)


def find_pipeline(id: str, folder: str | None = None) -> PipelineFiles | None:
    """Find a pipeline's files in ``folder``, else in the weights folder or the Hub's cache; None if any is missing.

    Raises:
        MethodError: ``folder`` holds no pipeline.
    """
    if folder is not None:
        if not (Path(folder) / "model_index.json").is_file():
            raise MethodError(f"{id}: {folder} holds no model_index.json; give the folder that 'save_pretrained' wrote")
        return PipelineFiles(Path(folder))
    description = PIPELINES[id]
    pipeline_folder = _local(description.source, "model_index.json")
    controlnet_folder = _local(description.controlnet, "config.json") if description.controlnet else None
    if pipeline_folder is None or (description.controlnet and controlnet_folder is None):
        return None
    return PipelineFiles(pipeline_folder, controlnet_folder)


def _local(repository: str, marker: str) -> Path | None:
    """Local folder of a repository that contains the file ``marker``; None if the repository is not on this disk."""
    folder = own_folder() / repository
    if (folder / marker).is_file():
        return folder
    from huggingface_hub import try_to_load_from_cache

    cached = try_to_load_from_cache(repository, marker)
    return Path(cached).parent if isinstance(cached, str) else None


def missing_pipeline(id: str) -> str:
    """Message for a pipeline whose weights are missing, with the commands that download them."""
    description = PIPELINES[id]
    repositories = [description.source, *([description.controlnet] if description.controlnet else [])]
    commands = " and ".join(f"'hf download {repository}'" for repository in repositories)
    return (
        f"{id}: weights of {' and '.join(repositories)} are missing ({description.licence}; {description.size}); get"
        f" them with {commands}, or give your copy: {{id: {id}, folder: DIR}}"
    )


def pipeline_settings(id: str, changes: Mapping[str, object]) -> dict[str, object]:
    """Steps, tile and arguments of the call, with some replaced.

    Args:
        id: id of the pipeline in ``PIPELINES``.
        changes: values to replace, by key.

    Raises:
        MethodError: the pipeline has no such key, or a value has the wrong type or is too small.
    """
    description = PIPELINES[id]
    settings: dict[str, object] = {
        "steps": description.steps,
        "tile": description.tile,
        "overlap": OVERLAP,
        **description.call,
    }
    unknown = sorted(set(changes) - set(settings))
    if unknown:
        raise MethodError(f"{id}: its sampling has no '{unknown[0]}' (known: {', '.join(settings)})")
    for key, value in changes.items():
        if isinstance(value, str) != isinstance(settings[key], str) or isinstance(value, bool | list | dict):
            raise MethodError(f"{id}: '{key}' must be like {settings[key]!r}, not {value!r}")
    settings |= changes
    for key, minimum in (("steps", 1), ("tile", 8), ("overlap", 0)):
        number = settings[key]
        if not isinstance(number, int) or number < minimum:
            raise MethodError(f"{id}: '{key}' must be a whole number of at least {minimum}, not {number!r}")
    return settings


def pipeline_card(id: str, settings: Mapping[str, object] | None = None) -> MethodCard:
    """Card of a pipeline that runs with these settings; None: its defaults."""
    description = PIPELINES[id]
    values = pipeline_settings(id, {}) if settings is None else settings
    steps, strength = values["steps"], values.get("strength", 1.0)
    assert isinstance(steps, int)
    assert isinstance(strength, float | int)
    return MethodCard(
        id,
        description.family,
        description.summary,
        (SCALE,),
        deterministic=False,
        paper=description.paper,
        code=f"diffusers, {description.pipeline}",
        licence=description.licence,
        weights=(description.source, description.controlnet) if description.controlnet else (description.source,),
        steps=min(steps, int(steps * strength)),
    )
