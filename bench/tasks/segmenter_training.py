"""Train the small segmentation network on a folder of images with label maps."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ...datasets.dataset import DatasetError, image_files, listed
from ...datasets.images import as_rgb, read_image
from ...datasets.truth import VOID, read_labels
from .small_segmenter import SmallSegmenter, save_segmenter

WEIGHTS_FILE = "segmenter.safetensors"
Tell = Callable[[int, int, dict[str, float]], None]


class TrainingDataError(ValueError):
    """Images or label maps that cannot be trained on; the message names them."""


@dataclass(frozen=True)
class SegmenterTraining:
    """How long and how."""

    classes: tuple[str, ...]
    void: tuple[int, ...] = (VOID,)
    """Labels that are no class."""
    steps: int = 3000
    batch: int = 8
    crop: int = 240
    width: int = 16
    """Of the network's first layer."""
    learning_rate: float = 2e-3
    seed: int = 0
    save_every: int = 100


CAMVID = SegmenterTraining(
    ("sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car", "pedestrian", "bicyclist"),
    void=(11,),
)
"""CamVid as SegNet uses it: 11 classes, 11 is void."""
PRESETS = {"camvid": CAMVID}


def train_segmenter(
    images: Path, labels: Path, settings: SegmenterTraining, folder: Path, *, tell: Tell | None = None
) -> Path:
    """Train, or go on from where a killed training stopped; a batch follows from the seed and the step alone.

    Random crops, mirrored, with other brightness, contrast and size (0.75 to 1.5); cross entropy weighted by
    ``1 / ln(1.02 + share)`` (Paszke et al., 2016), AdamW, one-cycle cosine.

    Returns:
        The weight file.

    Raises:
        TrainingDataError, DatasetError, ImageError, TruthError: unusable material.
    """
    material = _load(images, labels, settings)
    torch.manual_seed(settings.seed)
    network = SmallSegmenter(len(settings.classes), settings.width).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), lr=settings.learning_rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.learning_rate, total_steps=settings.steps + 1)
    weights = torch.from_numpy(1 / np.log(1.02 + _shares(material, len(settings.classes)))).float()
    folder.mkdir(parents=True, exist_ok=True)
    state = folder / "state.pt"
    start = 0
    if state.exists():
        saved = torch.load(state, weights_only=True)
        if saved["settings"] != _plain(settings):
            raise TrainingDataError(f"{folder}: holds a training with other settings; name a new folder")
        network.load_state_dict(saved["network"])
        optimizer.load_state_dict(saved["optimizer"])
        schedule.load_state_dict(saved["schedule"])
        start = saved["step"]
    total = 0.0
    network.train()
    for step in range(start, settings.steps):
        batch, target = _batch(material, settings, step)
        optimizer.zero_grad(set_to_none=True)
        loss = functional.cross_entropy(network(batch), target, weights, ignore_index=VOID)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        total += float(loss.detach())
        if (step + 1) % settings.save_every == 0 or step + 1 == settings.steps:
            mean, total = total / ((step % settings.save_every) + 1), 0.0
            with (folder / "log.csv").open("a", newline="") as file:
                csv.writer(file).writerow([step + 1, f"{mean:.4f}"])
            temporary = folder / ".state.tmp"
            torch.save(
                {"step": step + 1, "network": network.state_dict(), "optimizer": optimizer.state_dict(),
                 "schedule": schedule.state_dict(), "settings": _plain(settings)}, temporary,
            )  # fmt: skip
            temporary.replace(state)
            if tell is not None:
                tell(step + 1, settings.steps, {"loss": mean})
    path = folder / WEIGHTS_FILE
    save_segmenter(network.eval(), path, settings.classes, settings.width)
    return path


@dataclass(frozen=True)
class _Pair:
    image: NDArray[np.uint8]
    labels: NDArray[np.uint8]


def _plain(settings: SegmenterTraining) -> dict[str, object]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(settings).items()}


def _load(images: Path, labels: Path, settings: SegmenterTraining) -> list[_Pair]:
    pictures, maps = image_files(images), image_files(labels)
    alone = sorted(set(pictures) ^ set(maps))
    if alone:
        raise DatasetError(f"{images} and {labels} are paired by file name; without partner: {listed(alone)}")
    pairs = []
    for name, path in pictures.items():
        pair = _Pair(as_rgb(read_image(path)), read_labels(maps[name], void=settings.void))
        height, width = pair.labels.shape
        if pair.image.shape[:2] != (height, width):
            raise TrainingDataError(f"{maps[name]} is {width}x{height} pixels and {path} is not")
        if min(height, width) < settings.crop:
            raise TrainingDataError(f"{path}: {width}x{height} is smaller than the crop of {settings.crop}")
        known = pair.labels[pair.labels != VOID]
        if known.size and known.max() >= len(settings.classes):
            raise TrainingDataError(
                f"{maps[name]}: has label {known.max()}, but there are {len(settings.classes)} classes"
            )
        pairs.append(pair)
    return pairs


def _shares(material: list[_Pair], classes: int) -> NDArray[np.float64]:
    counts = np.zeros(VOID + 1)
    for pair in material:
        counts += np.bincount(pair.labels.ravel(), minlength=VOID + 1)
    shares: NDArray[np.float64] = counts[:classes] / max(counts[:classes].sum(), 1)
    return shares


def _batch(material: list[_Pair], settings: SegmenterTraining, step: int) -> tuple[Tensor, Tensor]:
    """Images ``[B, 3, S, S]`` in [0, 1] and labels ``[B, S, S]``."""
    rng = np.random.default_rng([settings.seed, step])
    crops = [_crop(material[int(rng.integers(len(material)))], settings.crop, rng) for _ in range(settings.batch)]
    images = torch.stack([image for image, _ in crops]).contiguous(memory_format=torch.channels_last)
    return images, torch.stack([labels for _, labels in crops])


def _crop(pair: _Pair, side: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    height, width = pair.labels.shape
    taken = min(round(side / rng.uniform(0.75, 1.5)), height, width)
    top, left = int(rng.integers(height - taken + 1)), int(rng.integers(width - taken + 1))
    window = slice(top, top + taken), slice(left, left + taken)
    image = torch.from_numpy(pair.image[window].copy()).permute(2, 0, 1)[None].float() / 255
    labels = torch.from_numpy(pair.labels[window].copy())[None, None].float()
    image = functional.interpolate(image, (side, side), mode="bilinear", align_corners=False, antialias=True)[0]
    labels = functional.interpolate(labels, (side, side), mode="nearest-exact")[0, 0].long()
    if rng.random() < 0.5:
        image, labels = image.flip(-1), labels.flip(-1)
    image = (image - 0.5) * rng.uniform(0.8, 1.2) + 0.5 + rng.uniform(-0.1, 0.1)
    return image.clamp(0, 1), labels
