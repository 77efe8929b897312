"""Bars with intervals, one panel for each metric: the arms of an ablation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..palette import LineStyle
from .curves import AxisLabel
from .style import Width, new_figure, paper, tidy


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


def bars_figure(
    panels: Sequence[tuple[AxisLabel, Sequence[Bar]]],
    title: str,
    styles: Mapping[str, LineStyle],
    width: Width,
    height: float | None = None,
) -> Figure:
    """Panels below each other, or side by side on two columns; the axis is cut to the values, as its ticks say."""
    rows = -(-len(panels) // (2 if width == 1 else 4))
    columns = -(-len(panels) // rows)
    names = max(len(bars) for _, bars in panels)
    with paper():
        figure = new_figure(width, height or rows * (0.7 + 0.2 * names) + 0.3)
        places = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
        for axes, (label, bars) in zip(places, panels, strict=False):
            _draw(axes, label, bars, styles)
        for axes in places[len(panels) :]:
            axes.set_visible(False)
        figure.suptitle(title, x=0.01, ha="left", fontsize=8)
    return figure


def _draw(axes: Axes, label: AxisLabel, bars: Sequence[Bar], styles: Mapping[str, LineStyle]) -> None:
    places = range(len(bars))
    axes.barh(places, [bar.value for bar in bars], color=[styles[bar.name].colour for bar in bars], height=0.7)
    for place, bar in zip(places, bars, strict=True):
        if isfinite(bar.low) and isfinite(bar.high):
            axes.plot([bar.low, bar.high], [place, place], color="black", linewidth=0.9)
        axes.annotate(
            bar.text, (1, place), xycoords=("axes fraction", "data"), xytext=(1, 0), textcoords="offset points",
            ha="right", va="center", fontsize=6.5, weight="bold" if bar.best else "normal",
        )  # fmt: skip
    ends = [end for bar in bars for end in (bar.value, bar.low, bar.high) if isfinite(end)]
    low, high = min(ends), max(ends)
    room = (high - low or abs(high) or 1) * 0.3
    digits = max(len(bar.text) for bar in bars)
    axes.set_xlim(min(0, low) if low < room else low - room, high + 0.4 * digits * room)  # room for the numbers
    if label.ideal is not None:
        axes.axvline(label.ideal, color="black", linewidth=0.8, linestyle=(0, (1, 2)))
    axes.set_yticks(list(places), [bar.name for bar in bars])
    axes.invert_yaxis() if not axes.yaxis_inverted() else None
    axes.set_xlabel(label.text)
    tidy(axes)
    axes.grid(visible=False, axis="y")
