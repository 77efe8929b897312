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
    """A ``Method``: samples of a pipeline, each image and tile on its own noise."""

    def __init__(self, card: MethodCard, wanted: Pipeline, pipeline: Any, settings: Mapping[str, Any]) -> None:
        self.card = card
        self._wanted, self._pipeline = wanted, pipeline
        self._call = {key: value for key, value in settings.items() if key not in ("steps", "tile", "overlap")}
        self._steps, self._tile, self._overlap = settings["steps"], settings["tile"], settings["overlap"]

    def restore(self, lq: Tensor, scale: int, seeds: Sequence[int]) -> Tensor:
        """See ``Method``; images are sampled one by one, so that none depends on its batch."""
        import torch

        if scale != SCALE:
            raise MethodError(f"{self.card.id} is a pipeline for scale {SCALE}, not {scale}; give --scale")
        return torch.cat([self._restore_one(image[None], seed) for image, seed in zip(lq, seeds, strict=True)])

    def _restore_one(self, lq: Tensor, seed: int) -> Tensor:
        tiles = 0

        def forward(piece: Tensor) -> Tensor:
            nonlocal tiles
            tiles += 1
            return self._sample(piece, seed if tiles == 1 else derived_seed(seed, f"tile {tiles}"))

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
            made = self._pipeline(
                **arguments, **self._call, num_inference_steps=self._steps, generator=generator, output_type="pt"
            ).images
        sr: Tensor = made[..., :height, :width].to(lq).clamp(0, 1)
        return sr


def derived_seed(seed: int, purpose: str) -> int:
    """A seed without relation to the one it is made from: equal seeds for two purposes would give equal noise."""
    return int.from_bytes(hashlib.sha256(f"{seed} {purpose}".encode()).digest()[:7], "big")


def _padded(images: Tensor, multiple: int) -> Tensor:
    """Extend the right and lower edge to a multiple by repeating it."""
    from torch.nn import functional

    down, right = -images.shape[-2] % multiple, -images.shape[-1] % multiple
    return functional.pad(images, [0, right, 0, down], mode="replicate") if down or right else images


def load_pipeline(
    id: str, files: PipelineFiles, card: MethodCard, settings: Mapping[str, Any], device: str
) -> DiffusionMethod:
    """Load a pipeline in float32 on a CPU, in bfloat16 elsewhere; nothing is downloaded and no code in files is run.

    Raises:
        MethodError: files that are no such pipeline.
    """
    import diffusers
    import torch

    from ...asasr.precision import loaded_as

    wanted = PIPELINES[id]
    dtype = torch.float32 if device == "cpu" else torch.bfloat16
    options: dict[str, Any] = {**loaded_as(dtype), "local_files_only": True}
    if "Img2Img" in wanted.pipeline and "XL" not in wanted.pipeline:
        options |= {"safety_checker": None, "requires_safety_checker": False}  # it blackens photos that it suspects
    if "XL" in wanted.pipeline:
        options["add_watermarker"] = False  # it would depend on what else is installed
    try:
        if files.controlnet is not None:
            kind = diffusers.FluxControlNetModel if "Flux" in wanted.pipeline else diffusers.ControlNetModel
            options["controlnet"] = kind.from_pretrained(files.controlnet, **loaded_as(dtype), local_files_only=True)
        pipeline = getattr(diffusers, wanted.pipeline).from_pretrained(files.folder, **options)
    except (OSError, ValueError, RuntimeError, TypeError, AttributeError, KeyError) as error:
        text = " ".join(str(error).split())
        raise MethodError(f"{id}: {files.folder} is no {wanted.pipeline} ({text}); get it again") from None
    pipeline.set_progress_bar_config(disable=True)
    pipeline.to(device)
    networks = [part for part in pipeline.components.values() if isinstance(part, torch.nn.Module)]
    parameters = sum(parameter.numel() for network in networks for parameter in network.parameters())
    return DiffusionMethod(replace(card, parameters=parameters), wanted, pipeline, settings)


def pipeline_entry(id: str, folder: str | None = None, changes: Mapping[str, object] | None = None) -> MethodEntry:
    """A pipeline, whether or not its weights are here.

    Raises:
        MethodError: a folder without a pipeline, or settings that it does not have.
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
