"""Walls, tables and sheets: procedural textures that scenes are drawn on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import ndimage

from .canvas import Light, Plane, fractal, pick, relief, shrink, tinted

Surface = Callable[[np.random.Generator, int, int], Light]
"""``surface(rng, height, width)`` is a texture in linear light, ``[height, width, 3]``."""

_FINE = 2
"""Samples per pixel and axis for surfaces: their edges are soft, so two suffice."""


def plaster(rng: np.random.Generator, height: int, width: int) -> Light:
    """A stuccoed wall in a muted colour."""
    base = tinted(
        rng, pick(rng, ("#d8cbb0", "#c9b79c", "#b9c4bd", "#aebccb", "#d9b8a2", "#c8c3bb", "#7f9089", "#8d7f76"))
    )
    shape = (height, width)
    bumps = fractal(rng, shape, rng.uniform(5, 12), 3) + 0.5 * fractal(rng, shape, 2.5, 1)
    stains = 1 + 0.07 * fractal(rng, shape, rng.uniform(60, 120), 4)
    return _coloured(stains * relief(bumps, 0.12), base)


def concrete(rng: np.random.Generator, height: int, width: int) -> Light:
    """Cast concrete or asphalt with speckles."""
    base = tinted(rng, pick(rng, ("#8f8f8b", "#6f7275", "#a39d92", "#55585c")))
    shape = (height, width)
    clouds = 1 + 0.10 * fractal(rng, shape, rng.uniform(30, 90), 5)
    speckles = ndimage.gaussian_filter(rng.normal(0, 1, shape), 0.7) * 0.22
    return _coloured(np.clip(clouds + speckles, 0.3, 2), base)


def paper(rng: np.random.Generator, height: int, width: int) -> Light:
    """A sheet of paper or card with fibres, sometimes with pale squares."""
    base = tinted(rng, pick(rng, ("#efe8d6", "#e6dcc3", "#dfe6e3", "#e9d9cf", "#d2b48c", "#cfd6e0")), 0.06)
    shape = (height, width)
    tone = 1 + 0.025 * fractal(rng, shape, 80, 3) + 0.025 * fractal(rng, shape, 3, 1, stretch=3)
    sheet = _coloured(tone, base)
    if rng.random() < 0.4:
        step = rng.uniform(14, 26)
        ink = tinted(rng, pick(rng, ("#7ba4c7", "#b98a8a", "#8faf92")))
        lines = np.maximum(
            _lines(height, step, rng.uniform(0, step))[:, None], _lines(width, step, rng.uniform(0, step))
        )
        sheet += 0.55 * lines[..., None] * (ink - sheet)
    return sheet


def wood(rng: np.random.Generator, height: int, width: int) -> Light:
    """Boards with grain, running along x or y."""
    if rng.random() < 0.5:
        return np.ascontiguousarray(_boards(rng, width, height).transpose(1, 0, 2))
    return _boards(rng, height, width)


def fabric(rng: np.random.Generator, height: int, width: int) -> Light:
    """A woven cloth, plain or with a gingham check."""
    shape = (height * _FINE, width * _FINE)
    y, x = np.mgrid[: shape[0], : shape[1]] / _FINE
    base = tinted(rng, pick(rng, ("#7d8f78", "#5d7186", "#a98f72", "#8b5b5b", "#c7bca6", "#4f5a63", "#a7889a")))
    bend = 0.8 * fractal(rng, shape, 120, 2)
    step = rng.uniform(3.2, 4.5)
    weave = np.sin(2 * np.pi * (x + bend) / step) * np.sin(2 * np.pi * (y + bend) / step)
    tone = 1 + 0.24 * weave + 0.05 * fractal(rng, shape, 150, 4)
    cloth = _coloured(tone, base)
    if rng.random() < 0.5:
        band = rng.uniform(18, 34)
        stripes = (_bands(x + bend, band) + _bands(y + bend, band)) / 2
        cloth *= (1 - 0.42 * stripes)[..., None]
    return shrink(cloth, _FINE)


def brick(rng: np.random.Generator, height: int, width: int) -> Light:
    """A brick wall in running bond."""
    base = tinted(rng, pick(rng, ("#9c5a43", "#8a4b3c", "#a9714f", "#b5aea2", "#7a5a50")))
    course = rng.uniform(15, 26)
    mortar = tinted(rng, pick(rng, ("#b8b0a2", "#8f8a80", "#d0c8ba")))
    return _laid(rng, height, width, base, mortar, (course, course * rng.uniform(2.1, 2.6)), bond=0.5, variety=0.16)


def tiles(rng: np.random.Generator, height: int, width: int) -> Light:
    """Glazed square tiles."""
    base = tinted(rng, pick(rng, ("#cfd8d6", "#8fb0b3", "#d8cfbe", "#6d8aa0", "#b9c7a8")))
    side = rng.uniform(30, 56)
    return _laid(rng, height, width, base, tinted(rng, "#a9a69e"), (side, side), bond=0.0, variety=0.06)


SURFACES: tuple[Surface, ...] = (plaster, concrete, paper, wood, fabric, brick, tiles)


def _coloured(tone: Plane, base: Light) -> Light:
    return tone[..., None] * base


def _lines(length: int, step: float, start: float) -> Plane:
    """Coverage of thin lines, one every ``step`` pixels, about one pixel wide."""
    distance = np.abs((np.arange(length) - start + step / 2) % step - step / 2)
    return np.asarray(np.clip(1 - distance, 0, 1))


def _bands(position: Plane, width: float) -> Plane:
    """1 in every second band of ``width`` pixels, 0 in the others, with soft edges."""
    return np.clip(0.5 + (np.abs(position % (2 * width) - width) - width / 2), 0, 1)


def _boards(rng: np.random.Generator, height: int, width: int) -> Light:
    shape = (height * _FINE, width * _FINE)
    y = np.repeat((np.arange(shape[0]) / _FINE)[:, None], shape[1], axis=1)
    board_height = rng.uniform(34, 64)
    shift = rng.uniform(0, board_height)
    board = np.floor((y + shift) / board_height).astype(int)
    inside = (y + shift) % board_height
    count = int(board.max()) + 1
    base = tinted(rng, pick(rng, ("#b98a5a", "#8b6444", "#caa677", "#6e5440", "#a39684", "#d0b48c")))
    tone = rng.normal(1, 0.09, count)[board]
    phase = rng.uniform(0, 50, count)[board]
    wander = fractal(rng, shape, 34, 3, stretch=7)
    rings = np.sin(2 * np.pi * (inside / rng.uniform(6, 10) + phase + 1.1 * wander))
    fibre = fractal(rng, shape, 4, 2, stretch=14)
    grain = 1 + 0.09 * rings + 0.07 * fibre
    gap = np.clip(1.6 - np.minimum(inside, board_height - inside), 0, 1)
    return shrink(_coloured(tone * grain * (1 - 0.6 * gap), base), _FINE)


def _laid(
    rng: np.random.Generator,
    height: int,
    width: int,
    base: Light,
    joint: Light,
    unit: tuple[float, float],
    bond: float,
    variety: float,
) -> Light:
    """Units (bricks, tiles) of ``unit`` = height, width pixels in courses shifted by ``bond`` widths."""
    shape = (height * _FINE, width * _FINE)
    y, x = np.mgrid[: shape[0], : shape[1]] / _FINE
    wobble = 2.2 * variety * fractal(rng, shape, 16, 2)  # hand-made bricks, straight tiles
    y = y + wobble + rng.uniform(0, unit[0])
    course = np.floor(y / unit[0]).astype(int)
    x = x + wobble + rng.uniform(0, unit[1]) + (course % 2) * bond * unit[1] + unit[1]
    column = np.floor(x / unit[1]).astype(int)
    distance = np.minimum(_to_edge(y, unit[0]), _to_edge(x, unit[1]))
    thickness = min(unit) * 0.055 + 0.4
    solid = np.clip((distance - thickness) * 1.5, 0, 1)
    course -= course.min()
    lots = rng.normal(1, variety, (int(course.max()) + 1, int(column.max()) + 1))[course, column]
    hue = 1 + variety * 0.4 * rng.normal(0, 1, (int(course.max()) + 1, int(column.max()) + 1, 3))[course, column]
    rough = 1 + 0.5 * variety * fractal(rng, shape, 9, 3)
    unit_light = (np.clip(lots, 0.55, 1.5) * rough)[..., None] * base * hue
    joint_light = (1 + 0.08 * fractal(rng, shape, 4, 2))[..., None] * joint
    bevel = relief(ndimage.gaussian_filter(np.minimum(distance, thickness + 1.5), 1.0), 0.45)
    mixed = joint_light + solid[..., None] * (unit_light - joint_light)
    return shrink(mixed * bevel[..., None], _FINE)


def _to_edge(position: Plane, period: float) -> Plane:
    inside = position % period
    return np.minimum(inside, period - inside)
