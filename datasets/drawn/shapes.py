"""Plane shapes in a toy's own coordinates (x right, y down, the toy within radius 1), and how light falls on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .canvas import SUPERSAMPLING, Colour, Light, Plane, shrink

Region = NDArray[np.bool_]


@dataclass(frozen=True)
class Frame:
    """Samples of the square patch that a toy is drawn in."""

    x: Plane
    """Toy coordinate x of every sample."""
    y: Plane
    """Toy coordinate y of every sample."""
    radius: float
    """Radius 1 in samples."""
    turn: float
    """Rotation of the toy in the picture, radians, clockwise."""

    @property
    def nothing(self) -> Region:
        """The empty region."""
        return np.zeros(self.x.shape, dtype=bool)


def frame(centre: tuple[float, float], radius: float, turn: float, corner: tuple[int, int], side: int) -> Frame:
    """Sample positions of a square patch in a toy's own coordinates.

    Args:
        centre: x and y of the toy in pixels of the picture.
        radius: radius of the toy in pixels.
        turn: clockwise rotation of the toy in radians.
        corner: x and y of the patch's upper left pixel.
        side: side of the patch in pixels.
    """
    steps = (np.arange(side * SUPERSAMPLING) + 0.5) / SUPERSAMPLING
    right = (steps[None, :] + corner[0] - centre[0]) / radius
    down = (steps[:, None] + corner[1] - centre[1]) / radius
    cos, sin = np.cos(turn), np.sin(turn)
    return Frame(cos * right + sin * down, cos * down - sin * right, radius * SUPERSAMPLING, turn)


def disk(area: Frame, x: float, y: float, radius: float) -> Region:
    """Filled circle.

    Args:
        area: sample positions.
        x: centre in toy coordinates, to the right.
        y: centre in toy coordinates, downwards.
        radius: in toy coordinates.
    """
    return (area.x - x) ** 2 + (area.y - y) ** 2 <= radius**2


def box(area: Frame, x0: float, y0: float, x1: float, y1: float, rounding: float = 0.0) -> Region:
    """Upright rectangle with rounded corners.

    Args:
        area: sample positions.
        x0: left edge in toy coordinates.
        y0: upper edge.
        x1: right edge.
        y1: lower edge.
        rounding: radius of the corners.
    """
    outside_x = np.abs(area.x - (x0 + x1) / 2) - (x1 - x0) / 2 + rounding
    outside_y = np.abs(area.y - (y0 + y1) / 2) - (y1 - y0) / 2 + rounding
    corner = np.maximum(outside_x, 0) ** 2 + np.maximum(outside_y, 0) ** 2
    return corner <= rounding**2 if rounding else (outside_x <= 0) & (outside_y <= 0)


def polygon(area: Frame, points: list[tuple[float, float]]) -> Region:
    """Filled polygon, even-odd rule."""
    inside = area.nothing
    for (x0, y0), (x1, y1) in zip(points, points[1:] + points[:1], strict=True):
        if y0 == y1:
            continue
        crosses = (area.y < y0) != (area.y < y1)
        inside ^= crosses & (area.x < x0 + (area.y - y0) * (x1 - x0) / (y1 - y0))
    return inside


@dataclass
class Paint:
    """What a toy looks like before it is lit. Parts are added one over the other."""

    area: Frame
    inside: Region
    albedo: Light
    normal: Light
    """Unit surface normal in PICTURE axes: x right, y down, z towards the viewer."""
    gloss: Plane


def blank(area: Frame) -> Paint:
    """Nothing painted yet."""
    normal = np.zeros((*area.x.shape, 3))
    normal[..., 2] = 1
    return Paint(area, area.nothing, np.zeros((*area.x.shape, 3)), normal, np.zeros(area.x.shape))


def add_part(paint: Paint, region: Region, albedo: Colour | Light, gloss: float = 0.25, edge: float = 0.10) -> None:
    """Add a flat part with rounded edges on top.

    Args:
        paint: the toy so far; it is changed.
        region: samples of the part.
        albedo: one colour, or a colour per sample ``[..., 3]``.
        gloss: strength of the highlight.
        edge: width of the rounded edge in toy radii.
    """
    paint.inside |= region
    paint.albedo[region] = albedo if albedo.ndim == 1 else albedo[region]
    paint.gloss[region] = gloss
    width = max(edge * paint.area.radius, 1.0)
    window = _around(region, margin=int(width) + 4)
    depth = np.clip(ndimage.distance_transform_edt(region[window]) / width, 0, 1)
    height = ndimage.gaussian_filter(width * np.sqrt(1 - (1 - depth) ** 2), max(width / 5, 0.7))
    down, right = np.gradient(height)
    slope = np.stack([-right, -down, np.ones_like(right)], axis=-1)
    paint.normal[region] = (slope / np.sqrt((slope**2).sum(-1, keepdims=True)))[region[window]]


def _around(region: Region, margin: int) -> tuple[slice, slice]:
    """The rows and columns that a region touches, and ``margin`` more; all of them for an empty region."""
    bounding_boxes = ndimage.find_objects(region.astype(np.uint8))
    if not bounding_boxes:
        return slice(None), slice(None)
    rows, columns = bounding_boxes[0]
    return (
        slice(max(rows.start - margin, 0), rows.stop + margin),
        slice(max(columns.start - margin, 0), columns.stop + margin),
    )


def add_curved(paint: Paint, region: Region, albedo: Colour | Light, normal: Light, gloss: float = 0.35) -> None:
    """Add a part with known surface normals on top.

    Args:
        paint: the toy so far; it is changed.
        region: samples of the part.
        albedo: one colour, or a colour per sample ``[..., 3]``.
        normal: surface normal per sample in TOY axes, of any length.
        gloss: strength of the highlight.
    """
    paint.inside |= region
    paint.albedo[region] = albedo if albedo.ndim == 1 else albedo[region]
    paint.gloss[region] = gloss
    cos, sin = np.cos(paint.area.turn), np.sin(paint.area.turn)
    x, y, z = normal[..., 0], normal[..., 1], normal[..., 2]
    turned = np.stack([cos * x - sin * y, sin * x + cos * y, z], axis=-1)
    length = np.sqrt((turned**2).sum(-1, keepdims=True))
    paint.normal[region] = (turned / np.maximum(length, 1e-9))[region]


def lit(paint: Paint, towards_light: NDArray[np.float64]) -> tuple[Light, Plane]:
    """Light and coverage per pixel: ``[side, side, 3]``, already weighted by the coverage ``[side, side]``.

    Diffuse (Lambert) plus a highlight (Blinn-Phong) plus light from all around.
    """
    facing = np.clip(_dot(paint.normal, towards_light), 0, 1)
    halfway = towards_light + np.array([0.0, 0.0, 1.0])
    halfway = halfway / np.sqrt((halfway**2).sum())
    highlight = paint.gloss * np.clip(_dot(paint.normal, halfway), 0, 1) ** 48
    light = paint.albedo * (0.32 + 0.80 * facing)[..., None] + 0.9 * highlight[..., None]
    return shrink(light * paint.inside[..., None]), shrink(paint.inside.astype(np.float64))


def _dot(normal: Light, direction: NDArray[np.float64]) -> Plane:
    x, y, z = (float(value) for value in direction)
    return normal[..., 0] * x + normal[..., 1] * y + normal[..., 2] * z
