"""Train the small segmentation network on a folder of images with label maps."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ....datasets.dataset import image_files, listed
from ....datasets.errors import DatasetError
from ....datasets.ground_truth.kinds import VOID, read_labels
from ....datasets.images import as_rgb, read_image
from ...metrics.tasks.small_segmenter import SmallSegmenter, save_segmenter
from .loop import WEIGHTS_FILE, RefereeTraining, Tell, TrainingDataError, class_weights, optimise, random_crop, stacked


@dataclass(frozen=True, kw_only=True)
class SegmenterTraining(RefereeTraining):
    """Settings of the training, and the classes to tell apart."""

    classes: tuple[str, ...]
    void: tuple[int, ...] = (VOID,)
    """Values in label maps that stand for no class."""


CAMVID = SegmenterTraining(
    classes=("sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car", "pedestrian", "bicyclist"),
    void=(11,),
)
"""CamVid as SegNet uses it: 11 classes, 11 is void."""


def train_segmenter(
    images: Path, labels: Path, settings: SegmenterTraining, folder: Path, *, tell: Tell | None = None
) -> Path:
    """Train with weighted cross entropy; each batch depends on the seed and the number of the step alone.

    Args:
        images: folder of images.
        labels: folder of label maps with the same file names.
        settings: classes, number of steps and the like.
        folder: folder for the weight file, the saved state and the log.
        tell: called with the step, the number of steps and the mean loss at each save.

    Returns:
        The weight file.

    Raises:
        TrainingDataError, DatasetError, ImageError, TruthError: images or label maps that cannot be used.
    """
    labelled_images = _load(images, labels, settings)
    torch.manual_seed(settings.seed)
    network = SmallSegmenter(len(settings.classes), settings.width).to(memory_format=torch.channels_last)
    weights = class_weights(_counts(labelled_images, len(settings.classes)), 1.02)

    def loss_at(step: int) -> Tensor:
        batch, target = _batch(labelled_images, settings, step)
        return functional.cross_entropy(network(batch), target, weights, ignore_index=VOID)

    optimise(network, loss_at, settings, folder, tell)
    path = folder / WEIGHTS_FILE
    save_segmenter(network, path, settings.classes)
    return path


@dataclass(frozen=True)
class _Pair:
    image: NDArray[np.uint8]
    labels: NDArray[np.uint8]


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


def _counts(labelled_images: list[_Pair], classes: int) -> NDArray[np.float64]:
    counts = np.zeros(VOID + 1)
    for pair in labelled_images:
        counts += np.bincount(pair.labels.ravel(), minlength=VOID + 1)
    return counts[:classes]


def _batch(labelled_images: list[_Pair], settings: SegmenterTraining, step: int) -> tuple[Tensor, Tensor]:
    """Images ``[B, 3, S, S]`` in [0, 1] and labels ``[B, S, S]``."""
    rng = np.random.default_rng([settings.seed, step])
    crops = []
    for _ in range(settings.batch):
        pair = labelled_images[int(rng.integers(len(labelled_images)))]
        crops.append(random_crop(pair.image, pair.labels, settings.crop, rng))
    return stacked([image for image, _ in crops]), torch.stack([labels for _, labels in crops])
