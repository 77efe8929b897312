"""How a method is drawn, in figures and in plots of pages alike: colours, line styles and markers by its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C564B", "#777777")
"""Okabe and Ito's, without yellow and black, and two more; colour-blind readers tell them apart."""
_LINES = (("-", ""), ("--", "6 3"), (":", "2 2"), ("-.", "8 3 2 3"))
"""Line styles as Matplotlib names them, and as dashes of SVG."""
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "h")


@dataclass(frozen=True)
class LineStyle:
    """How the line and the points of one name are drawn."""

    colour: str
    line: str
    """As Matplotlib names it."""
    dashes: str
    """The same as SVG's ``stroke-dasharray``; '' for a solid line."""
    marker: str

    @property
    def plot_kwargs(self) -> dict[str, Any]:
        """Arguments of Matplotlib's ``Axes.plot``."""
        return {"color": self.colour, "linestyle": self.line}


def line_styles(names: Sequence[str]) -> dict[str, LineStyle]:
    """A style for each name, by its place: eight colours, then other line styles and markers."""
    return {
        name: LineStyle(
            COLOURS[number % len(COLOURS)],
            *_LINES[number // len(COLOURS) % len(_LINES)],
            _MARKERS[(number + number // len(COLOURS)) % len(_MARKERS)],
        )
        for number, name in enumerate(names)
    }
