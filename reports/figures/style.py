"""The style that all figures share: widths of one and two columns, sizes of text and lines."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

Width = Literal[1, 2]

INCHES: dict[int, float] = {1: 3.35, 2: 6.95}
"""Widths of one and of both columns of a two-column paper (IEEE, CVPR)."""

GRID = "#dddddd"
FLOOR = 1e-12
"""Added to powers before a logarithm."""

_SETTINGS: Any = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "legend.fontsize": 7,
    "legend.handlelength": 1.8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "lines.linewidth": 1.3,
    "lines.markersize": 4,
    "pdf.fonttype": 42,  # fonts that publishers accept
    "svg.hashsalt": "asasr-bench",
}


@contextmanager
def paper() -> Iterator[None]:
    """Draw in the shared style; it acts while a figure is made and while it is saved."""
    with mpl.rc_context(_SETTINGS):
        yield


def new_figure(width: Width, height: float) -> Figure:
    """An empty figure as wide as one or two columns; height in inches."""
    return Figure(figsize=(INCHES[width], height), layout="constrained")


def tidy(axes: Axes) -> None:
    """A light grid at the major ticks."""
    axes.grid(visible=True, which="major", color=GRID, linewidth=0.6)


def render(figure: Figure, suffix: str) -> bytes:
    """The file's bytes: no time stamp, so equal figures give equal bytes."""
    buffer = io.BytesIO()
    with paper():
        figure.savefig(buffer, format=suffix, dpi=300, metadata={"CreationDate": None} if suffix == "pdf" else {})
    return buffer.getvalue()
