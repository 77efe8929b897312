"""Text scenes: signs, labels and painted walls, with transcription, polygon and box of every word."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..images import write_atomically, write_png
from .canvas import (
    SUPERSAMPLING,
    Colour,
    Light,
    Plane,
    check_size,
    colour,
    contrast,
    expose,
    fractal,
    generator,
    illumination,
    luminance,
    pick,
    relief,
    shrink,
    tinted,
)
from .lettering import FONTS, Block, set_type
from .phrases import phrase, shortest
from .surfaces import brick, concrete, paper, plaster, tiles, wood

Point = tuple[float, float]

_SIGNS = (
    ("#1f4e8c", "#f4f4ef"),
    ("#1c6b3c", "#f4f4ef"),
    ("#f0c02e", "#1d1d1b"),
    ("#a51d1d", "#f6f2ea"),
    ("#f3f1ea", "#1d1d1b"),
    ("#202226", "#f0ede4"),
    ("#5a3a26", "#f2e4c2"),
    ("#f3f1ea", "#a51d1d"),
    ("#0e5a6b", "#f3e9c8"),
    ("#e8e2d0", "#1f3f77"),
)
"""Colour pairs of signs, face and letters; each pair has a contrast ratio of at least 4.5."""

_NOTES = (("#f4eeda", "#26262c"), ("#f7f5ef", "#1b2f5b"), ("#efe3a3", "#3b2b20"), ("#c9a577", "#2a1c12"))
"""Colour pairs of paper notes."""

_PAINTS = ("#f5f2e8", "#1c1c1e", "#f1d24a", "#7a1420", "#16305c", "#123d2a")
"""Colours of letters painted on a wall."""

_READABLE = 7.0
"""Least contrast ratio of painted letters with the bare wall (WCAG 2.2, success criterion 1.4.6: walls are rough)."""

_LARGEST, _SMALLEST, _SECOND_LINE = 54.0, 13.0, 11.0
"""Font sizes in pixels per em, of largest lines and of lesser ones; capitals (0.73 em) are 8 to 39 pixels high."""

_DEMONSTRATION = 20
"""First seed of the demonstration: six seeds in a row with six different surfaces."""

_MOST_BLOCKS = 7
_ENOUGH_WORDS = 4
_ATTEMPTS, _MORE_ATTEMPTS = 40, 120
"""Places tried for blocks; more where there are not enough words yet."""


@dataclass(frozen=True)
class Word:
    """One word. The polygon goes clockwise from the upper left of the first letter, tight around the ink.

    Pixel (x, y) covers [x, x+1) x [y, y+1). ``box`` x0, y0, x1, y1 is the upright rectangle around the polygon.
    """

    text: str
    polygon: tuple[Point, Point, Point, Point]
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class TextScene:
    """A picture, uint8 ``[H, W, 3]``, and the words in it."""

    pixels: NDArray[np.uint8]
    words: tuple[Word, ...]


@dataclass(frozen=True)
class _Placed:
    """A block in the picture: `centre` in pixels, `turn` clockwise in radians."""

    block: Block
    centre: Point
    turn: float

    def to_picture(self, x: float, y: float) -> Point:
        """Picture coordinates of a point of the upright block."""
        width, height = self.block.size
        right, down = x - width / 2, y - height / 2
        cos, sin = float(np.cos(self.turn)), float(np.sin(self.turn))
        return self.centre[0] + cos * right - sin * down, self.centre[1] + sin * right + cos * down

    def corners(self) -> list[Point]:
        """Corners of the block in the picture."""
        width, height = self.block.size
        return [self.to_picture(x, y) for x, y in ((0, 0), (width, 0), (width, height), (0, height))]

    def coverage(self, upright: Plane, size: tuple[int, int]) -> Plane:
        """A layer of the block as coverage of the picture's pixels, ``[H, W]``."""
        height, width = size
        xs, ys = zip(*self.corners(), strict=True)
        left, top = max(int(min(xs)) - 1, 0), max(int(min(ys)) - 1, 0)
        right, bottom = min(int(max(xs)) + 2, width), min(int(max(ys)) + 2, height)
        cos, sin = float(np.cos(self.turn)), float(np.sin(self.turn))
        inverse = np.array([[cos, -sin], [sin, cos]])  # axes are (row, column)
        middle = np.array(upright.shape) / 2
        first = np.array([top - self.centre[1], left - self.centre[0]]) * SUPERSAMPLING + 0.5
        offset = inverse[:, 0] * first[0] + inverse[:, 1] * first[1] + middle - 0.5
        shape = ((bottom - top) * SUPERSAMPLING, (right - left) * SUPERSAMPLING)
        # "grid-constant" keeps the outermost half sample of the layer; "constant" would cut it off.
        samples = ndimage.affine_transform(upright, inverse, offset, shape, order=1, mode="grid-constant")
        picture = np.zeros(size)
        picture[top:bottom, left:right] = shrink(samples)
        return picture


