"""Quality against cost, one point for each method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from ..palette import LineStyle
from .curves import AxisLabel
from .style import Width, new_figure, paper, tidy


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
    width: Width,
    height: float | None = None,
) -> Figure:
    """Cost on a logarithmic axis; every point carries its name."""
    with paper():
        figure = new_figure(width, height or 2.5)
        axes = figure.subplots()
        middle = sorted(point.cost for point in points)[len(points) // 2]
        for point in points:
            style = styles[point.name]
            axes.plot(point.cost, point.value, marker=style.marker, color=style.colour, linestyle="none")
            right = point.cost <= middle
            axes.annotate(
                point.name, (point.cost, point.value), xytext=(4 if right else -4, 3), textcoords="offset points",
                fontsize=6.5, color=style.colour, ha="left" if right else "right",
            )  # fmt: skip
        axes.set_xscale("log")
        if value.ideal is not None:
            axes.axhline(value.ideal, color="black", linewidth=0.8, linestyle=(0, (1, 2)))
        axes.set_xlabel(cost)
        axes.set_ylabel(value.text)
        axes.margins(0.15)
        axes.set_title(title)
        tidy(axes)
    return figure
