"""How wide a LaTeX table is, and what makes it fit one or both columns of a paper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Environment = Literal["table", "table*"]
_ROOM: tuple[tuple[Environment, float], ...] = (("table", 225.0), ("table*", 465.0))
"""Points that a table may be wide: ``article`` in two columns has 229 and 469, CVPR 237 and 496, IEEE 252 and 516."""
_SETTINGS = ((r"\small", 9.25, 3.0), (r"\footnotesize", 8.5, 3.0), (r"\footnotesize", 8.5, 2.0))
"""Commands of LaTeX, points of text in a document of 10 (9 and 8, whose letters are relatively wider than those of 10),
and points on either side of a column (``tabcolsep``)."""
_BOLD, _SCRIPT = 1.15, 0.87
"""Width of bold text, and of raised and lowered text, as shares of the text's."""
_WIDTHS = {
    "ijl.,:;'!|": 0.28,
    "f": 0.31,
    "rst()[]- ": 0.4,
    "I": 0.37,
    "acegoz0123456789↑↓": 0.5,
    "J": 0.52,
    "kqvxy": 0.53,
    "bdhnpuS": 0.56,
    "LZ": 0.63,
    "FEP": 0.69,
    "BCTwR": 0.74,
    "ANUVXYH": 0.75,
    "DGKOQ=≈±→": 0.79,
    "m": 0.84,
    "M": 0.92,
    "W%@∞": 1.03,
}
"""In sizes of the font, of Computer Modern (cmr10), the widest of the usual fonts."""


@dataclass(frozen=True)
class Fit:
    """What a table is set in."""

    environment: Environment
    size: str
    """Command of the font's size."""
    scaled: bool
    """Whether ``\\resizebox`` of package graphicx must shrink it, as even both columns are too narrow."""
    separation: str = "3pt"
    """Of ``tabcolsep``."""


def fit(columns: Sequence[Sequence[float]]) -> Fit:
    """The fit of a table, from the widths of its columns' cells in sizes of the font (``ems``)."""
    for environment, room in _ROOM:
        for size, points, separation in _SETTINGS:
            if width(columns, points, separation) <= room:
                return Fit(environment, size, scaled=False, separation=f"{separation:g}pt")
    size, _, separation = _SETTINGS[-1]
    return Fit("table*", size, scaled=True, separation=f"{separation:g}pt")


def fits(columns: Sequence[Sequence[float]]) -> bool:
    """Whether a table needs no scaling."""
    return not fit(columns).scaled


def width(columns: Sequence[Sequence[float]], points: float, separation: float) -> float:
    """Points of a table in a font of so many points."""
    return sum(2 * separation + points * max(cells, default=0.0) for cells in columns)


def ems(text: str, script: str = "", *, bold: bool = False) -> float:
    """Width of a text, and of what stands raised or lowered after it, in sizes of the font."""
    return (_BOLD if bold else 1.0) * sum(map(_sign, text)) + _SCRIPT * sum(map(_sign, script))


def _sign(sign: str) -> float:
    return next((width_of_each for signs, width_of_each in _WIDTHS.items() if sign in signs), 0.8)
