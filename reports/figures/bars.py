"""Values of methods with intervals, one panel for each metric: the arms of an ablation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..palette import LineStyle
from .curves import AxisLabel
from .style import Paper, tidy

_LEAST_SPREAD = 0.1
"""Share of the largest value by which values differ at least where bars show it."""


@dataclass(frozen=True)
class Bar:
    """One method under one metric, with the bounds of its interval; NaN bounds where there is none."""

    name: str
    value: float
    low: float
    high: float
    text: str
    """The value as printed."""
    best: bool


@dataclass(frozen=True)
class Panel:
    """One metric."""

    label: AxisLabel
    bars: Sequence[Bar]
    from_zero: bool
    """0 has a meaning for it, so that lengths of bars compare."""


def bars_figure(
    panels: Sequence[Panel],
    title: str,
    styles: Mapping[str, LineStyle],
    paper: Paper,
) -> Figure:
    """Panels below each other, or side by side on two columns.

    Bars begin at 0. Where 0 has no meaning, or the values differ by less than a tenth of them, points stand in their
    place, on an axis that begins where they do. Values stand in a column of their own at the right, where no bar and no
    interval reaches.
    """
    most = 2 if paper.columns == 1 else 4
    rows = -(-len(panels) // most)
    columns = -(-len(panels) // rows)
    names = max(len(panel.bars) for panel in panels)
    with paper.drawing():
        figure = paper.figure(rows * (0.55 + 0.0225 * paper.size * names) + 0.1)
        places = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
        for axes, panel in zip(places, panels, strict=False):
            _draw(axes, panel, styles, paper)
        for axes in places[len(panels) :]:
            axes.set_visible(False)
        paper.title(figure, title)
    return figure


def _draw(axes: Axes, panel: Panel, styles: Mapping[str, LineStyle], paper: Paper) -> None:
    label, bars = panel.label, panel.bars
    places = range(len(bars))
    colours = [styles[bar.name].colour for bar in bars]
    values = [bar.value for bar in bars]
    ends = [end for bar in bars for end in (bar.value, bar.low, bar.high) if isfinite(end)]
    low, high = min(ends), max(ends)
    if panel.from_zero and high - low >= _LEAST_SPREAD * max(abs(low), abs(high)):
        low, high = min(0, low), max(0, high)
        axes.barh(places, values, color=colours, height=0.7)
        room = 0.03 * (high - low)
        axes.set_xlim(low - room if low < 0 else 0, high + room if high > 0 else 0)
    else:
        axes.scatter(values, places, color=colours, s=4 * paper.small, zorder=3)
        room = 0.08 * (high - low or abs(high) or 1)
        axes.set_xlim(low - room, high + room)
    for place, bar in zip(places, bars, strict=True):
        if isfinite(bar.low) and isfinite(bar.high):
            axes.plot([bar.low, bar.high], [place, place], color="black", linewidth=0.9)
        axes.annotate(
            paper.text(bar.text, bold=bar.best), (1, place), xycoords=("axes fraction", "data"), xytext=(2, 0),
            textcoords="offset points", ha="left", va="center", fontsize=paper.small,
            weight="bold" if bar.best else "normal",
        )  # fmt: skip
    if label.ideal is not None:
        axes.axvline(label.ideal, color="black", linewidth=0.8, linestyle=(0, (1, 2)))
    axes.set_yticks(list(places), [paper.text(bar.name) for bar in bars])
    axes.invert_yaxis() if not axes.yaxis_inverted() else None
    axes.set_xlabel(paper.text(label.text))
    axes.locator_params(axis="x", nbins=4)
    tidy(axes)
    axes.grid(visible=False, axis="y")
