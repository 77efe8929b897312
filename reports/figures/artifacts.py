"""Versions of one image, and where each has artifacts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from ..heat import LESS, MORE, Layer, overlaid
from .style import Paper

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


def artifacts_figure(hr: Pixels, versions: Sequence[MarkedVersion], title: str, paper: Paper) -> Figure:
    """A column for HR and each method: its pixels, LDL's map over it, DeSRA's areas over it with their share.

    Args:
        hr: HR, ``[H, W]`` or ``[H, W, 3]``.
        versions: the restored images with their maps.
        title: title of the figure.
        paper: size and fonts.
    """
    columns = 1 + len(versions)
    tile = paper.width / columns
    with paper.drawing():
        figure = paper.figure(3 * (tile * hr.shape[0] / hr.shape[1] + 0.06) + 0.65)
        places = figure.subplots(3, columns, squeeze=False)
        for axes in places.ravel():
            axes.set_axis_off()
        _show(places[0, 0], hr, "HR", tile, paper)
        for column, version in enumerate(versions, start=1):
            _show(places[0, column], version.pixels, version.name, tile, paper)
            _show(places[1, column], overlaid(version.pixels, version.ldl), "LDL", tile, paper)
            share = f"DeSRA {100 * version.share:.1f} %"
            _show(places[2, column], overlaid(version.pixels, version.desra), share, tile, paper)
        handles = [
            Patch(color=MORE, alpha=0.6, label="more contrast"),
            Patch(color=LESS, alpha=0.6, label="less contrast"),
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=2)
        paper.title(figure, title)
    return figure


def _show(axes: Axes, pixels: Pixels, title: str, tile: float, paper: Paper) -> None:
    axes.imshow(pixels, cmap="gray", vmin=0, vmax=255, interpolation="antialiased")
    axes.set_title(paper.text(title), fontsize=paper.fitting(title, tile - 0.06), pad=2, loc="center")
