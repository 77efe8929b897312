"""Visual comparison: the whole image with boxes, and each box of every version beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from ..palette import COLOURS
from .style import TALLEST, Paper

Pixels = NDArray[np.uint8]
_BOXES = (COLOURS[1], COLOURS[5], COLOURS[2], COLOURS[4])
_FRAME = 1.4
"""Points of the frames around crops."""
_GAP, _EDGE = 0.05, 0.01
"""Inches between crops, and around everything, so that no frame is cut in half."""
_LEAST_WHOLE, _LEAST_SIDE = 0.9, 0.3
"""Inches that the whole image is high, and a crop is wide, at least."""
_READABLE = 5.0
"""Points below which a name goes on two lines instead."""


@dataclass(frozen=True)
class Box:
    """A part of HR, in its pixels."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True)
class Version:
    """One version of an image: uint8 ``[H, W]`` or ``[H, W, 3]`` at HR's size, or LQ at its own."""

    name: str
    pixels: Pixels
    captions: tuple[tuple[str, bool], ...] = ()
    """Values below the crop, and whether each is the best."""


def crops_figure(
    whole: Pixels,
    versions: Sequence[Version],
    boxes: Sequence[Box],
    title: str,
    paper: Paper,
    columns: int | None = None,
) -> Figure:
    """HR with its boxes at the left, above everything on one column; crops of all versions, LQ's enlarged by nearest.

    Args:
        whole: HR, or the version that stands for it.
        versions: in the order of reading.
        boxes: each with a colour of its own.
        title: what the image is, written below it.
        paper: where it has no height, the figure is at most ``TALLEST`` inches high.
        columns: crops in a row; default: as large as fits, with few empty places.
    """
    texts = 1 + max(len(version.captions) for version in versions)
    ratios = [box.height / box.width for box in boxes]
    grid = _arrange(len(versions), ratios, whole.shape[0] / whole.shape[1], texts, paper, columns)
    with paper.drawing():
        names = [_name_lines(version.name, grid.side, paper) for version in versions]
        if any(len(lines) > 1 for lines in names):
            grid = _arrange(len(versions), ratios, whole.shape[0] / whole.shape[1], texts + 1, paper, columns)
        named = max(map(len, names))
        figure = Figure(figsize=(paper.width, grid.total))
        page = _Page(figure, paper.width, grid.total, paper)
        axes = page.axes(*grid.whole)
        _show(axes, whole)
        page.text(grid.whole[0] + grid.whole[2] / 2, grid.whole[1] + grid.whole[3] + 0.55 * grid.line, title,
                  max(grid.whole[2], 0.0 if paper.columns == 2 else paper.width - 2 * _EDGE))  # fmt: skip
        for box, colour in zip(boxes, _BOXES, strict=False):
            axes.add_patch(Rectangle((box.left - 0.5, box.top - 0.5), box.width, box.height, fill=False,
                                     edgecolor=colour, linewidth=_FRAME))  # fmt: skip
        for place, version in enumerate(versions):
            x, y = grid.place(place)
            for ratio, box, colour in zip(ratios, boxes, _BOXES, strict=False):
                panel = page.axes(x, y, grid.side, grid.side * ratio)
                _show(panel, _cut(version.pixels, box, whole.shape[:2]))
                panel.spines[:].set(visible=True, color=colour, linewidth=_FRAME)
                y += grid.side * ratio + _GAP
            lines = [(text, False) for text in names[place]] + [("", False)] * (named - len(names[place]))
            for line, (text, best) in enumerate([*lines, *version.captions]):
                page.text(x + grid.side / 2, y - _GAP + (line + 0.65) * grid.line, text, grid.side, bold=best)
    return figure


@dataclass(frozen=True)
class _Arrangement:
    """Where the whole image and the crops go, in inches from the upper left corner."""

    whole: tuple[float, float, float, float]
    """Left, top, width and height."""
    left: float
    """Of the first crop."""
    top: float
    side: float
    """Width of a crop."""
    columns: int
    stride: float
    """From one row of versions to the next."""
    total: float
    """Height of the figure."""
    line: float
    """Height of a line of text."""

    def place(self, number: int) -> tuple[float, float]:
        """Left and top of a version."""
        return (
            self.left + number % self.columns * (self.side + _GAP),
            self.top + number // self.columns * self.stride,
        )


