"""Object scenes: toys on a table, with class, box and mask of what is visible of each, and a semantic label map."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..images import write_atomically, write_png
from .canvas import Light, Plane, check_size, expose, generator, illumination, pick
from .coco import annotation, document, image_entry
from .shapes import frame, lit
from .surfaces import SURFACES
from .toys import CATEGORIES, TOYS

_DEMONSTRATION = 72
"""First seed of the demonstration: six seeds in a row with six different surfaces and every kind of toy three times."""

_MEASURED = 2_000
"""First seed of the set ``drawn-toys``."""

_FEWEST, _MOST = 3, 12
_SMALLEST, _LARGEST = 0.058, 0.24
"""Toy radius as a fraction of the scene's shorter side: 30 to 122 pixels across in a 256 x 256 scene."""

_SMALLEST_PIXELS = 9.0
"""No toy has a smaller radius: below, even the undegraded picture does not show which kind it is."""

_VISIBLE = 0.6
"""Share of a toy that must stay visible when others cover it or the picture's edge cuts it."""


@dataclass(frozen=True)
class Instance:
    """One toy. Pixel (x, y) covers [x, x+1) x [y, y+1); ``box`` is x0, y0, x1, y1 around the visible pixels."""

    category: str
    box: tuple[int, int, int, int]
    mask: NDArray[np.bool_]


@dataclass(frozen=True)
class ObjectScene:
    """A picture and its truth: ``pixels`` uint8 ``[H, W, 3]``, ``labels`` uint8 ``[H, W]``, 0 is background."""

    pixels: NDArray[np.uint8]
    instances: tuple[Instance, ...]
    labels: NDArray[np.uint8]


@dataclass(frozen=True)
class _Sprite:
    """A lit toy in a window of the picture."""

    category: int
    window: tuple[slice, slice]
    light: Light
    cover: Plane
    area: float
    """Pixels that the toy would cover if nothing hid it and the picture had no edges."""
    thickness: float


def draw_object_scene(seed: int, size: tuple[int, int] = (256, 256)) -> ObjectScene:
    """Draw one scene of 3 to 12 toys, the same for the same seed and size.

    ``size`` is height, width in pixels, each at least 96 (ValueError below). Masks are disjoint: a pixel belongs to the
    toy that contributes most of its light, or to none.
    """
    height, width = check_size(size)
    rng = generator(seed)
    light = pick(rng, SURFACES)(rng, height, width)
    bearing = rng.uniform(-2.6, -0.5)
    towards_light = np.array([0.7 * np.cos(bearing), 0.7 * np.sin(bearing), 0.714])
    sprites = _arrange(rng, (height, width), towards_light)
    for sprite in sprites:
        _put(light, sprite, towards_light)
    light *= illumination(rng, (height, width))[..., None]
    pixels = expose(rng, light)

    owner = _owners(sprites, (height, width))
    labels = np.zeros((height, width), dtype=np.uint8)
    instances = []
    for number, sprite in enumerate(sprites):
        mask = owner == number
        labels[mask] = sprite.category + 1
        instances.append(Instance(CATEGORIES[sprite.category], _bounds(mask), mask))
    return ObjectScene(pixels, tuple(instances), labels)


def build_object_scenes(root: Path, count: int = 8, first_seed: int = 1, size: tuple[int, int] = (256, 256)) -> None:
    """Write scenes as ``HR/<name>.png``, ``labels/<name>.png`` (8 bit, class number) and ``instances.json`` (COCO).

    Args:
        root: folder of the dataset.
        count: number of scenes.
        first_seed: seed of the first scene; the others follow.
        size: height and width in pixels, each at least 96.
    """
    images: list[Any] = []
    annotations: list[Any] = []
    for number in range(1, count + 1):
        scene = draw_object_scene(first_seed + number - 1, size)
        name = f"shapes-{number:03d}.png"
        write_png(root / "HR" / name, scene.pixels)
        write_png(root / "labels" / name, scene.labels)
        images.append(image_entry(number, name, size))
        for instance in scene.instances:
            category = CATEGORIES.index(instance.category) + 1
            annotations.append(annotation(len(annotations) + 1, number, category, instance.box, instance.mask))
    truth = document("toys drawn by asasr-bench", CATEGORIES, images, annotations)
    write_atomically(root / "instances.json", json.dumps(truth).encode())


