"""What a training logged, over its steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..palette import LineStyle
from .style import Paper, tidy


@dataclass(frozen=True)
class Log:
    """One training: its steps and, for each column, a value at each of them (NaN: not logged)."""

    name: str
    steps: NDArray[np.float64]
    columns: Mapping[str, NDArray[np.float64]]


def training_figure(
    logs: Sequence[Log],
    columns: Sequence[str],
    styles: Mapping[str, LineStyle],
    paper: Paper,
    smooth: int = 1,
) -> Figure:
    """One panel for each logged column.

    Args:
        logs: the trainings.
        columns: names of the columns to draw.
        styles: line style of each training by name.
        paper: size and fonts.
        smooth: length of the running mean that is drawn over the pale logged values; 1: the values alone.
    """
    across = min(len(columns), 1 if paper.columns == 1 else 3)
    rows = -(-len(columns) // across)
    with paper.drawing():
        figure = paper.figure(1.6 * rows + 0.4)
        panels = figure.subplots(rows, across, squeeze=False, sharex=True).ravel()
        for panel, column in zip(panels, columns, strict=False):
            for log in logs:
                if column not in log.columns:
                    continue
                logged = np.isfinite(log.columns[column])  # values of validations are in few rows
                steps, values = log.steps[logged], log.columns[column][logged]
                if smooth > 1:
                    panel.plot(steps, values, alpha=0.25, linewidth=0.7, **styles[log.name].plot_kwargs)
                panel.plot(
                    steps, running_mean(values, smooth), label=paper.text(log.name), **styles[log.name].plot_kwargs
                )
            panel.set_ylabel(paper.text(column.replace("_", " ")))
            tidy(panel)
        for panel in panels[len(columns) :]:
            panel.set_visible(False)
        for panel in panels[max(0, len(columns) - across) : len(columns)]:
            panel.set_xlabel("step")
            panel.tick_params(labelbottom=True)
        handles = {
            text: line for panel in panels for line, text in zip(*panel.get_legend_handles_labels(), strict=True)
        }
        if len(logs) > 1:
            paper.legend_below(figure, list(handles.values()), list(handles))
    return figure


def running_mean(values: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    """Mean of the last ``length`` values, of fewer at the beginning."""
    sums = np.cumsum(np.concatenate([[0.0], values]))
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(ends - length, 0)
    mean: NDArray[np.float64] = (sums[ends] - sums[starts]) / (ends - starts)
    return mean
