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
from .style import INCHES, Width, paper

Pixels = NDArray[np.uint8]
_BOXES = (COLOURS[1], COLOURS[5], COLOURS[2], COLOURS[4])


_GAP, _LINE = 0.05, 0.11
"""Inches between crops, and of one line of text."""


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
    width: Width,
    height: float | None = None,
    columns: int | None = None,
) -> Figure:
    """HR with its boxes at the left, above everything on one column; crops of all versions, LQ's enlarged by nearest.

    Args:
        whole: HR, or the version that stands for it.
        height: in inches; scales what is drawn to fit, where it is less than what the width asks for.
        columns: crops in a row; default: what suits the width.
    """
    columns = columns or min(len(versions), 3 if width == 1 else 4)
    rows = -(-len(versions) // columns)
    inches, ratio = INCHES[width], whole.shape[0] / whole.shape[1]
    wide = width == 2
    whole_width = 0.3 * inches if wide else inches
    left, top = (whole_width + _GAP, 0.0) if wide else (0.0, whole_width * ratio + _LINE + _GAP)
    side = (inches - left - _GAP * (columns - 1)) / columns
    lines = 1 + max(len(version.captions) for version in versions)
    heights = [side * box.height / box.width for box in boxes]
    strides = [tall + _LINE * (lines if number == len(boxes) - 1 else 1) + _GAP for number, tall in enumerate(heights)]
    total = max(top + rows * sum(strides), whole_width * ratio + _LINE)
    with paper():
        figure = Figure(figsize=(inches, min(height or total, total)))
        page = _Page(figure, inches, total)
        axes = page.axes(0, _LINE, whole_width, whole_width * ratio)
        _show(axes, whole)
        page.text(0, _LINE / 2, title, "left")
        for box, colour in zip(boxes, _BOXES, strict=False):
            axes.add_patch(Rectangle((box.left - 0.5, box.top - 0.5), box.width, box.height, fill=False,
                                     edgecolor=colour, linewidth=1.4))  # fmt: skip
        for place, version in enumerate(versions):
            x, y = left + place % columns * (side + _GAP), top + place // columns * sum(strides)
            for number, (box, colour) in enumerate(zip(boxes, _BOXES, strict=False)):
                panel = page.axes(x, y, side, heights[number])
                _show(panel, _cut(version.pixels, box, whole.shape[:2]))
                panel.spines[:].set(visible=True, color=colour, linewidth=1.4)
                below = y + heights[number] + 0.55 * _LINE
                page.text(x + side / 2, below, version.name, "center")
                if number == len(boxes) - 1:
                    for line, (text, best) in enumerate(version.captions, start=1):
                        page.text(x + side / 2, below + line * _LINE, text, "center", bold=best)
                y += strides[number]
    return figure


@dataclass(frozen=True)
class _Page:
    """Places things in inches from the upper left corner."""

    figure: Figure
    width: float
    height: float

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        bottom = self.height - top - height
        return self.figure.add_axes(
            (left / self.width, bottom / self.height, width / self.width, height / self.height)
        )  # fmt: skip

    def text(self, x: float, y: float, text: str, align: str, *, bold: bool = False) -> None:
        self.figure.text(x / self.width, 1 - y / self.height, text, ha=align, va="center", fontsize=6,
                         weight="bold" if bold else "normal")  # fmt: skip


def _show(axes: Axes, pixels: Pixels) -> None:
    axes.imshow(pixels, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
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
    planes = np.stack([np.asarray(one, dtype=np.float32).reshape(*one.shape[:2], -1).mean(-1) for one in versions])
    spread = planes.std(axis=0)
    side = min(side, *spread.shape)
    sums = np.pad(spread.cumsum(0, dtype=np.float64).cumsum(1), ((1, 0), (1, 0)))
    step = max(side // 2, 1)
    inside = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    on_grid = inside[::step, ::step]
    top, left = np.unravel_index(int(on_grid.argmax()), on_grid.shape)
    return Box(int(left) * step, int(top) * step, side, side)
