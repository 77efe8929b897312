"""Figures of planned studies: families as curves over distortion, and cosines over smoothness and noise level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.figure import Figure

from .style import looks, new_figure, paper, tidy

_HEIGHT = 2.4


def families_figure(means: pd.DataFrame, x: str, ys: Sequence[str], titles: Mapping[str, str]) -> Figure:
    """One panel for each metric: every family's points joined in order of their distortion.

    Args:
        means: columns family, and one for each metric: the mean over photos of each point.
        titles: of metrics, as axes name them.
    """
    with paper():
        figure = new_figure(2, _HEIGHT + 0.5)
        panels = figure.subplots(1, len(ys), squeeze=False)[0]
        look = looks(list(dict.fromkeys(means["family"])))
        for axes, y in zip(panels, ys, strict=True):
            for family, own in look.items():
                points = means[means["family"] == family].sort_values(x)
                axes.plot(points[x], points[y], label=family, marker=own.marker, markersize=3, **own.of_line)
            axes.set_xlabel(titles[x])
            axes.set_ylabel(titles[y])
            tidy(axes)
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def directions_figure(cosines: pd.DataFrame) -> Figure:
    """Mean cosine over s, a line for each sigma: the learned adversary in a panel for each teacher, LQ in the last."""
    with paper():
        figure = new_figure(2, _HEIGHT)
        panels = [(teacher, "adversary") for teacher in dict.fromkeys(cosines["teacher"])]
        panels.append((panels[0][0], "lq"))
        axes_of = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
        look = looks([f"{sigma:g}" for sigma in sorted(set(cosines["sigma"]))])
        for axes, (teacher, direction) in zip(axes_of, panels, strict=True):
            part = cosines[(cosines["teacher"] == teacher) & (cosines["direction"] == direction)]
            for sigma, own in look.items():
                mean = part[part["sigma"] == float(sigma)].groupby("s")["cosine"].mean()
                axes.plot(mean.index, mean, marker=own.marker, markersize=3, label=f"sigma {sigma}", **own.of_line)
            axes.set_title(f"adversary of {teacher}" if direction == "adversary" else "LQ image")
            axes.set_xlabel("s")
            tidy(axes)
        axes_of[0].set_ylabel("cosine to the Riesz direction")
        axes_of[-1].legend()
    return figure
