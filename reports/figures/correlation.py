"""How much metrics agree with each other, as a matrix of rank correlations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from .style import Paper


@dataclass(frozen=True)
class CorrelationTable:
    """Correlations of metrics ``[metrics, metrics]``, NaN where two have too few values in common."""

    metrics: tuple[str, ...]
    values: NDArray[np.float64]
    name: str
    """Of the coefficient, as the bar of colours says it."""


def correlation_figure(table: CorrelationTable, title: str, paper: Paper) -> Figure:
    """The lower triangle: each pair once."""
    count = len(table.metrics)
    triangle = np.where(np.tri(count, k=-1, dtype=bool), table.values, np.nan)[1:, :-1]
    side = min(paper.width, 0.5 * count + 1.4)
    with paper.drawing():
        figure = paper.figure(min(side, 0.36 * count + 1.0))
        axes = figure.subplots()
        image = axes.imshow(triangle, cmap="PuOr", vmin=-1, vmax=1, aspect="auto")
        for (row, column), value in np.ndenumerate(triangle):
            if np.isfinite(value):
                axes.text(
                    column,
                    row,
                    f"{value:z.2f}",
                    ha="center",
                    va="center",
                    fontsize=paper.small,
                    color="white" if abs(value) > 0.75 else "black",
                )
        axes.set_xticks(
            range(count - 1),
            [paper.text(name) for name in table.metrics[:-1]],
            rotation=40,
            ha="right",
            rotation_mode="anchor",
        )
        axes.set_yticks(range(count - 1), [paper.text(name) for name in table.metrics[1:]])
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        figure.colorbar(image, ax=axes, pad=0.02, fraction=0.05).set_label(paper.text(table.name))
        paper.title(figure, title)
    return figure
