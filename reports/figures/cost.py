"""Quality against cost, one point for each method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from ..palette import LineStyle
from .curves import AxisLabel, ideals
from .labels import PointLabel, place_labels
from .style import Paper, tidy


@dataclass(frozen=True)
class CostPoint:
    """One method."""

    name: str
    cost: float
    value: float


def cost_figure(
    points: Sequence[CostPoint],
    cost: str,
    value: AxisLabel,
    title: str,
    styles: Mapping[str, LineStyle],
    paper: Paper,
) -> Figure:
    """Cost on a logarithmic axis. Every point carries its name; if a name has no room, all are in a legend instead.

    Args:
        points: one for each method.
        cost: label of the axis of costs.
        value: label and ideal of the axis of values.
        title: title of the figure.
        styles: colour and marker of each method by name.
        paper: size and fonts.
    """
    with paper.drawing():
        figure = paper.figure(2.5)
        axes = figure.subplots()
        for point in points:
            style = styles[point.name]
            axes.plot(
                point.cost,
                point.value,
                marker=style.marker,
                color=style.colour,
                linestyle="none",
                label=paper.text(point.name),
                clip_on=False,
            )
        axes.set_xscale("log")
        ideals(axes, y=value)
        axes.set_xlabel(paper.text(cost))
        axes.set_ylabel(paper.text(value.text))
        axes.margins(0.15)
        paper.title(figure, title)
        tidy(axes)
        labels = [
            PointLabel(paper.text(point.name), point.cost, point.value, styles[point.name].colour) for point in points
        ]
        if place_labels(figure, axes, labels, paper.small):
            for text in list(axes.texts):
                text.remove()
            for leader in axes.lines[len(points) :]:
                leader.remove()
            paper.legend_below(figure, *axes.get_legend_handles_labels())
    return figure
