"""Super-resolution through pipelines of diffusers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..entry import MethodEntry
from ..errors import MethodError, MissingWeightsError
from ..interface import AnyMethod, Interface, MethodCard
from ..networks.tiling import restore_tiled
from .pipelines import (
    PIPELINES,
    SCALE,
    Pipeline,
    PipelineFiles,
    find_pipeline,
    missing_pipeline,
    pipeline_card,
    pipeline_settings,
)

if TYPE_CHECKING:
    from torch import Tensor


class DiffusionMethod:
    """A ``Method`` that samples from a pipeline of diffusers, with separate noise for every image and tile.

    Args:
        card: description of the method.
        description: how the pipeline is called and what its network expects.
        pipeline: the loaded pipeline of diffusers.
        settings: see ``pipeline_settings``.
    """

    def __init__(self, card: MethodCard, description: Pipeline, pipeline: Any, settings: Mapping[str, Any]) -> None:
        self.card = card
        self._wanted, self._pipeline = description, pipeline
        self._call = {key: value for key, value in settings.items() if key not in ("steps", "tile", "overlap")}
        self._steps, self._tile, self._overlap = settings["steps"], settings["tile"], settings["overlap"]

    def restore(self, lq: Tensor, scale: float, seeds: Sequence[int]) -> Tensor:
        """See ``Method``; images are sampled one by one, so that no image depends on its batch."""
        import torch

        if scale != SCALE:
            raise MethodError(f"{self.card.id} is a pipeline for scale {SCALE}, not {scale}; give --scale")
        return torch.cat([self._restore_one(image[None], seed) for image, seed in zip(lq, seeds, strict=True)])

    def _restore_one(self, lq: Tensor, seed: int) -> Tensor:
        tiles = 0

        def forward(tile: Tensor) -> Tensor:
            nonlocal tiles
            tiles += 1
            return self._sample(tile, seed if tiles == 1 else derived_seed(seed, f"tile {tiles}"))

        return restore_tiled(forward, lq, SCALE, tile=self._tile, overlap=self._overlap, blend=self._overlap)

    def _sample(self, lq: Tensor, seed: int) -> Tensor:
        import torch
        from torch.nn import functional

        height, width = SCALE * lq.shape[-2], SCALE * lq.shape[-1]
        image = lq
        if self._wanted.enlarged:
            image = functional.interpolate(lq, (height, width), mode="bicubic", align_corners=False).clamp(0, 1)
        image = _padded(image, self._wanted.multiple)
        if self._wanted.signed:
            image = image * 2 - 1
        arguments: dict[str, Any] = {name: image.to(self._pipeline.dtype) for name in self._wanted.image}
        if self._wanted.pipeline == "FluxControlNetPipeline":
            arguments |= {"height": image.shape[-2], "width": image.shape[-1]}
        generator = torch.Generator().manual_seed(seed)  # on the CPU: the same noise on every device
        with torch.random.fork_rng([lq.device] if lq.device.type == "cuda" else []):
            torch.manual_seed(derived_seed(seed, "steps"))  # some schedulers draw theirs from the global generator
            images = self._pipeline(
                **arguments, **self._call, num_inference_steps=self._steps, generator=generator, output_type="pt"
            ).images
        sr: Tensor = images[..., :height, :width].to(lq).clamp(0, 1)
        return sr


def derived_seed(seed: int, purpose: str) -> int:
    """A seed for a second purpose that is independent of ``seed``: equal seeds would give equal noise."""
    return int.from_bytes(hashlib.sha256(f"{seed} {purpose}".encode()).digest()[:7], "big")


def _padded(images: Tensor, multiple: int) -> Tensor:
    """Repeat the right and lower edge until both sides are multiples of ``multiple``."""
    from torch.nn import functional

    extra_rows, extra_columns = -images.shape[-2] % multiple, -images.shape[-1] % multiple
    return (
        functional.pad(images, [0, extra_columns, 0, extra_rows], mode="replicate")
        if extra_rows or extra_columns
        else images
    )


def load_pipeline(
    id: str, files: PipelineFiles, card: MethodCard, settings: Mapping[str, Any], device: str
) -> DiffusionMethod:
    """Load a pipeline from disk; nothing is downloaded and no code in the files is run.

    Args:
        id: id of the pipeline in ``PIPELINES``.
        files: where the pipeline is saved.
        card: description of the method; the number of parameters is added.
        settings: see ``pipeline_settings``.
        device: torch device. On ``cpu`` the networks run in float32, elsewhere in bfloat16.

    Raises:
        MethodError: the files do not hold this pipeline.
    """
    import diffusers
    import torch

    from ...asasr.precision import loaded_as

    description = PIPELINES[id]
    dtype = torch.float32 if device == "cpu" else torch.bfloat16
    options: dict[str, Any] = {**loaded_as(dtype), "local_files_only": True}
    if "Img2Img" in description.pipeline and "XL" not in description.pipeline:
        options |= {"safety_checker": None, "requires_safety_checker": False}  # it blackens photos that it suspects
    if "XL" in description.pipeline:
        options["add_watermarker"] = False  # it would depend on what else is installed
    try:
        if files.controlnet is not None:
            kind = diffusers.FluxControlNetModel if "Flux" in description.pipeline else diffusers.ControlNetModel
            options["controlnet"] = kind.from_pretrained(files.controlnet, **loaded_as(dtype), local_files_only=True)
        pipeline = getattr(diffusers, description.pipeline).from_pretrained(files.folder, **options)
    except (OSError, ValueError, RuntimeError, TypeError, AttributeError, KeyError) as error:
        text = " ".join(str(error).split())
        raise MethodError(f"{id}: {files.folder} is no {description.pipeline} ({text}); get it again") from None
    pipeline.set_progress_bar_config(disable=True)
    pipeline.to(device)
    networks = [component for component in pipeline.components.values() if isinstance(component, torch.nn.Module)]
    parameters = sum(parameter.numel() for network in networks for parameter in network.parameters())
    return DiffusionMethod(replace(card, parameters=parameters), description, pipeline, settings)


def pipeline_entry(id: str, folder: str | None = None, changes: Mapping[str, object] | None = None) -> MethodEntry:
    """The method of a pipeline, whether or not its weights are on this machine.

    Args:
        id: id of the pipeline in ``PIPELINES``.
        folder: folder of a saved pipeline; None: the weights folder or the Hub's cache.
        changes: settings to replace; see ``pipeline_settings``.

    Raises:
        MethodError: the folder holds no pipeline, or a setting is unknown or invalid.
    """
    settings = pipeline_settings(id, changes or {})
    card = pipeline_card(id, settings)
    files = find_pipeline(id, folder)
    missing = missing_pipeline(id) if files is None else ""

    def load(device: str) -> AnyMethod:
        if files is None:
            raise MissingWeightsError(id, missing)
        return load_pipeline(id, files, card, settings, device)

    digest = "" if files is None else files.digest()
    return MethodEntry(card, Interface.TENSOR, load, settings, digest, missing, origin=f"diffusers {id}")
