"""Figures of planned studies: families as curves over distortion, and cosines over smoothness and noise level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.figure import Figure

from ..palette import line_styles
from .style import Paper, tidy

_HEIGHT = 2.4


def families_figure(
    means: pd.DataFrame,
    sets: Sequence[str],
    families: Sequence[str],
    x: str,
    ys: Sequence[str],
    titles: Mapping[str, str],
) -> Figure:
    """A row for each metric and a column for each set: every family's points joined in order of their steps.

    Panels show where the other families lie; the first family's points go on beyond it.

    Args:
        means: columns dataset, family, steps, and one for each metric: the mean over photos of each point.
        families: in order of their line styles; the first is what the others are compared with.
        titles: of metrics, as axes name them.
    """
    paper = Paper(2)
    with paper.drawing():
        figure = paper.figure(0.35 + 1.75 * len(ys))
        panels = figure.subplots(len(ys), len(sets), squeeze=False)
        styles = line_styles(families)
        for axes_of_metric, y in zip(panels, ys, strict=True):
            for axes, dataset in zip(axes_of_metric, sets, strict=True):
                own_set = means[means["dataset"] == dataset]
                for family, style in styles.items():
                    points = own_set[own_set["family"] == family].sort_values("steps")
                    axes.plot(
                        points[x], points[y], label=family, marker=style.marker, markersize=3, **style.plot_kwargs
                    )
                other_families = own_set[own_set["family"] != families[0]]
                if len(other_families) > 1:
                    axes.set_xlim(*_around(other_families[x]))
                    axes.set_ylim(*_around(other_families[y]))
                axes.locator_params(nbins=4)
                tidy(axes)
        for column, dataset in enumerate(sets):
            panels[0, column].set_title(dataset)
            panels[-1, column].set_xlabel(titles[x])
        for row, y in enumerate(ys):
            panels[row, 0].set_ylabel(titles[y])
        figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=len(families))
    return figure


def _around(values: pd.Series) -> tuple[float, float]:
    margin = 0.5 * max(float(values.max() - values.min()), 1e-6)
    return float(values.min()) - margin, float(values.max()) + margin


def directions_figure(cosines: pd.DataFrame) -> Figure:
    """Mean cosine over s, a line for each sigma: the learned adversary in a panel for each teacher, LQ in the last."""
    paper = Paper(2)
    with paper.drawing():
        figure = paper.figure(_HEIGHT)
        panels = [(teacher, "adversary") for teacher in dict.fromkeys(cosines["teacher"])]
        panels.append((panels[0][0], "lq"))
        axes_of = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
        styles = line_styles([f"{sigma:g}" for sigma in sorted(set(cosines["sigma"]))])
        for axes, (teacher, direction) in zip(axes_of, panels, strict=True):
            selected = cosines[(cosines["teacher"] == teacher) & (cosines["direction"] == direction)]
            for sigma, style in styles.items():
                mean = selected[selected["sigma"] == float(sigma)].groupby("s")["cosine"].mean()
                axes.plot(
                    mean.index, mean, marker=style.marker, markersize=3, label=f"sigma {sigma}", **style.plot_kwargs
                )
            axes.set_title(f"adversary of {teacher}" if direction == "adversary" else "LQ image")
            axes.set_xlabel("s")
            tidy(axes)
        axes_of[0].set_ylabel("cosine to the Riesz direction")
        axes_of[-1].legend()
    return figure
