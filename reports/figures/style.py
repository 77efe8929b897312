"""The style that all figures share: widths of one and two columns, colours, line styles and markers by name."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

Width = Literal[1, 2]

INCHES: dict[int, float] = {1: 3.35, 2: 6.95}
"""Widths of one and of both columns of a two-column paper (IEEE, CVPR)."""

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C564B", "#777777")
"""Okabe and Ito's, without yellow and black, and two more; line styles and markers change as well."""
_STYLES = ("-", "--", ":", "-.")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "h")
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


@dataclass(frozen=True)
class Look:
    """How one name is drawn, in every figure of a store alike."""

    colour: str
    line: str
    marker: str

    @property
    def of_line(self) -> dict[str, Any]:
        """Arguments of ``Axes.plot``."""
        return {"color": self.colour, "linestyle": self.line}


def looks(names: Sequence[str]) -> dict[str, Look]:
    """A look for each name, by its place: eight colours, then other line styles and markers."""
    return {
        name: Look(
            COLOURS[number % len(COLOURS)],
            _STYLES[number // len(COLOURS) % len(_STYLES)],
            _MARKERS[(number + number // len(COLOURS)) % len(_MARKERS)],
        )
        for number, name in enumerate(names)
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
