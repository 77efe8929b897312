"""Latents of training pairs, encoded once: a VAE costs more than the step that needs its output."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from ...datasets.images import write_atomically
from ..backbones.codec import VaeCodec
from ..choices import Resize
from ..errors import TrainingError
from ..resize import resized
from .batches import Pairs
from .states import writing_into

_SHARD = 64
_RECIPE = "recipe.json"
_PARTS = ("hq_mean", "hq_deviation", "lq_mean", "lq_deviation")


class CachedLatents:
    """A source of pairs whose HQ and LQ are latents, their posterior sampled anew for each batch."""

    encoded = True

    def __init__(self, folder: Path) -> None:
        self._files = sorted(folder.glob("*.safetensors"))
        shards = [load_file(path) for path in self._files]
        self._parts = {part: torch.cat([shard[part] for shard in shards]) for part in _PARTS}

    def __len__(self) -> int:
        return len(self._parts["hq_mean"])

    def draw(self, size: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """See ``Pairs``."""
        chosen = torch.from_numpy(rng.integers(len(self), size=size))
        parts = {part: tensor[chosen].float() for part, tensor in self._parts.items()}

        def sampled(which: str) -> Tensor:
            mean = parts[f"{which}_mean"]
            noise = torch.from_numpy(rng.standard_normal(tuple(mean.shape), dtype=np.float32))
            return mean + parts[f"{which}_deviation"] * noise

        return sampled("hq"), sampled("lq")


def cache_latents(
    pairs: Pairs, codec: VaeCodec, folder: Path, count: int, *, seed: int, batch: int, recipe: dict[str, object],
    resize: Resize = "bicubic",
) -> CachedLatents:  # fmt: skip
    """Encode ``count`` pairs into ``folder``, from where it stopped if it was stopped, and open them.

    Args:
        recipe: what determines the pairs; a folder made by another one is refused.

    Raises:
        TrainingError: the folder holds other latents.
    """
    told = json.dumps({**recipe, "count": count, "seed": seed}, indent=1, sort_keys=True)
    path = folder / _RECIPE
    if path.exists() and path.read_text() != told:
        raise TrainingError(f"{folder}: holds latents of other data or settings; remove it, or name another folder")
    write_atomically(path, told.encode())
    device = next(codec.vae.parameters()).device
    for number, start in enumerate(range(0, count, _SHARD)):
        shard = folder / f"{number:05d}.safetensors"
        if shard.exists():
            continue
        rng = np.random.default_rng([seed, number])
        found: dict[str, list[Tensor]] = {part: [] for part in _PARTS}
        left = min(_SHARD, count - start)
        while left:
            size = min(batch, left)
            hq, lq = (images.to(device) for images in pairs.draw(size, rng))
            enlarged = resized(lq, hq.shape[-2], hq.shape[-1], resize)
            for which, images in (("hq", hq), ("lq", enlarged)):
                for part, tensor in zip(("mean", "deviation"), codec.moments(images), strict=True):
                    found[f"{which}_{part}"].append(tensor.to("cpu", torch.float16))
            left -= size
        temporary = folder / f".{shard.name}.tmp"
        with writing_into(folder):
            save_file({part: torch.cat(tensors).contiguous() for part, tensors in found.items()}, temporary)
        temporary.replace(shard)
    return CachedLatents(folder)
