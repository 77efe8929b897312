"""Sources of training pairs, and the images that are kept out of training for validation."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...datasets.dataset import image_files
from ...datasets.degradation.pipeline import degrade_image
from ...datasets.degradation.settings import DegradationSettings, preset
from ...datasets.images import as_rgb, crop_to_multiple, read_image
from ..config import DataConfig, SourceConfig
from ..errors import TrainingConfigError, TrainingError
from .batches import DegradedCrops, HubPairs, MixedPairs, PairedCrops, Pairs, paired_files
from .files import require_enough, split_files, stem_order
from .sharpening import unsharp_mask

_SMALLEST_SHARPENED = 26
"""Half of the blur's window mirrors into a crop."""


class HeldOut(NamedTuple):
    """An image kept out of training: HQ ``[3, H, W]`` and LQ ``[3, H / scale, W / scale]`` in [0, 1]."""

    name: str
    hq: Tensor
    lq: Tensor


def training_pairs(data: DataConfig) -> Pairs:
    """The source of a configuration's training pairs.

    Raises:
        TrainingConfigError: no source is configured, or keys contradict each other.
        TrainingError: an image cannot be used.
    """
    sources = _sources(data)
    pairs = [_pairs(source, data) for source in sources]
    return pairs[0] if len(pairs) == 1 else MixedPairs(pairs, [source.weight for source in sources])


def held_out_images(data: DataConfig, count: int) -> list[HeldOut]:
    """Centre crops of the first held-out images, taken from each source in turn; always the same ones.

    Raises:
        TrainingConfigError: the configuration holds out no images.
        TrainingError: an image cannot be used.
    """
    turns = zip_longest(*(_held_out(source, data) for source in _sources(data)))
    images = list(islice((image for turn in turns for image in turn if image is not None), count))
    if not images:
        raise TrainingConfigError(
            "validate_every: there is nothing to validate on; set data.held_out to the images to keep out of training"
        )
    return images


class TrainingImage(NamedTuple):
    """A whole HQ image that is trained on, or held out, and where its LQ comes from."""

    name: str
    """Stem of its file, with the source's number where there are several."""
    hq: Path
    lq: Path | None
    degradation: str
    """Preset that makes LQ where ``lq`` is None."""


def training_images(data: DataConfig) -> list[tuple[list[TrainingImage], list[TrainingImage]]]:
    """Images of each source of folders: those to train on, and those held out.

    Raises:
        TrainingConfigError: no source is made of folders.
        TrainingError: images that cannot be used.
    """
    images = []
    for number, source in enumerate(_sources(data), start=1):
        if source.hub is not None:
            continue
        held_out = data.held_out if source.held_out is None else source.held_out
        pairs = paired_files(Path(source.hq[0]), Path(source.lq)) if source.lq is not None else {}
        trained, validation_files = split_files([Path(folder) for folder in source.hq], held_out)
        end = f"-{number}" if len(data.sources) > 1 else ""

        def described(path: Path, source: SourceConfig = source, pairs: Any = pairs, end: str = end) -> TrainingImage:
            lq = pairs[path.stem][1] if pairs else None
            return TrainingImage(path.stem + end, path, lq, source.degradation or data.degradation)

        images.append(([described(path) for path in trained], [described(path) for path in validation_files]))
    if not images:
        raise TrainingConfigError("data.hq: an adversary's teachers restore images of folders; name some (--data)")
    return images


def identity_of_images(data: DataConfig) -> list[object]:
    """Identity of the images of a configuration: digests of files' names and sizes, or the Hub dataset's name."""
    identities: list[object] = []
    for source in _sources(data):
        if source.hub is not None:
            identities.append(source.hub)
            continue
        folders = [*source.hq, *([source.lq] if source.lq is not None else [])]
        files = [path for folder in folders for path in image_files(Path(folder)).values()]
        listed = sorted([path.name, path.stat().st_size] for path in files)
        identities.append(hashlib.sha256(json.dumps(listed).encode()).hexdigest())
    return identities


def _sources(data: DataConfig) -> Sequence[SourceConfig]:
    single = SourceConfig(hq=data.hq, lq=data.lq, hub=data.hub, columns=data.columns)
    if data.sources and (data.hq or data.hub or data.lq):
        raise TrainingConfigError("data: give either 'sources' or 'hq', 'lq' and 'hub' (or --data), not both")
    if data.sharpen and data.crop < _SMALLEST_SHARPENED:
        raise TrainingConfigError(f"data.sharpen: needs crops of {_SMALLEST_SHARPENED} pixels at least (data.crop)")
    sources = data.sources or (single,)
    for source in sources:
        if (source.hub is not None) == bool(source.hq):
            raise TrainingConfigError(
                "data: give either folders of HQ images ('hq', or --data on the command line) or 'hub'"
            )
        if source.lq is not None and len(source.hq) != 1:
            raise TrainingConfigError("data.lq: goes with exactly one folder of HQ images")
    return sources


