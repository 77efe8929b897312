"""Latents of training pairs, encoded once: a VAE costs more than the step that needs its output."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ...datasets.images import write_atomically
from ..backbones.codec import VaeCodec
from ..choices import Resize
from ..errors import TrainingError
from ..resize import resized
from .batches import Pairs
from .processes import Processes
from .states import writing_into

_SHARD = 64
"""Pairs in a file: at most a minute of encoding is lost by a kill."""
_RECIPE = "recipe.json"
_DIGITS = 16
_PARTS = ("hq_mean", "hq_deviation", "lq_mean", "lq_deviation")


class CachedLatents:
    """A source of pairs whose HQ and LQ are latents, their posterior sampled anew for each batch.

    Rows are read from memory-mapped files when they are drawn; none is held.
    """

    encoded = True

    def __init__(self, folder: Path, count: int) -> None:
        self._folder, self._count = folder, count
        self._open: dict[int, Any] = {}

    def __len__(self) -> int:
        return self._count

    def __getstate__(self) -> dict[str, Any]:
        """Open files stay in their process."""
        return {**self.__dict__, "_open": {}}

    def draw(self, size: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """See ``Pairs``."""
        rows = [self._row(int(number)) for number in rng.integers(len(self), size=size)]
        moments = {moment: torch.cat([row[moment] for row in rows]).float() for moment in _PARTS}

        def sampled(side: str) -> Tensor:
            mean = moments[f"{side}_mean"]
            noise = torch.from_numpy(rng.standard_normal(tuple(mean.shape), dtype=np.float32))
            return mean + moments[f"{side}_deviation"] * noise

        return sampled("hq"), sampled("lq")

    def _row(self, number: int) -> dict[str, Tensor]:
        shard, row = divmod(number, _SHARD)
        path = shard_file(self._folder, shard)
        try:
            if shard not in self._open:
                self._open[shard] = safe_open(path, "pt")
            return {moment: self._open[shard].get_slice(moment)[row : row + 1] for moment in _PARTS}
        except (OSError, SafetensorError) as error:
            raise TrainingError(f"{path}: damaged ({error}); remove it and run the same command") from None


def shard_file(folder: Path, number: int) -> Path:
    """Path of the file with this number."""
    return folder / f"{number:05d}.safetensors"


def cache_latents(
    pairs: Pairs,
    codec: VaeCodec,
    folder: Path,
    count: int,
    *,
    seed: int,
    batch: int,
    recipe: Mapping[str, object],
    resize: Resize = "bicubic",
    processes: Processes = Processes(),  # noqa: B008
) -> CachedLatents:
    """Encode ``count`` pairs, each process its share of the files; an interrupted encoding continues.

    Args:
        pairs: the source of pairs.
        codec: the VAE.
        folder: folder of all cached latents; each recipe has a subfolder named by its digest.
        count: number of pairs.
        seed: seed of the pairs.
        batch: pairs that are encoded at once.
        recipe: everything that determines the pairs; serialisable as JSON.
        resize: how LQ is brought to output size.
        processes: the processes that share the work.
    """
    description = json.dumps({**recipe, "count": count, "seed": seed}, indent=1, sort_keys=True)
    recipe_folder = folder / hashlib.sha256(description.encode()).hexdigest()[:_DIGITS]
    if not (recipe_folder / _RECIPE).exists():
        write_atomically(recipe_folder / _RECIPE, description.encode())
    numbers = range((count + _SHARD - 1) // _SHARD)
    for number in processes.share(numbers):
        if not shard_file(recipe_folder, number).exists():
            size = min(_SHARD, count - number * _SHARD)
            _encode(
                pairs,
                codec,
                shard_file(recipe_folder, number),
                size,
                batch,
                np.random.default_rng([seed, number]),
                resize,
            )
    processes.wait_for(shard_file(recipe_folder, number) for number in numbers)
    return CachedLatents(recipe_folder, count)


def _encode(
    pairs: Pairs, codec: VaeCodec, path: Path, count: int, batch: int, rng: np.random.Generator, resize: Resize
) -> None:
    device = next(codec.vae.parameters()).device
    moments: dict[str, list[Tensor]] = {moment: [] for moment in _PARTS}
    for start in range(0, count, batch):
        hq, lq = (images.to(device) for images in pairs.draw(min(batch, count - start), rng))
        enlarged = resized(lq, hq.shape[-2], hq.shape[-1], resize)
        for side, images in (("hq", hq), ("lq", enlarged)):
            for moment, tensor in zip(("mean", "deviation"), codec.moments(images), strict=True):
                moments[f"{side}_{moment}"].append(tensor.to("cpu", torch.float16))
    temporary = path.with_name(f".{path.name}.tmp")
    with writing_into(path.parent):
        save_file({moment: torch.cat(tensors).contiguous() for moment, tensors in moments.items()}, temporary)
    temporary.replace(path)
