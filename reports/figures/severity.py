"""Values over the strength of a degradation: a panel for each degradation and metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..palette import LineStyle
from .style import Paper, tidy

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class StrengthCurve:
    """One method, ``[strengths]`` each; NaN bounds where there are too few images for an interval."""

    name: str
    values: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class SeverityPanel:
    """Methods over the strengths of one degradation under one metric."""

    x: str
    y: str
    strengths: tuple[str, ...]
    """The mildest first; they stand at equal distances."""
    curves: tuple[StrengthCurve, ...]


def severity_figure(
    rows: Sequence[Sequence[SeverityPanel]], title: str, styles: Mapping[str, LineStyle], paper: Paper
) -> Figure:
    """A row for each metric, whose panels share their axis of values, and a column for each degradation.

    Args:
        rows: panels of each metric.
        title: title of the figure.
        styles: line style of each method by name.
        paper: size and fonts.
    """
    with paper.drawing():
        figure = paper.figure(1.7 * len(rows) + 0.5)
        places = figure.subplots(len(rows), len(rows[0]), squeeze=False, sharey="row")
        for row, panels in zip(places, rows, strict=True):
            for number, (axes, panel) in enumerate(zip(row, panels, strict=True)):
                _draw(axes, panel, styles, paper)
                axes.set_ylabel(paper.text(panel.y) if number == 0 else "")
        paper.legend_below(figure, *places[0, 0].get_legend_handles_labels())
        paper.title(figure, title)
    return figure


def _draw(axes: Axes, panel: SeverityPanel, styles: Mapping[str, LineStyle], paper: Paper) -> None:
    places = np.arange(len(panel.strengths))
    for curve in panel.curves:
        style = styles[curve.name]
        label = paper.text(curve.name)
        axes.plot(places, curve.values, marker=style.marker, label=label, **style.plot_kwargs)
        axes.fill_between(places, curve.low, curve.high, color=style.colour, alpha=0.15, linewidth=0)
    axes.set_xticks(places, [paper.text(strength) for strength in panel.strengths])
    axes.set_xlabel(paper.text(panel.x))
    tidy(axes)