def _arrange(
    count: int, ratios: Sequence[float], whole: float, texts: int, paper: Paper, columns: int | None
) -> _Arrangement:
    """The largest crops that fit, with few empty places; smaller than their column where none fits.

    Args:
        ratios: height over width of each box.
        whole: the same of the whole image.
        texts: lines below each version.
    """
    limit = paper.height or TALLEST[paper.columns]
    tried = [_with_columns(count, ratios, whole, texts, paper, number)
             for number in ([columns] if columns else range(1, count + 1))]  # fmt: skip
    fitting = [layout for layout in tried if layout.total <= limit + 1e-9]
    return max(
        fitting or tried, key=lambda layout: layout.side * count / (layout.columns * -(-count // layout.columns))
    )


def _with_columns(
    count: int, ratios: Sequence[float], whole: float, texts: int, paper: Paper, columns: int
) -> _Arrangement:
    limit, line = paper.height or TALLEST[paper.columns], 1.25 * paper.small / 72
    inner, rows = paper.width - 2 * _EDGE, -(-count // columns)
    fixed = rows * (line * texts + _GAP * len(ratios)) + 2 * _EDGE
    if paper.columns == 2:
        beside = min(0.3 * inner, (limit - line - 2 * _EDGE) / whole)
        left, room = _EDGE + beside + _GAP, limit - fixed
    else:
        beside = min(inner, max(_LEAST_WHOLE, 0.3 * limit) / whole)
        left, room = _EDGE, limit - fixed - beside * whole - line - _GAP
    most = (paper.width - _EDGE - left - _GAP * (columns - 1)) / columns
    side = min(most, max(_LEAST_SIDE, room / (rows * sum(ratios))))
    block = rows * (side * sum(ratios) + line * texts + _GAP * len(ratios))
    unfilled = (most - side) * columns
    if paper.columns == 2:
        wider = min(unfilled, max(0.0, (limit - line - 2 * _EDGE) / whole - beside))
        beside, left = beside + wider, left + (unfilled + wider) / 2
        total = max(block, beside * whole + line) + 2 * _EDGE
        return _Arrangement(
            (_EDGE, _EDGE, beside, beside * whole), left, _EDGE, side, columns, block / rows, total, line
        )
    left += unfilled / 2
    beside = min(inner, max(beside, (limit - block - line - _GAP - 2 * _EDGE) / whole))
    top = _EDGE + beside * whole + line + _GAP
    place = ((paper.width - beside) / 2, _EDGE, beside, beside * whole)
    return _Arrangement(place, left, top, side, columns, block / rows, top + block + _EDGE, line)


def _name_lines(name: str, width: float, paper: Paper) -> tuple[str, ...]:
    """A name on one line, or on two, broken near the middle where it has a sign for it, where one would be tiny."""
    if paper.fitting(name, width) >= _READABLE:
        return (name,)
    breaks = [place + 1 for place, sign in enumerate(name[:-1]) if sign in "-_ @:/.+"] or [-(-len(name) // 2)]
    middle = min(breaks, key=lambda place: abs(place - len(name) / 2))
    return (name[:middle].rstrip(), name[middle:])


@dataclass(frozen=True)
class _Page:
    """Places things in inches from the upper left corner."""

    figure: Figure
    width: float
    height: float
    paper: Paper

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        bottom = self.height - top - height
        return self.figure.add_axes(
            (left / self.width, bottom / self.height, width / self.width, height / self.height)
        )  # fmt: skip

    def text(self, x: float, y: float, text: str, room: float, *, bold: bool = False) -> None:
        """One line in the middle of ``x``, at most ``room`` inches wide."""
        size = self.paper.fitting(text, room, bold=bold)
        self.figure.text(
            x / self.width,
            1 - y / self.height,
            self.paper.text(text, bold=bold),
            ha="center",
            va="center",
            fontsize=size,
            weight="bold" if bold else "normal",
        )


def _show(axes: Axes, pixels: Pixels) -> None:
    axes.imshow(pixels, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axes.spines[:].set_visible(False)
    axes.set_xticks([])
    axes.set_yticks([])


def _cut(pixels: Pixels, box: Box, whole: tuple[int, int]) -> Pixels:
    """The part of a version that shows a box of HR; LQ's own pixels where it is smaller."""
    down, across = pixels.shape[0] / whole[0], pixels.shape[1] / whole[1]
    top, left = round(box.top * down), round(box.left * across)
    bottom, right = round((box.top + box.height) * down), round((box.left + box.width) * across)
    return pixels[top : max(bottom, top + 1), left : max(right, left + 1)]


def most_different_box(versions: Sequence[Pixels], side: int) -> Box:
    """The square of ``side`` pixels, on a grid of half its side, where versions of one size differ most."""
    planes = np.stack(
        [np.asarray(version, dtype=np.float32).reshape(*version.shape[:2], -1).mean(-1) for version in versions]
    )
    spread = planes.std(axis=0)
    side = min(side, *spread.shape)
    sums = np.pad(spread.cumsum(0, dtype=np.float64).cumsum(1), ((1, 0), (1, 0)))
    step = max(side // 2, 1)
    inside = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    on_grid = inside[::step, ::step]
    top, left = np.unravel_index(int(on_grid.argmax()), on_grid.shape)
    return Box(int(left) * step, int(top) * step, side, side)