def draw_text_scene(seed: int, size: tuple[int, int] = (256, 256)) -> TextScene:
    """Draw one scene with signs, notes and painted words, the same for the same seed and size.

    ``size`` is height, width in pixels, each at least 96 (ValueError below). Words do not overlap and lie wholly inside
    the picture; solid ink has a contrast ratio of at least 4.5 with the face or wall behind it.
    """
    height, width = check_size(size)
    rng = generator(seed)
    light = pick(rng, (plaster, concrete, paper, wood, brick, tiles))(rng, height, width)
    block_count = int(rng.integers(3, _MOST_BLOCKS + 1))
    occupied = np.zeros((height, width))
    words: list[Word] = []
    blocks = attempt = 0
    while (attempt < _ATTEMPTS and blocks < block_count) or (attempt < _MORE_ATTEMPTS and len(words) < _ENOUGH_WORDS):
        small = attempt >= 2 * _ATTEMPTS
        placed, margin = _compose(rng, (height, width), 0.965**attempt, small)
        attempt += 1
        footprint = _footprint(placed, (height, width))
        if footprint is None or (occupied * footprint).any():
            continue
        occupied = np.maximum(occupied, ndimage.maximum_filter(footprint, 5))
        _paint(rng, light, placed, footprint, margin)
        words += [_word(placed, number) for number in range(len(placed.block.words))]
        blocks += 1
    light *= illumination(rng, (height, width))[..., None]
    return TextScene(expose(rng, light), tuple(words))


def build_text_scenes(root: Path, count: int = 8, first_seed: int = 1, size: tuple[int, int] = (256, 256)) -> None:
    """Write scenes as ``HR/<name>.png`` and their words as ``text.json`` in MMOCR's layout for text spotting.

    Args:
        root: folder of the dataset.
        count: number of scenes.
        first_seed: seed of the first scene; the others follow.
        size: height and width in pixels, each at least 96.
    """
    items: list[Any] = []
    for number in range(1, count + 1):
        scene = draw_text_scene(first_seed + number - 1, size)
        name = f"text-{number:03d}.png"
        write_png(root / "HR" / name, scene.pixels)
        instances = [
            {
                "polygon": [round(value, 2) for point in word.polygon for value in point],
                "bbox": [round(value, 2) for value in word.box],
                "bbox_label": 0,
                "text": word.text,
                "ignore": False,
            }
            for word in scene.words
        ]
        items.append({"img_path": name, "height": size[0], "width": size[1], "instances": instances})
    meta = {"dataset_type": "TextSpotterDataset", "task_name": "textspotter", "category": [{"id": 0, "name": "text"}]}
    write_atomically(root / "text.json", json.dumps({"metainfo": meta, "data_list": items}, indent=1).encode())


def build(root: Path) -> None:
    """Write the demonstration's six text scenes."""
    build_text_scenes(root, count=6, first_seed=_DEMONSTRATION)


def _compose(rng: np.random.Generator, size: tuple[int, int], shrinking: float, small: bool) -> tuple[_Placed, float]:
    """A block somewhere in the picture, and its margin. Later attempts are smaller, until the room suffices."""
    height, width = size
    words = shortest(rng) if small else phrase(rng)
    largest = max(_LARGEST * shrinking * min(1.0, min(size) / 200), _SMALLEST)
    em = float(np.exp(rng.uniform(np.log(_SMALLEST), np.log(largest))))
    em = max(em, _SECOND_LINE / min(words.sizes))
    margin = em * rng.uniform(0.22, 0.5)
    block = set_type(words, pick(rng, FONTS), em, margin, centred=bool(rng.random() < 0.7))
    centre = float(rng.uniform(0, width)), float(rng.uniform(0, height))
    turn = float(np.clip(rng.normal(0, 0.07), -0.22, 0.22))
    return _Placed(block, _moved_inside(block, centre, turn, size), turn), margin