def build(root: Path) -> None:
    """Write the demonstration's six object scenes."""
    build_object_scenes(root, count=6, first_seed=_DEMONSTRATION)


def build_toys(root: Path) -> None:
    """Write the forty scenes on which detectors are measured."""
    build_object_scenes(root, count=40, first_seed=_MEASURED)


def _arrange(rng: np.random.Generator, size: tuple[int, int], towards_light: NDArray[np.float64]) -> list[_Sprite]:
    """Toys from the bottom of the pile to its top; every one stays visible enough to be recognised."""
    count = int(rng.integers(_FEWEST, _MOST + 1))
    sprites: list[_Sprite] = []
    attempt = 0
    while len(sprites) < count and (attempt < 6 * count or len(sprites) < _FEWEST):
        # Sizes are spread evenly on a logarithmic scale; they become smaller while no room is found.
        smallest, largest = (max(share * min(size), _SMALLEST_PIXELS) for share in (_SMALLEST, _LARGEST))
        largest = max(largest * 0.93**attempt, smallest)
        radius = float(np.exp(rng.uniform(np.log(smallest), np.log(largest))))
        sprite = _toy(rng, size, radius, towards_light)
        attempt += 1
        if _all_visible([*sprites, sprite], size):
            sprites.append(sprite)
    return sprites


def _toy(rng: np.random.Generator, size: tuple[int, int], radius: float, towards_light: NDArray[np.float64]) -> _Sprite:
    height, width = size
    category = int(rng.integers(len(TOYS)))
    x, y = rng.uniform(0.7 * radius, width - 0.7 * radius), rng.uniform(0.7 * radius, height - 0.7 * radius)
    corner = int(np.floor(x - radius)) - 1, int(np.floor(y - radius)) - 1
    side = int(np.ceil(2 * radius)) + 3
    area = frame((x, y), radius, rng.uniform(-0.5, 0.5), corner, side)
    light, cover = lit(TOYS[category](rng, area), towards_light)
    left, top = max(corner[0], 0), max(corner[1], 0)
    right, bottom = min(corner[0] + side, width), min(corner[1] + side, height)
    inner = slice(top - corner[1], bottom - corner[1]), slice(left - corner[0], right - corner[0])
    window = slice(top, bottom), slice(left, right)
    return _Sprite(category, window, light[inner], cover[inner], float(cover.sum()), 0.16 * radius)


def _all_visible(sprites: list[_Sprite], size: tuple[int, int]) -> bool:
    owner = _owners(sprites, size)
    return all((owner == number).sum() >= _VISIBLE * sprite.area for number, sprite in enumerate(sprites))


def _owners(sprites: list[_Sprite], size: tuple[int, int]) -> NDArray[np.int64]:
    """Number of the toy that gives each pixel most of its light, -1 for the background."""
    background = np.ones(size)  # share of the background, which every toy diminishes
    shares: list[Plane] = []
    for sprite in sprites:
        for share in (background, *shares):
            share[sprite.window] *= 1 - sprite.cover
        share = np.zeros(size)
        share[sprite.window] = sprite.cover
        shares.append(share)
    return np.asarray(np.argmax(np.stack([background, *shares]), axis=0) - 1, dtype=np.int64)


def _put(light: Light, sprite: _Sprite, towards_light: NDArray[np.float64]) -> None:
    """Lay a toy on what is drawn so far: its shadow first, then itself."""
    silhouette = np.zeros(light.shape[:2])
    silhouette[sprite.window] = sprite.cover
    contact_shadow = ndimage.gaussian_filter(silhouette, 0.35 * sprite.thickness)
    cast_shadow = ndimage.shift(silhouette, -1.6 * sprite.thickness * towards_light[1::-1], order=1, mode="constant")
    cast_shadow = ndimage.gaussian_filter(cast_shadow, 0.8 * sprite.thickness)
    light *= (1 - 0.30 * contact_shadow)[..., None] * (1 - 0.55 * np.clip(cast_shadow, 0, 1))[..., None]
    patch = light[sprite.window]
    patch *= (1 - sprite.cover)[..., None]
    patch += sprite.light


def _bounds(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
