"""Values of single images as violins, one for each method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..palette import LineStyle
from .curves import AxisLabel
from .style import Paper, tidy

Floats = NDArray[np.float64]
_FEW = 10
"""Images below which a density says nothing: each is drawn as a point alone."""


@dataclass(frozen=True)
class Violin:
    """One method under one metric."""

    name: str
    values: Floats
    """Of each image ``[images]``, finite."""


def violins_figure(
    panels: Sequence[tuple[AxisLabel, Sequence[Violin]]], title: str, styles: Mapping[str, LineStyle], paper: Paper
) -> Figure:
    """Density of the values of images, their middle half as a thick line, their median as a white point.

    Args:
        panels: label of the axis and violins of each panel.
        title: title of the figure.
        styles: colour and marker of each method by name.
        paper: size and fonts.
    """
    panels_per_row = 2 if paper.columns == 1 else 4
    rows = -(-len(panels) // panels_per_row)
    columns = -(-len(panels) // rows)
    names = max(len(violins) for _, violins in panels)
    with paper.drawing():
        figure = paper.figure(rows * (0.55 + 0.035 * paper.size * names) + 0.1)
        places = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
        for axes, (label, violins) in zip(places, panels, strict=False):
            _draw(axes, label, violins, styles, paper)
        places[0].set_ylim(names - 0.5, -0.5)
        for axes in places[len(panels) :]:
            axes.set_visible(False)
        paper.title(figure, title)
    return figure


def _draw(
    axes: Axes, label: AxisLabel, violins: Sequence[Violin], styles: Mapping[str, LineStyle], paper: Paper
) -> None:
    for place, violin in enumerate(violins):
        colour, values = styles[violin.name].colour, violin.values
        if values.size >= _FEW and np.ptp(values) > 0:
            bodies = axes.violinplot([values], [place], orientation="horizontal", widths=0.85, showextrema=False)
            for body in bodies["bodies"]:  # type: ignore[attr-defined]
                body.set(facecolor=colour, alpha=0.45, edgecolor=colour, linewidth=0.6)
            low, middle, high = np.quantile(values, (0.25, 0.5, 0.75))
            axes.plot([low, high], [place, place], color=colour, linewidth=2.4, solid_capstyle="butt")
            axes.plot(middle, place, "o", color=colour, markerfacecolor="white", markersize=3.2, clip_on=False)
        else:
            axes.plot(
                values,
                np.full(values.size, place),
                styles[violin.name].marker,
                color=colour,
                markersize=2.6,
                alpha=0.7,
                linestyle="none",
                clip_on=False,
            )
    if label.ideal is not None:
        axes.axvline(label.ideal, color="black", linewidth=0.8, linestyle=(0, (1, 2)))
    axes.set_yticks(range(len(violins)), [paper.text(violin.name) for violin in violins])
    axes.set_xlabel(paper.text(label.text))
    axes.locator_params(axis="x", nbins=4)
    tidy(axes)
    axes.grid(visible=False, axis="y")
