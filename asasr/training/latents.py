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
        parts = {part: torch.cat([row[part] for row in rows]).float() for part in _PARTS}

        def sampled(which: str) -> Tensor:
            mean = parts[f"{which}_mean"]
            noise = torch.from_numpy(rng.standard_normal(tuple(mean.shape), dtype=np.float32))
            return mean + parts[f"{which}_deviation"] * noise

        return sampled("hq"), sampled("lq")

    def _row(self, number: int) -> dict[str, Tensor]:
        shard, row = divmod(number, _SHARD)
        path = shard_file(self._folder, shard)
        try:
            if shard not in self._open:
                self._open[shard] = safe_open(path, "pt")
            return {part: self._open[shard].get_slice(part)[row : row + 1] for part in _PARTS}
        except (OSError, SafetensorError) as error:
            raise TrainingError(f"{path}: damaged ({error}); remove it and run the same command") from None


def shard_file(folder: Path, number: int) -> Path:
    """The file of some pairs."""
    return folder / f"{number:05d}.safetensors"


def cache_latents(
    pairs: Pairs, codec: VaeCodec, folder: Path, count: int, *, seed: int, batch: int, recipe: Mapping[str, object],
    resize: Resize = "bicubic",
    processes: Processes = Processes(),  # noqa: B008
) -> CachedLatents:  # fmt: skip
    """Encode ``count`` pairs, each process its share of the files, from where it stopped if it was stopped.

    Args:
        folder: of all latents; those of one recipe have a folder in it, named by its digest.
        recipe: what determines the pairs.
    """
    told = json.dumps({**recipe, "count": count, "seed": seed}, indent=1, sort_keys=True)
    own = folder / hashlib.sha256(told.encode()).hexdigest()[:_DIGITS]
    if not (own / _RECIPE).exists():
        write_atomically(own / _RECIPE, told.encode())
    numbers = range((count + _SHARD - 1) // _SHARD)
    for number in processes.share(numbers):
        if not shard_file(own, number).exists():
            size = min(_SHARD, count - number * _SHARD)
            _encode(pairs, codec, shard_file(own, number), size, batch, np.random.default_rng([seed, number]), resize)
    processes.wait_for(shard_file(own, number) for number in numbers)
    return CachedLatents(own, count)


def _encode(
    pairs: Pairs, codec: VaeCodec, path: Path, count: int, batch: int, rng: np.random.Generator, resize: Resize
) -> None:  # fmt: skip
    device = next(codec.vae.parameters()).device
    moments: dict[str, list[Tensor]] = {part: [] for part in _PARTS}
    for start in range(0, count, batch):
        hq, lq = (images.to(device) for images in pairs.draw(min(batch, count - start), rng))
        enlarged = resized(lq, hq.shape[-2], hq.shape[-1], resize)
        for which, images in (("hq", hq), ("lq", enlarged)):
            for part, tensor in zip(("mean", "deviation"), codec.moments(images), strict=True):
                moments[f"{which}_{part}"].append(tensor.to("cpu", torch.float16))
    temporary = path.with_name(f".{path.name}.tmp")
    with writing_into(path.parent):
        save_file({part: torch.cat(tensors).contiguous() for part, tensors in moments.items()}, temporary)
    temporary.replace(path)
