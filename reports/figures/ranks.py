"""Ranks of methods by metric and dataset, as a heat map and as a radar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.projections.polar import PolarAxes
from numpy.typing import NDArray

from ..palette import LineStyle
from .style import GRID, Paper


@dataclass(frozen=True)
class RankTable:
    """Ranks, 1 for the best, NaN where a method has no value: ``[methods, columns]``."""

    methods: tuple[str, ...]
    columns: tuple[str, ...]
    ranks: NDArray[np.float64]


def ranks_figure(table: RankTable, title: str, paper: Paper) -> Figure:
    """Methods from the best mean rank down, which stands in the last column."""
    mean = np.nanmean(table.ranks, axis=1)
    order = np.argsort(mean, kind="stable")
    values = np.column_stack([table.ranks, mean])[order]
    with paper.drawing():
        figure = paper.figure(1.0 + 0.0225 * paper.size * len(order))
        axes = figure.subplots()
        last = max(len(order), 2)
        axes.imshow(values, cmap="cividis_r", vmin=1, vmax=last, aspect="auto")
        for (row, column), value in np.ndenumerate(values):
            if np.isfinite(value):
                best = bool(value == np.nanmin(values[:, column]))
                axes.text(
                    column,
                    row,
                    paper.text(f"{value:.1f}" if column == values.shape[1] - 1 else f"{value:g}", bold=best),
                    ha="center",
                    va="center",
                    fontsize=paper.small,
                    color="black" if value < (1 + last) / 2 else "white",
                    weight="bold" if best else "normal",
                )
        axes.axvline(values.shape[1] - 1.5, color="white", linewidth=2)
        axes.set_xticks(range(values.shape[1]), [*map(paper.text, table.columns), "mean"], rotation=40, ha="right",
                        rotation_mode="anchor")  # fmt: skip
        axes.set_yticks(range(len(order)), [paper.text(table.methods[place]) for place in order])
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        paper.title(figure, title)
    return figure


@dataclass(frozen=True)
class RadarShape:
    """One method: a score in 0..1 for each axis, 1 at the rim."""

    name: str
    scores: tuple[float, ...]


def radar_figure(
    shapes: Sequence[RadarShape],
    axes_titles: Sequence[str],
    title: str,
    styles: Mapping[str, LineStyle],
    paper: Paper,
) -> Figure:
    """Metrics around a circle, the best method of each at the rim, the worst at the inner ring."""
    angles = np.linspace(0, 2 * np.pi, len(axes_titles), endpoint=False)
    closed = np.append(angles, angles[:1])
    with paper.drawing():
        figure = paper.figure(3.2)
        axes = figure.add_subplot(projection="polar")
        assert isinstance(axes, PolarAxes)
        axes.set_theta_offset(np.pi / 2)
        axes.set_theta_direction(-1)
        for shape in shapes:
            values = 0.15 + 0.85 * np.append(shape.scores, shape.scores[:1])
            style = styles[shape.name]
            axes.plot(closed, values, marker=style.marker, markersize=3, label=paper.text(shape.name), clip_on=False,
                      **style.plot_kwargs)  # fmt: skip
            axes.fill(closed, values, color=style.colour, alpha=0.06)
        axes.set_ylim(0, 1)
        axes.set_yticks([0.15, 0.575], ["", ""])  # the rim is a ring already
        axes.set_xticks(angles, [paper.text(title) for title in axes_titles])
        for angle, label in zip(angles, axes.get_xticklabels(), strict=True):
            side = float(np.sin(angle))  # clockwise from the top
            label.set_horizontalalignment("center" if abs(side) < 0.1 else "left" if side > 0 else "right")
        axes.grid(color=GRID, linewidth=0.6)
        axes.spines["polar"].set_color(GRID)
        paper.legend_below(figure, *axes.get_legend_handles_labels())
        paper.title(figure, title)
    return figure