def _pairs(source: SourceConfig, data: DataConfig) -> Pairs:
    held_out = data.held_out if source.held_out is None else source.held_out
    if source.hub is not None:
        return HubPairs(
            source.hub, source.columns, crop=data.crop, scale=data.scale, held_out=held_out, sharpen=data.sharpen
        )
    if source.lq is not None:
        hq, lq = Path(source.hq[0]), Path(source.lq)
        stems = _held_out_stems(hq, lq, held_out)
        return PairedCrops(hq, lq, crop=data.crop, scale=data.scale, held_out_stems=stems, sharpen=data.sharpen)
    files, _ = split_files([Path(folder) for folder in source.hq], held_out)
    settings = degradation_at(source.degradation or data.degradation, data.scale)
    return DegradedCrops(
        files, settings, crop=data.crop, margin=data.margin, geometries=data.geometries, sharpen=data.sharpen
    )


def _held_out_stems(hq: Path, lq: Path, held_out: int) -> list[str]:
    stems = sorted(paired_files(hq, lq), key=stem_order)
    require_enough([hq], len(stems), held_out)
    return stems[:held_out]


def _held_out(source: SourceConfig, data: DataConfig) -> Iterator[HeldOut]:
    held_out = data.held_out if source.held_out is None else source.held_out
    if source.hub is not None:
        rows = HubPairs(source.hub, source.columns, crop=data.crop, scale=data.scale, held_out=held_out)
        for number in range(rows.count, rows.count + held_out):
            name = f"row {number}"
            yield centre_of_pair(name, *rows.row(number), data)
    elif source.lq is not None:
        hq, lq = Path(source.hq[0]), Path(source.lq)
        files = paired_files(hq, lq)
        for stem in _held_out_stems(hq, lq, held_out):
            large, small = (as_rgb(read_image(path)) for path in files[stem])
            yield centre_of_pair(stem, large, small, data)
    else:
        settings = degradation_at(source.degradation or data.degradation, data.scale)
        for path in split_files([Path(folder) for folder in source.hq], held_out)[1]:
            pixels = crop_to_multiple(as_rgb(read_image(path)), settings.scale)
            large = _cut(pixels, data.crop, settings.scale, path.name)
            large = sharpened(large) if data.sharpen else large
            small = degrade_image(large, settings)
            yield HeldOut(path.stem, _tensor(large), _tensor(small))


def centre_of_pair(name: str, hq: NDArray[np.uint8], lq: NDArray[np.uint8], data: DataConfig) -> HeldOut:
    """The centre crop of a prepared pair, for validation.

    Args:
        name: name of the image, for errors.
        hq: ``[H, W, 3]``.
        lq: ``[H / scale, W / scale, 3]``.
        data: side of the crop, scale and sharpening.

    Raises:
        TrainingError: the sizes do not fit, or the image is smaller than a crop.
    """
    height, width = lq.shape[:2]
    if hq.shape[:2] != (height * data.scale, width * data.scale):
        raise TrainingError(f"{name}: LQ of {width}x{height} does not fit HQ of {hq.shape[1]}x{hq.shape[0]}")
    small = _cut(lq, data.crop // data.scale, 1, name)
    large = _tensor(_cut(hq, data.crop, data.scale, name))
    return HeldOut(name, unsharp_mask(large[None])[0] if data.sharpen else large, _tensor(small))


def _cut(pixels: NDArray[np.uint8], side: int, multiple: int, name: str) -> NDArray[np.uint8]:
    """The centred square whose corner is at a multiple of ``multiple`` pixels."""
    height, width = pixels.shape[:2]
    if min(height, width) < side:
        raise TrainingError(f"{name}: {width}x{height} is smaller than a validation crop, {side}x{side}")
    top, left = ((length - side) // 2 // multiple * multiple for length in (height, width))
    return np.array(pixels[top : top + side, left : left + side])  # a copy, which torch may own


def _tensor(pixels: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(pixels).movedim(-1, 0).float() / 255


def degradation_at(name: str, scale: int) -> DegradationSettings:
    """A preset of a degradation with its scale replaced."""
    return replace(preset(name), scale=scale)


def sharpened(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """``unsharp_mask`` of uint8 ``[H, W, 3]``."""
    image = unsharp_mask(_tensor(pixels)[None])[0]
    return (image * 255).round().to(torch.uint8).movedim(0, -1).contiguous().numpy()
