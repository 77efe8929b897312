"""The style that all figures share: the paper that they are for, with its widths, fonts and sizes."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import matplotlib as mpl
from matplotlib import font_manager
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from ..escaping import tex

Width = Literal[1, 2]
Font = Literal["serif", "sans"]
Suffix = Literal["pdf", "png", "svg"]

INCHES: dict[int, float] = {1: 3.25, 2: 6.875}
"""Widths of one and of both columns of a two-column paper (CVPR, ICCV; IEEE's are wider)."""
TALLEST: dict[int, float] = {1: 4.0, 2: 3.2}
"""Inches that crops may be high on one and on both columns: they leave room for text on their page."""

GRID = "#dddddd"
FLOOR = 1e-12
"""Added to powers before a logarithm."""
_SANS = ("Helvetica", "Arial", "Nimbus Sans", "Liberation Sans", "TeX Gyre Heros")
"""Of Matplotlib's own fonts none looks like the sans of a paper; the first of these that a machine has is taken."""
_SIGNS = str.maketrans(
    {
        "↑": r"$\uparrow$",
        "↓": r"$\downarrow$",
        "→": r"$\to$",
        "∞": r"$\infty$",
        "–": "--",
        "≈": r"$\approx$",
        "±": r"$\pm$",
    }
)


class LatexError(RuntimeError):
    """LaTeX was asked for and cannot set the text of a figure."""


@dataclass(frozen=True)
class Paper:
    """What a figure must fit: a column or two of a paper, in its font and size of text."""

    columns: Width = 1
    height: float | None = None
    """Inches, instead of what suits a figure."""
    font: Font = "serif"
    """A font like Times, the same on every machine, or the machine's Helvetica or Arial."""
    size: float = 8.0
    """Of axis labels, in points; smaller text follows it."""
    titles: bool = False
    """Whether figures say above what they show; in a paper the caption does."""
    usetex: bool = False
    """Let LaTeX set the text, which takes seconds; it needs type1cm and cm-super, and dvipng for PNG files."""

    @property
    def width(self) -> float:
        """In inches."""
        return INCHES[self.columns]

    @property
    def small(self) -> float:
        """Points of labels beside markers, values and ticks: 6.5 in a figure of 8."""
        return 0.8125 * self.size

    @contextmanager
    def drawing(self) -> Iterator[None]:
        """Act in this style; it is needed while a figure is made and while it is saved.

        Raises:
            LatexError: ``usetex`` where LaTeX or one of its packages is missing.
        """
        with mpl.rc_context(self._settings()), _latex(self.usetex):
            yield

    def figure(self, height: float) -> Figure:
        """An empty figure of this width; ``height`` in inches is what suits it."""
        return Figure(figsize=(self.width, self.height or height), layout="constrained")

    def title(self, figure: Figure, text: str) -> None:
        """Write what a figure shows above it, where titles are wanted."""
        if self.titles:
            needed = 1.02 * self.text_width(text, self.size) or 1.0
            size = self.size * min(1.0, 0.98 * self.width / needed)
            figure.suptitle(self.text(text), x=0.01, ha="left", fontsize=size)

    def text(self, text: str, *, bold: bool = False) -> str:
        """A text as it must be given to Matplotlib, so that no sign of a name is taken for a formula.

        Args:
            bold: set it bold where LaTeX does; there Matplotlib's own ``weight`` has no effect.
        """
        if not self.usetex:
            return text.replace("$", r"\$")
        escaped = tex(text).translate(_SIGNS)
        return rf"\textbf{{{escaped}}}" if bold else escaped

    def text_width(self, text: str, size: float, *, bold: bool = False) -> float:
        """Inches of one line of text in this style's font, without LaTeX."""
        if not text.strip():
            return 0.0
        font = FontProperties(family=_families(self.font), weight="bold" if bold else "normal")
        return float(TextPath((0, 0), text.replace("$", r"\$"), size, prop=font).get_extents().width) / 72

    def fitting(self, text: str, width: float, *, bold: bool = False) -> float:
        """Points at which one line of text is at most so many inches wide; never more than ``small``."""
        needed = 1.02 * self.text_width(text, self.small, bold=bold)
        return self.small * min(1.0, width / needed if needed else 1.0)

    def legend_below(self, figure: Figure, handles: Sequence[Artist], names: Sequence[str]) -> None:
        """A legend below everything, in as many columns as the width has room for."""
        size = 0.875 * self.size
        label = max((self.text_width(name, size) for name in names), default=0.0) + 4.2 * size / 72
        rows = -(-len(names) // max(1, int(self.width / label)))
        figure.legend(handles, names, loc="outside lower center", ncols=-(-len(names) // max(rows, 1)))

    def render(self, figure: Figure, suffix: Suffix, dpi: int = 300) -> bytes:
        """The file's bytes: no time stamp, so equal figures give equal bytes.

        Raises:
            LatexError: see ``drawing``.
        """
        buffer = io.BytesIO()
        stamp: dict[str, Any] = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}.get(suffix, {})
        with self.drawing():
            figure.savefig(buffer, format=suffix, dpi=dpi, metadata=stamp)
        return buffer.getvalue()

    def _settings(self) -> dict[Any, Any]:
        return {
            **_font_settings(self.font, usetex=self.usetex),
            "mathtext.fontset": "stix" if self.font == "serif" else "dejavusans",
            "text.usetex": self.usetex,
            "font.size": self.size,
            "axes.titlesize": self.size,
            "axes.titlelocation": "left",
            "axes.labelsize": self.size,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.axisbelow": True,
            "axes.linewidth": 0.6,
            "legend.frameon": False,
            "legend.fontsize": 0.875 * self.size,
            "legend.handlelength": 1.8,
            "legend.columnspacing": 1.2,
            "xtick.labelsize": 0.875 * self.size,
            "ytick.labelsize": 0.875 * self.size,
            "lines.linewidth": 1.3,
            "lines.markersize": 4,
            "pdf.fonttype": 42,  # fonts that publishers accept
            "svg.hashsalt": "asasr-bench",
        }


def _font_settings(font: Font, *, usetex: bool) -> dict[str, Any]:
    """LaTeX's Times or Helvetica by the names under which Matplotlib loads their packages, or fonts of this machine."""
    if not usetex:
        return {"font.family": _families(font)}
    family = "serif" if font == "serif" else "sans-serif"
    return {"font.family": [family], "font.serif": ["Times"], "font.sans-serif": ["Helvetica"]}


def _families(font: Font) -> list[str]:
    """Fonts in the order in which a sign is looked for; the last has every sign that we write."""
    if font == "serif":
        return ["STIXGeneral", "DejaVu Sans"]
    installed = set(font_manager.get_font_names())
    return [*[name for name in _SANS if name in installed][:1], "DejaVu Sans"]


@contextmanager
def _latex(enabled: bool) -> Iterator[None]:
    if enabled and shutil.which("latex") is None:
        raise LatexError("usetex: there is no 'latex' on this machine; install it, or leave 'usetex' out")
    try:
        yield
    except (RuntimeError, FileNotFoundError) as error:
        if not enabled:
            raise
        lines = [line for line in str(error).splitlines() if line.startswith("!")]
        raise LatexError(f"usetex: LaTeX cannot set the text of this figure ({(lines or [str(error)])[0]})") from error


def tidy(axes: Axes) -> None:
    """A light grid at the major ticks."""
    axes.grid(visible=True, which="major", color=GRID, linewidth=0.6)