def _moved_inside(block: Block, centre: Point, turn: float, size: tuple[int, int]) -> Point:
    """The nearest centre with which the block lies inside the picture, if there is one."""
    width, height = block.size
    cos, sin = abs(float(np.cos(turn))), abs(float(np.sin(turn)))
    half_x, half_y = (cos * width + sin * height) / 2 + 3, (sin * width + cos * height) / 2 + 3
    x = min(max(centre[0], half_x), size[1] - half_x)
    y = min(max(centre[1], half_y), size[0] - half_y)
    return x, y


def _footprint(placed: _Placed, size: tuple[int, int]) -> Plane | None:
    """Coverage of the block's rounded rectangle; None if it does not lie inside the picture."""
    xs, ys = zip(*placed.corners(), strict=True)
    if min(xs) < 2 or min(ys) < 2 or max(xs) > size[1] - 2 or max(ys) > size[0] - 2:
        return None
    return placed.coverage(_panel(placed.block.ink.shape, 0.0), size)


def _panel(shape: tuple[int, ...], inset: float) -> Plane:
    """A rectangle with rounded corners, ``inset`` pixels inside the block."""
    height, width = shape
    corner = 0.14 * height
    x = np.abs(np.arange(width) + 0.5 - width / 2) - width / 2 + corner + inset * SUPERSAMPLING
    y = np.abs(np.arange(height) + 0.5 - height / 2) - height / 2 + corner + inset * SUPERSAMPLING
    distance = np.sqrt(np.maximum(x, 0)[None, :] ** 2 + np.maximum(y, 0)[:, None] ** 2)
    return np.asarray(np.clip(corner - distance + 0.5, 0, 1))


def _paint(rng: np.random.Generator, light: Light, placed: _Placed, footprint: Plane, margin: float) -> None:
    """Draw the block: letters on the bare surface where one of our paints is readable on it, else on a sign or note."""
    size = footprint.shape
    ink = placed.coverage(placed.block.ink, size)[..., None]
    wear = 1 + 0.035 * fractal(rng, size, 12, 3)
    paint = _readable_paint(rng, light, footprint) if rng.random() < 0.3 else None
    if paint is not None:
        light += ink * (wear[..., None] * paint - light)
        return
    sign = rng.random() < 0.65
    face, letters = (tinted(rng, code, 0.04) for code in pick(rng, _SIGNS if sign else _NOTES))
    shadow = ndimage.gaussian_filter(ndimage.shift(footprint, (2.2, 1.6), order=1), 2.0)
    light *= (1 - 0.5 * shadow * (1 - footprint))[..., None]
    tone = wear
    if sign:
        tone = wear * relief(ndimage.gaussian_filter(footprint, 1.0), 0.5)
    light += footprint[..., None] * (tone[..., None] * face - light)
    if sign and rng.random() < 0.6:
        width = max(0.10 * margin, 0.8)
        outline = _panel(placed.block.ink.shape, 0.22 * margin) - _panel(placed.block.ink.shape, 0.22 * margin + width)
        light += placed.coverage(np.clip(outline, 0, 1), size)[..., None] * (letters - light)
    light += ink * (wear[..., None] * letters - light)


def _readable_paint(rng: np.random.Generator, light: Light, footprint: Plane) -> Colour | None:
    """A paint that is readable on the lightest and the darkest parts behind a block, or None."""
    behind = luminance(ndimage.gaussian_filter(light, (1, 1, 0)))[footprint > 0.5]
    extremes = [float(np.percentile(behind, share)) for share in (5, 95)]
    paints = [colour(code) for code in _PAINTS]
    readable = [paint for paint in paints if all(_apart(float(luminance(paint)), extremes))]
    return pick(rng, readable) if readable else None


def _apart(paint: float, extremes: list[float]) -> list[bool]:
    darker = paint < extremes[0]
    return [contrast(paint, behind) >= _READABLE and (paint < behind) == darker for behind in extremes]


def _word(placed: _Placed, number: int) -> Word:
    word = placed.block.words[number]
    x0, y0, x1, y1 = word.box
    first, second, third, fourth = (placed.to_picture(x, y) for x, y in ((x0, y0), (x1, y0), (x1, y1), (x0, y1)))
    xs, ys = zip(first, second, third, fourth, strict=True)
    return Word(word.text, (first, second, third, fourth), (min(xs), min(ys), max(xs), max(ys)))
