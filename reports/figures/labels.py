"""Names beside points that touch no other name, no marker and no edge of their panel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox
from numpy.typing import NDArray

_GAP = 1.5
"""Points of empty space around a label."""
_NEAR = 4.2
"""Points between a marker and the label beside it."""
_LEADER = 9.0
"""Points beyond which a thin line joins a label with its marker."""
_RINGS = (0.0, 5.0, 10.0, 16.0, 23.0, 31.0, 40.0, 50.0, 62.0, 76.0, 92.0)
"""How much farther away a label goes where nothing nearer is free, in points."""
_SIDES = (
    (1, 0.5),
    (-1, 0.5),
    (1, 0),
    (-1, 0),
    (1, -0.5),
    (-1, -0.5),
    (0, 1),
    (0, -1),
    (0.6, 1),
    (-0.6, 1),
    (0.6, -1),
    (-0.6, -1),
    (1, 1),
    (-1, 1),
    (1, -1),
    (-1, -1),
)
"""Directions, from the one that readers expect; 1: the label's edge lies clear of the marker."""


@dataclass(frozen=True)
class PointLabel:
    """What is written beside one point, in data coordinates."""

    text: str
    x: float
    y: float
    colour: str


def place_labels(
    figure: Figure, axes: Axes, labels: Sequence[PointLabel], size: float, *, needed: bool = True
) -> tuple[PointLabel, ...]:
    """Write each label at the nearest free place around its point, and return those for which there is none.

    The figure must have its final limits and legends; labels take no part in its layout.

    Args:
        labels: those in the thickest crowd are placed first.
        size: of the text, in points.
        needed: look far away, and draw a line from there to the point; else only beside the point.
    """
    figure.draw_without_rendering()  # lays out, so that places of points are known
    dot = figure.dpi / 72
    panel = axes.get_window_extent()
    marks, paths = _drawn(axes, dot)
    points = axes.transData.transform([(label.x, label.y) for label in labels]) if labels else np.empty((0, 2))
    crowd = [np.sum(np.hypot(*(points - point).T) < 40 * dot) for point in points]
    occupied: list[Bbox] = list(marks)
    lost = []
    for number in sorted(range(len(labels)), key=lambda number: -crowd[number]):
        label, point = labels[number], points[number]
        text = axes.annotate(
            label.text,
            (label.x, label.y),
            xytext=(0, 0),
            textcoords="offset points",
            fontsize=size,
            color=label.colour,
            ha="center",
            va="center",
        )
        text.set_in_layout(False)
        extent = text.get_window_extent()
        half = np.array([extent.width, extent.height]) / 2
        free: list[tuple[int, float, int, NDArray[np.float64], Bbox]] = []
        for ring, side in product(_RINGS if needed else _RINGS[:1], _SIDES):
            centre = point + np.array(side) * (half + (_NEAR + ring) * dot)
            box = _around(centre, half + _GAP * dot)
            if _inside(box, panel) and not any(box.overlaps(occupied_box) for occupied_box in occupied):
                free.append((_crossings(box, paths), ring, len(free), centre, box))
        if not free:
            text.remove()
            lost.append(label)
            continue
        _, ring, _, centre, box = min(
            free, key=lambda candidate: (candidate[0] > 0, candidate[1] + 4 * candidate[0], candidate[2])
        )
        text.xyann = tuple((centre - point) / dot)
        occupied.append(box)
        if ring >= _LEADER:
            start = np.clip(point, box.min, box.max)
            occupied += _along(point, start, dot)
            (line,) = axes.plot(
                *axes.transData.inverted().transform([point, start]).T,
                color=label.colour,
                linewidth=0.5,
                alpha=0.7,
                zorder=1,
            )
            line.set_in_layout(False)
    return tuple(lost)


def _drawn(axes: Axes, dot: float) -> tuple[list[Bbox], list[NDArray[np.float64]]]:
    """Boxes of all markers, and the lines between them, on the page."""
    marks, paths = [], []
    for line in axes.lines:
        if line.get_transform() != axes.transData:  # an ideal value, which crosses the whole panel
            continue
        places = axes.transData.transform(np.column_stack(line.get_data(orig=False)).astype(float))
        if line.get_marker() not in ("None", None, ""):
            half = np.full(2, (line.get_markersize() / 2 + 0.5) * dot)
            marks += [_around(place, half) for place in places]
        if line.get_linestyle() != "None" and len(places) > 1:
            paths.append(places)
    return marks, paths


def _crossings(box: Bbox, paths: Sequence[NDArray[np.float64]]) -> int:
    """How many lines go through a box."""
    return sum(_passes(box, path) for path in paths)


def _passes(box: Bbox, path: NDArray[np.float64]) -> bool:
    steps = np.linspace(0, 1, 33)[:, None, None]
    along = path[:-1] + steps * (path[1:] - path[:-1])
    inside = (along > box.min) & (along < box.max)
    return bool(inside.all(-1).any())


def _along(start: NDArray[np.float64], end: NDArray[np.float64], dot: float) -> list[Bbox]:
    """Small boxes on a line, which other labels keep away from."""
    return [_around(start + share * (end - start), np.full(2, 0.5 * dot)) for share in np.linspace(0, 1, 9)]


def _around(centre: NDArray[np.float64], half: NDArray[np.float64]) -> Bbox:
    return Bbox([centre - half, centre + half])


def _inside(box: Bbox, panel: Bbox) -> bool:
    return bool(panel.x0 <= box.x0 and box.x1 <= panel.x1 and panel.y0 <= box.y0 and box.y1 <= panel.y1)
