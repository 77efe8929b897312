"""The ten kinds of toys in object scenes. Pairs differ only in detail that a bad restoration destroys."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .canvas import Colour, Light, colour, fractal, pick, tinted
from .shapes import Frame, Paint, Region, add_curved, add_part, blank, box, disk, polygon

Toy = Callable[[np.random.Generator, Frame], Paint]

_BRIGHT = ("#c8372d", "#2f6db5", "#e0a526", "#3f8f4f", "#7d4a9c", "#d9702b", "#2a9d95", "#c94f7c")
_WHITE = "#efece2"
_GLASS = "#a9cfe0"
_DARK = "#2b2b30"


def striped_ball(rng: np.random.Generator, area: Frame) -> Paint:
    """A ball with parallel bands."""
    normal, along, _ = _sphere(rng, area)
    band = np.floor((along + 1) / 2 * 7).astype(int) % 2
    return _ball(rng, area, normal, band == 0)


def checked_ball(rng: np.random.Generator, area: Frame) -> Paint:
    """A ball with a checkerboard of longitude and latitude."""
    normal, along, around = _sphere(rng, area)
    ring = np.floor((np.arcsin(np.clip(along, -1, 1)) / np.pi + 0.5) * 6).astype(int)
    sector = np.floor((around / np.pi + 1) * 5).astype(int)
    return _ball(rng, area, normal, (ring + sector) % 2 == 0)


def five_pointed_star(rng: np.random.Generator, area: Frame) -> Paint:
    """A folded star with five points."""
    return _star(rng, area, 5, 0.42)


def six_pointed_star(rng: np.random.Generator, area: Frame) -> Paint:
    """A folded star with six points."""
    return _star(rng, area, 6, 0.50)


def ring(rng: np.random.Generator, area: Frame) -> Paint:
    """A smooth, round, glossy ring."""
    paint = blank(area)
    distance = np.sqrt(area.x**2 + area.y**2)
    inner = rng.uniform(0.42, 0.56)
    across = (distance - (0.96 + inner) / 2) / ((0.96 - inner) / 2)
    around = np.arctan2(area.y, area.x)
    up = np.sqrt(np.clip(1 - across**2, 0, 1)) + 0.15
    normal = np.stack([across * np.cos(around), across * np.sin(around), up], axis=-1)
    add_curved(paint, np.abs(across) <= 1, tinted(rng, pick(rng, _BRIGHT)), normal, gloss=0.55)
    return paint


def gear(rng: np.random.Generator, area: Frame) -> Paint:
    """A toothed wheel with an axle hole."""
    paint = blank(area)
    distance = np.sqrt(area.x**2 + area.y**2)
    teeth = int(rng.integers(10, 14))
    wave = np.cos(teeth * np.arctan2(area.y, area.x))
    rim = 0.87 + 0.10 * np.clip(3.0 * wave, -1, 1)
    hole = rng.uniform(0.36, 0.46)
    tone = tinted(rng, pick(rng, (*_BRIGHT, "#9aa0a6", "#b08d57")))
    add_part(paint, (distance <= rim) & (distance >= hole), tone, gloss=0.35, edge=0.07)
    groove = (distance >= hole + 0.14) & (distance <= hole + 0.20)
    paint.albedo[groove] *= 0.55
    return paint


def car(rng: np.random.Generator, area: Frame) -> Paint:
    """A car from its side."""
    paint = blank(area)
    body = tinted(rng, pick(rng, _BRIGHT))
    cabin = polygon(area, [(-0.62, -0.02), (-0.42, -0.46), (0.22, -0.46), (0.52, -0.02)])
    hull = box(area, -0.97, -0.10, 0.97, 0.30, 0.14)
    add_part(paint, cabin | hull, body, gloss=0.5, edge=0.12)
    glass = colour(_GLASS)
    rear_window = [(-0.48, -0.06), (-0.36, -0.37), (-0.10, -0.37), (-0.10, -0.06)]
    front_window = [(-0.02, -0.06), (-0.02, -0.37), (0.17, -0.37), (0.37, -0.06)]
    for window in (rear_window, front_window):
        add_part(paint, polygon(area, window), glass, gloss=0.6, edge=0.03)
    add_part(paint, box(area, 0.84, -0.03, 0.97, 0.08, 0.04), colour("#f6e39a"), edge=0.03)
    add_part(paint, box(area, -0.97, -0.03, -0.88, 0.08, 0.03), colour("#a81f1f"), edge=0.03)
    paint.albedo[box(area, -0.07, 0.0, -0.045, 0.26)] *= 0.45
    paint.albedo[box(area, -0.24, 0.03, -0.12, 0.065)] *= 0.45
    for x in (-0.54, 0.54):
        add_part(paint, disk(area, x, 0.28, 0.25), colour(_DARK), gloss=0.15, edge=0.08)
        add_part(paint, disk(area, x, 0.28, 0.12), colour("#c9ccd1"), gloss=0.5, edge=0.05)
    return paint


def house(rng: np.random.Generator, area: Frame) -> Paint:
    """A house with a door, two windows, a roof and a chimney."""
    paint = blank(area)
    wall = tinted(rng, pick(rng, ("#e6d3a8", "#d8b59a", "#e9e4d8", "#a9c0c9", "#d9c36a")))
    roof = tinted(rng, pick(rng, ("#a8452f", "#6e3b34", "#4a5a6b", "#7a8450")))
    trim = colour(_WHITE)
    add_part(paint, box(area, 0.34, -0.82, 0.54, -0.2), tinted(rng, "#8f5a48"), edge=0.05)
    add_part(paint, box(area, -0.66, -0.22, 0.66, 0.78), wall, gloss=0.1, edge=0.06)
    courses = _striped_rows(area, roof, 7)
    add_part(paint, polygon(area, [(-0.86, -0.12), (0.0, -0.90), (0.86, -0.12)]), courses, gloss=0.12, edge=0.08)
    add_part(paint, box(area, -0.16, 0.26, 0.16, 0.78), tinted(rng, pick(rng, _BRIGHT)), edge=0.05)
    add_part(paint, disk(area, 0.09, 0.53, 0.035), colour("#e8c95a"), gloss=0.6, edge=0.03)
    for x in (-0.41, 0.41):
        add_part(paint, box(area, x - 0.17, 0.02, x + 0.17, 0.36), trim, edge=0.03)
        add_part(paint, box(area, x - 0.13, 0.06, x + 0.13, 0.32), colour("#4f7f99"), gloss=0.5, edge=0.02)
        bars = box(area, x - 0.02, 0.06, x + 0.02, 0.32) | box(area, x - 0.13, 0.17, x + 0.13, 0.21)
        add_part(paint, bars, trim, edge=0.02)
    return paint


def tree(rng: np.random.Generator, area: Frame) -> Paint:
    """A tree: a fir in three tiers, or a round crown."""
    paint = blank(area)
    green = tinted(rng, pick(rng, ("#2f6b3a", "#4d8a3b", "#6f9440", "#2d6e5c", "#c08a2d")), 0.18)
    leaves = np.clip(1 + 0.16 * fractal(rng, area.x.shape, area.radius * 0.16, 3), 0.5, 1.6)[..., None] * green
    add_part(paint, box(area, -0.11, 0.40, 0.11, 0.95, 0.03), tinted(rng, "#6b4a2f"), gloss=0.05, edge=0.10)
    if rng.random() < 0.5:
        for top, bottom, half in ((0.02, 0.62, 0.66), (-0.46, 0.20, 0.53), (-0.95, -0.24, 0.38)):
            add_part(paint, polygon(area, [(0.0, top), (half, bottom), (-half, bottom)]), leaves, gloss=0.08, edge=0.14)
        return paint
    for x, y, radius in (
        (-0.34, 0.14, 0.36),
        (0.36, 0.12, 0.36),
        (-0.28, -0.36, 0.38),
        (0.30, -0.38, 0.36),
        (0, -0.08, 0.48),
    ):
        add_part(paint, disk(area, x, y, radius), leaves, gloss=0.08, edge=0.22)
    return paint


def cup(rng: np.random.Generator, area: Frame) -> Paint:
    """A mug with a handle, a patterned band and coffee."""
    paint = blank(area)
    glaze = tinted(rng, pick(rng, (*_BRIGHT, _WHITE, "#cfd9d4")))
    x, y = area.x, area.y
    handle = np.sqrt(((x - 0.48) / 0.40) ** 2 + ((y - 0.06) / 0.42) ** 2)
    add_part(paint, (handle <= 1) & (handle >= 0.60), glaze, gloss=0.4, edge=0.10)
    half = 0.62 - 0.06 * (y + 0.5)
    across = (x + 0.22) / half
    body = (np.abs(across) <= 1) & (y >= -0.52) & (y <= 0.60 + 0.16 * np.sqrt(np.clip(1 - across**2, 0, 1)))
    pattern = np.broadcast_to(glaze, (*x.shape, 3)).copy()
    sagging = y - 0.13 * np.sqrt(np.clip(1 - across**2, 0, 1))
    around = np.arcsin(np.clip(across, -1, 1))
    band_colour = colour(_WHITE) if glaze.mean() < 0.5 else tinted(rng, pick(rng, _BRIGHT))
    zigzag = np.abs((around * 2.4) % 1 - 0.5) * 0.36
    pattern[np.abs(sagging - 0.02 - zigzag + 0.09) <= 0.055] = band_colour
    pattern[np.abs(sagging - 0.30) <= 0.03] = band_colour
    normal = np.stack([across, np.zeros_like(x), np.sqrt(np.clip(1 - across**2, 0, 1)) + 0.1], axis=-1)
    add_curved(paint, body, pattern, normal, gloss=0.5)
    rim = np.sqrt(across**2 + ((y + 0.52) / 0.20) ** 2)
    add_part(paint, rim <= 1, glaze, gloss=0.4, edge=0.05)
    add_part(paint, rim <= 0.84, colour("#4a2c1a"), gloss=0.2, edge=0.02)
    paint.albedo[(rim <= 0.84) & (y < -0.60 + 0.05 * np.abs(across))] *= 0.45
    return paint


TOYS: tuple[Toy, ...] = (
    striped_ball,
    checked_ball,
    five_pointed_star,
    six_pointed_star,
    ring,
    gear,
    car,
    house,
    tree,
    cup,
)

CATEGORIES: tuple[str, ...] = tuple(toy.__name__ for toy in TOYS)
"""Class names; the class number in label maps and COCO files is the position here plus 1 (0 is background)."""


def _sphere(rng: np.random.Generator, area: Frame) -> tuple[Light, Light, Light]:
    """Normal of a unit sphere (toy axes), height along a random axis (-1..1) and longitude around it (-pi..pi)."""
    x, y = area.x, area.y
    z = np.sqrt(np.clip(1 - x**2 - y**2, 0, 1))
    tilt = rng.uniform(0.9, 1.57)  # the axis lies nearly in the picture plane, so that the pattern is seen
    along = np.cos(tilt) * z + np.sin(tilt) * y
    forward = np.sin(tilt) * z - np.cos(tilt) * y
    return np.stack([x, y, z], axis=-1), along, np.arctan2(x, forward)


def _ball(rng: np.random.Generator, area: Frame, normal: Light, first: Region) -> Paint:
    paint = blank(area)
    first_colour, second_colour = _two_colours(rng)
    add_curved(paint, disk(area, 0, 0, 1), np.where(first[..., None], first_colour, second_colour), normal, gloss=0.55)
    return paint


def _two_colours(rng: np.random.Generator) -> tuple[Colour, Colour]:
    bright = tinted(rng, pick(rng, _BRIGHT))
    return bright, tinted(rng, pick(rng, (_WHITE, _WHITE, _DARK)), 0.05)


def _star(rng: np.random.Generator, area: Frame, points: int, inner: float) -> Paint:
    """A star of 2 x ``points`` facets, folded along the lines from its centre to its points and notches."""
    paint = blank(area)
    half = np.pi / points
    angle = np.arctan2(area.x, -area.y)  # 0 at the top, where the first point is
    facet = np.floor(angle / half)
    # Within a facet the outline is the straight line from the point (radius 1) to the notch (radius `inner`).
    from_point = np.where(facet % 2 == 0, angle - facet * half, (facet + 1) * half - angle)
    edge_x, edge_y = 1 - inner * np.cos(half), inner * np.sin(half)
    tilt = np.arctan2(edge_x, edge_y)  # direction of the outline's normal, seen from the point's axis
    reach = np.cos(tilt)
    distance = np.sqrt(area.x**2 + area.y**2)
    inside = distance * np.cos(from_point - tilt) <= reach
    outward = np.where(facet % 2 == 0, facet * half + tilt, (facet + 1) * half - tilt)
    normal = np.stack([np.sin(outward), -np.cos(outward), np.full_like(outward, 1.15)], axis=-1)
    tone = tinted(rng, pick(rng, (*_BRIGHT, "#d8b13c", "#c9ccd1")))
    add_curved(paint, inside, tone, normal, gloss=0.25)
    return paint


def _striped_rows(area: Frame, base: Colour, rows: int) -> Light:
    """Rows of roof tiles: each row darkens towards its upper end, and every second is shifted by half a tile."""
    row = (area.y + 1) * rows
    column = area.x * rows + 0.5 * (np.floor(row) % 2)
    shade = np.where((row % 1 < 0.22) | (column % 1 < 0.14), 0.62, 1.0)
    return shade[..., None] * base
