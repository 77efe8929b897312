"""One value against another: a model's settings joined in order, methods without siblings as single points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..palette import LineStyle
from .labels import PointLabel, place_labels
from .style import Paper, tidy


@dataclass(frozen=True)
class Curve:
    """One model at several settings, or one method at one."""

    name: str
    labels: tuple[str, ...]
    """Setting of each point, such as the number of sampling steps; '' for a single method."""
    x: tuple[float, ...]
    y: tuple[tuple[float, ...], ...]
    """Values of each panel's metric, ``[panels][points]``."""


@dataclass(frozen=True)
class AxisLabel:
    """Text of an axis and the value that is ideal on it, if there is one."""

    text: str
    ideal: float | None = None


def curves_figure(
    curves: Sequence[Curve],
    x: AxisLabel,
    y: Sequence[AxisLabel],
    title: str,
    styles: Mapping[str, LineStyle],
    paper: Paper,
    legend: bool = True,
) -> Figure:
    """One panel for each ``y``, side by side on two columns, else below each other.

    Args:
        curves: one for each model.
        x: label and ideal of the common axis.
        y: label and ideal of each panel.
        title: title of the figure.
        styles: line style of each model by name.
        paper: size and fonts.
        legend: draw a legend.
    """
    rows, columns = (1, len(y)) if paper.columns == 2 else (len(y), 1)
    with paper.drawing():
        figure = paper.figure(1.95 * rows + 0.35)
        panels = figure.subplots(rows, columns, squeeze=False, sharex=columns == 1).ravel()
        for number, (panel, label) in enumerate(zip(panels, y, strict=True)):
            for curve in curves:
                _draw(panel, curve, number, styles[curve.name], paper.text(curve.name))
            if columns > 1 or number == rows - 1:
                panel.set_xlabel(paper.text(x.text))
            panel.set_ylabel(paper.text(label.text))
            ideals(panel, x, label)
            panel.margins(0.09)
            tidy(panel)
        if legend:
            paper.legend_below(figure, *panels[0].get_legend_handles_labels())
        paper.title(figure, title)
        for number, panel in enumerate(panels):
            settings = [
                PointLabel(paper.text(text), at, value, styles[curve.name].colour)
                for curve in curves
                for text, at, value in zip(curve.labels, curve.x, curve.y[number], strict=True)
                if text
            ]
            place_labels(figure, panel, settings, 0.9 * paper.small, needed=False)
    return figure


def ideals(axes: Axes, x: AxisLabel | None = None, y: AxisLabel | None = None) -> None:
    """A dotted line at the ideal value of an axis, where it has one."""
    for label, line in ((x, axes.axvline), (y, axes.axhline)):
        if label is not None and label.ideal is not None:
            line(label.ideal, color="black", linewidth=0.8, linestyle=(0, (1, 2)))


def _draw(panel: Axes, curve: Curve, number: int, style: LineStyle, name: str) -> None:
    values = curve.y[number]
    line = style.plot_kwargs if len(values) > 1 else {"color": style.colour, "linestyle": "none"}
    panel.plot(curve.x, values, marker=style.marker, label=name, clip_on=False, **line)
