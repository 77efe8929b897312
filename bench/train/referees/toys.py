"""Train the small detector on drawn scenes of toys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ....datasets.drawn.objects import draw_object_scene
from ....datasets.drawn.toys import CATEGORIES
from ...metrics.tasks.small_detector import Targets, loss_of, targets_of
from ...metrics.tasks.small_segmenter import SmallSegmenter, save_segmenter
from .loop import WEIGHTS_FILE, RefereeTraining, Tell, class_weights, optimise, random_crop, stacked

NAMES = ("background", *CATEGORIES)
_FIRST_SCENE = 1_000_000
"""Seed of the first scene: far from those of demonstrations and of sets that users draw."""


@dataclass(frozen=True, kw_only=True)
class ToyTraining(RefereeTraining):
    """Settings of the training, and the number of scenes to train on."""

    scenes: int = 120


TOYS = ToyTraining(steps=800, crop=192)


def train_detector(settings: ToyTraining, folder: Path, *, tell: Tell | None = None) -> Path:
    """Draw the scenes, then train; each batch depends on the seed and the number of the step alone.

    Returns:
        The weight file.
    """
    scenes = [_scene(_FIRST_SCENE + number) for number in range(settings.scenes)]
    torch.manual_seed(settings.seed)
    network = SmallSegmenter(len(NAMES), settings.width, objects=True).to(memory_format=torch.channels_last)
    counts = np.zeros(len(NAMES))
    for scene in scenes:
        counts += np.bincount(scene.categories[scene.owner].ravel(), minlength=len(NAMES))
    weights = class_weights(counts, 1.1)

    def loss_at(step: int) -> Tensor:
        batch, targets = _batch(scenes, settings, step)
        return loss_of(network(batch), targets, weights)

    optimise(network, loss_at, settings, folder, tell)
    path = folder / WEIGHTS_FILE
    save_segmenter(network, path, NAMES)
    return path


@dataclass(frozen=True)
class _Scene:
    pixels: NDArray[np.uint8]
    owner: NDArray[np.uint8]
    """``[H, W]``: number of the toy, from 1; 0 is background."""
    categories: NDArray[np.int64]
    """Class of each toy by its number; the first is the background."""


def _scene(seed: int) -> _Scene:
    drawn = draw_object_scene(seed)
    owner = np.zeros(drawn.labels.shape, dtype=np.uint8)
    for number, instance in enumerate(drawn.instances, start=1):
        owner[instance.mask] = number
    categories = [0, *(NAMES.index(instance.category) for instance in drawn.instances)]
    return _Scene(drawn.pixels, owner, np.array(categories, dtype=np.int64))


def _batch(scenes: Sequence[_Scene], settings: ToyTraining, step: int) -> tuple[Tensor, Targets]:
    rng = np.random.default_rng([settings.seed, step])
    images, targets = [], []
    for _ in range(settings.batch):
        scene = scenes[int(rng.integers(len(scenes)))]
        image, owner = random_crop(scene.pixels, scene.owner, settings.crop, rng)
        images.append(image)
        targets.append(targets_of(owner, scene.categories))
    return stacked(images), Targets(*(torch.cat(parts) for parts in zip(*targets, strict=True)))
