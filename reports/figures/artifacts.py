"""Versions of one image, and where each has artifacts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from ..heat import LESS, MORE, Layer, over
from .style import INCHES, Width, new_figure, paper

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class MarkedVersion:
    """What a method restored, with the layers of its artifact maps ``[H, W, 4]``."""

    name: str
    pixels: Pixels
    ldl: Layer
    desra: Layer
    share: float
    """Of the image in DeSRA's areas, 0 to 1."""


def artifacts_figure(
    hr: Pixels, versions: Sequence[MarkedVersion], title: str, width: Width, height: float | None = None
) -> Figure:
    """A column for HR and each method: its pixels, LDL's map over it, DeSRA's areas over it with their share."""
    columns = 1 + len(versions)
    tile = INCHES[width] / columns
    with paper():
        figure = new_figure(width, height or 3 * (tile * hr.shape[0] / hr.shape[1] + 0.06) + 0.65)
        places = figure.subplots(3, columns, squeeze=False)
        for axes in places.ravel():
            axes.set_axis_off()
        _show(places[0, 0], hr, "HR")
        for column, version in enumerate(versions, start=1):
            _show(places[0, column], version.pixels, version.name)
            _show(places[1, column], over(version.pixels, version.ldl), "LDL")
            _show(places[2, column], over(version.pixels, version.desra), f"DeSRA {100 * version.share:.1f} %")
        handles = [Patch(color=MORE, alpha=0.6, label="more contrast"),
                   Patch(color=LESS, alpha=0.6, label="less contrast")]  # fmt: skip
        figure.legend(handles=handles, loc="outside lower center", ncols=2)
        figure.suptitle(title, x=0.01, ha="left", fontsize=8)
    return figure


def _show(axes: Axes, pixels: Pixels, title: str) -> None:
    axes.imshow(pixels, cmap="gray", vmin=0, vmax=255, interpolation="antialiased")
    axes.set_title(title, fontsize=6, pad=2, loc="center")
