"""Training batches. Each depends only on the seed and its number, so that a resumed training sees the same batches."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torch.utils.data.dataloader import _MultiProcessingDataLoaderIter

from ...datasets.dataset import image_files, listed
from ...datasets.degradation.pipeline import degrade, draw_recipe
from ...datasets.degradation.settings import DegradationSettings
from ...datasets.images import as_rgb, read_image
from ..errors import TrainingError
from .sharpening import unsharp_mask
from .stopping import without_signals

_CACHED_IMAGES = 512


class Batch(NamedTuple):
    """Pairs of crops, and the seed of all other random draws for them."""

    hq: Tensor
    """``[B, 3, H, W]`` in [0, 1]."""
    lq: Tensor
    """``[B, 3, H / scale, W / scale]`` in [0, 1]."""
    seed: int
    encoded: bool = False
    """Whether both are latents already, those of LQ at output size."""


class Pairs(Protocol):
    """A source of training pairs."""

    def draw(self, size: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """HQ and LQ crops, a batch of each."""


class DegradedCrops:
    """HQ crops with LQ made on the fly.

    Args:
        files: HQ images.
        settings: the degradation.
        crop: side of an HQ crop.
        margin: HQ pixels around a crop that are degraded with it, so that no border effect is learned.
        geometries: how many resize-and-noise geometries a batch shares; fewer are faster, more are more varied.
        sharpen: apply ``unsharp_mask`` to HQ, before it is degraded.
    """

    def __init__(
        self,
        files: Sequence[Path],
        settings: DegradationSettings,
        *,
        crop: int,
        margin: int = 32,
        geometries: int = 4,
        sharpen: bool = False,
    ) -> None:
        self.files, self.settings, self.crop = list(files), settings, crop
        self.margin = margin - margin % settings.scale
        self.geometries = geometries
        self.sharpen = sharpen

    def draw(self, size: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """See ``Pairs``."""
        side = self.crop + 2 * self.margin
        crops = [_random_crop(self.files[rng.integers(len(self.files))], side, rng) for _ in range(size)]
        hq = _to_tensor(crops)
        if self.sharpen:
            hq = unsharp_mask(hq)
        shared = [int(rng.integers(2**63)) for _ in range(min(self.geometries, size))]
        recipes = [
            draw_recipe(self.settings, rng, np.random.default_rng(shared[index * len(shared) // size]))
            for index in range(size)
        ]
        lq = degrade(hq, recipes, self.settings.scale)
        inner, small = self.margin, self.margin // self.settings.scale
        low = self.crop // self.settings.scale
        return (
            hq[..., inner : inner + self.crop, inner : inner + self.crop].contiguous(),
            lq[..., small : small + low, small : small + low].contiguous(),
        )


class PairedCrops:
    """Crops of images that were prepared before: HQ and LQ of one stem.

    Args:
        hq: folder of HQ images.
        lq: folder of LQ images with the same stems.
        crop: side of an HQ crop.
        scale: size of HQ relative to LQ.
        held_out_stems: stems of images that are kept out of training.
        sharpen: apply ``unsharp_mask`` to HQ.
    """

    def __init__(
        self, hq: Path, lq: Path, *, crop: int, scale: int, held_out_stems: Container[str] = (), sharpen: bool = False
    ) -> None:
        pairs = paired_files(hq, lq)
        self.files = [pair for stem, pair in sorted(pairs.items()) if stem not in held_out_stems]
        self.crop, self.scale, self.sharpen = crop, scale, sharpen

    @classmethod
    def of(cls, files: Sequence[tuple[Path, Path]], *, crop: int, scale: int) -> PairedCrops:
        """From pairs of HQ and LQ files in a given order."""
        pairs = cls.__new__(cls)
        pairs.files, pairs.crop, pairs.scale, pairs.sharpen = list(files), crop, scale, False
        return pairs

    def draw(self, size: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """See ``Pairs``."""
        pairs = [self._pair(*self.files[rng.integers(len(self.files))], rng) for _ in range(size)]
        hq = _to_tensor([hq for hq, _ in pairs])
        return unsharp_mask(hq) if self.sharpen else hq, _to_tensor([lq for _, lq in pairs])

    def _pair(self, hq_file: Path, lq_file: Path, rng: np.random.Generator) -> tuple[Any, Any]:
        return _paired_crop(_read(hq_file), _read(lq_file), self.crop, self.scale, rng, str(lq_file))


def paired_files(hq: Path, lq: Path) -> dict[str, tuple[Path, Path]]:
    """HQ and LQ files by stem.

    Raises:
        TrainingError: an image has no partner.
    """
    large, small = image_files(hq), image_files(lq)
    if set(large) != set(small):
        raise TrainingError(f"{hq} and {lq}: images without a partner: {listed(sorted(set(large) ^ set(small)))}")
    return {stem: (large[stem], small[stem]) for stem in large}


class HubPairs:
    """Rows of a Hugging Face dataset with two image columns.

    Args:
        name: Hub id or local folder, as ``datasets.load_dataset`` takes it.
        columns: names of the columns of HQ and LQ.
        crop: side of an HQ crop.
        scale: size of HQ relative to LQ.
        split: split of the dataset.
        held_out: number of rows at the end that are kept out of training.
        sharpen: apply ``unsharp_mask`` to HQ.
    """

    def __init__(
        self,
        name: str,
        columns: tuple[str, str],
        *,
        crop: int,
        scale: int,
        split: str = "train",
        held_out: int = 0,
        sharpen: bool = False,
    ) -> None:
        try:
            from datasets import load_dataset  # type: ignore[attr-defined,unused-ignore]
        except ImportError:
            raise TrainingError("training from a Hugging Face dataset needs: pip install datasets") from None
        self.rows = load_dataset(name, split=split)
        missing = [column for column in columns if column not in self.rows.column_names]
        if missing:
            raise TrainingError(f"{name}: no column {listed(missing)}; it has {listed(self.rows.column_names)}")
        self.name, self.columns, self.crop, self.scale = name, columns, crop, scale
        self.sharpen, self.count = sharpen, len(self.rows) - held_out
        if self.count < 1:
            raise TrainingError(
                f"{name}: {len(self.rows)} rows are too few, data.held_out keeps {held_out} of them for validation"
            )

    def row(self, number: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """HQ and LQ of one row, whole."""
        row = self.rows[number]
        hq, lq = (np.asarray(row[column].convert("RGB")) for column in self.columns)
        return hq, lq

    def draw(self, size: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """See ``Pairs``."""
        pairs = []
        for _ in range(size):
            number = int(rng.integers(self.count))
            hq, lq = self.row(number)
            pairs.append(_paired_crop(hq, lq, self.crop, self.scale, rng, f"{self.name}, row {number}"))
        large = _to_tensor([hq for hq, _ in pairs])
        return unsharp_mask(large) if self.sharpen else large, _to_tensor([lq for _, lq in pairs])


class MixedPairs:
    """Several sources: each pair comes from one of them, drawn by weight."""

    def __init__(self, sources: Sequence[Pairs], weights: Sequence[float]) -> None:
        self.sources = list(sources)
        self.shares = np.asarray(weights, dtype=np.float64) / sum(weights)

    def draw(self, size: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """See ``Pairs``."""
        counts = rng.multinomial(size, self.shares)
        parts_of_batch = [
            pairs.draw(int(count), rng) for pairs, count in zip(self.sources, counts, strict=True) if count
        ]
        hq, lq = (torch.cat(side) for side in zip(*parts_of_batch, strict=True))
        return hq, lq


class Batches(Dataset[Batch]):
    """Batch number ``n`` of one process of a training.

    Several processes share one sequence of batches and take turns, so that together they see in a step what one
    process sees that accumulates as many batches.

    Args:
        pairs: the source of pairs.
        size: pairs in a batch.
        seed: seed of the training.
        rank: number of this process.
        processes: number of processes.
    """

    def __init__(self, pairs: Pairs, size: int, seed: int, rank: int = 0, processes: int = 1) -> None:
        self.pairs, self.size, self.seed, self.rank, self.processes = pairs, size, seed, rank, processes

    def __getitem__(self, number: int) -> Batch:
        rng = np.random.default_rng([self.seed, 0, number * self.processes + self.rank])
        hq, lq = self.pairs.draw(self.size, rng)
        return Batch(hq, lq, int(rng.integers(2**62)), getattr(self.pairs, "encoded", False))


def batch_stream(batches: Batches, numbers: range, workers: int = 0) -> DataLoader[Batch]:
    """Batches in order, made ahead by worker processes; the same whatever their number."""
    return DataLoader(
        batches, batch_size=None, sampler=list(numbers), num_workers=workers, prefetch_factor=4 if workers else None
    )


@contextmanager
def running(stream: DataLoader[Batch]) -> Iterator[Iterator[Batch]]:
    """The batches of a stream; its worker processes end with the block, and no signal ends them before."""
    with without_signals():
        batches = iter(stream)
    try:
        yield batches
    finally:
        # Left to Python's end, workers are sent a SIGTERM, which they never receive, and waited for.
        if isinstance(batches, _MultiProcessingDataLoaderIter):
            batches._shutdown_workers()


@lru_cache(maxsize=_CACHED_IMAGES)
def _read(path: Path) -> NDArray[np.uint8]:
    return as_rgb(read_image(path))


def _random_crop(path: Path, side: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    pixels = _read(path)
    height, width = pixels.shape[:2]
    if min(height, width) < side:
        raise TrainingError(f"{path}: {width}x{height} is smaller than a training crop with its margin, {side}x{side}")
    top, left = rng.integers(height - side + 1), rng.integers(width - side + 1)
    return _turned(pixels[top : top + side, left : left + side], int(rng.integers(8)))


def _paired_crop(
    hq: NDArray[np.uint8], lq: NDArray[np.uint8], crop: int, scale: int, rng: np.random.Generator, name: str
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    height, width = lq.shape[:2]
    if hq.shape[:2] != (height * scale, width * scale):
        raise TrainingError(f"{name}: {width}x{height} pixels do not fit HQ of {hq.shape[1]}x{hq.shape[0]} at x{scale}")
    small = crop // scale
    if min(height, width) < small:
        raise TrainingError(f"{name}: {width}x{height} is smaller than a training crop, {small}x{small}")
    top, left = int(rng.integers(height - small + 1)), int(rng.integers(width - small + 1))
    turn = int(rng.integers(8))
    large = hq[top * scale : top * scale + crop, left * scale : left * scale + crop]
    return _turned(large, turn), _turned(lq[top : top + small, left : left + small], turn)


def _turned(pixels: NDArray[np.uint8], turn: int) -> NDArray[np.uint8]:
    """One of the eight symmetries of the square."""
    turned = np.rot90(pixels, turn % 4)
    return turned[:, ::-1] if turn >= 4 else turned


def _to_tensor(crops: Sequence[NDArray[np.uint8]]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(np.stack(crops))).movedim(-1, 1).float() / 255
