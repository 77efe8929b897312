"""Metrics over a number that models were run with: steps of training, sides of tiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..palette import LineStyle
from .curves import AxisLabel, ideals
from .style import Paper, tidy


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval; NaN bounds where there is none."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class SettingLine:
    """One model at several values of a setting."""

    name: str
    settings: tuple[float, ...]
    estimates: tuple[tuple[Estimate, ...], ...]
    """``[panels][settings]``."""


@dataclass(frozen=True)
class Level:
    """A method without the setting, to compare with."""

    name: str
    values: tuple[float, ...]
    """``[panels]``; NaN where it has none."""


def settings_figure(
    lines: Sequence[SettingLine],
    levels: Sequence[Level],
    setting: str,
    y: Sequence[AxisLabel],
    title: str,
    styles: Mapping[str, LineStyle],
    paper: Paper,
) -> Figure:
    """A panel for each metric: a line with its interval for each model, a thin horizontal line for each level.

    Args:
        lines: models at several values of the setting.
        levels: methods without the setting.
        setting: label of the common axis.
        y: label and ideal of each panel.
        title: title of the figure.
        styles: line style by name.
        paper: size and fonts.
    """
    rows, columns = (1, len(y)) if paper.columns == 2 else (len(y), 1)
    with paper.drawing():
        figure = paper.figure(1.7 * rows + 0.35)
        panels = figure.subplots(rows, columns, squeeze=False, sharex=True).ravel()
        for number, (panel, label) in enumerate(zip(panels, y, strict=True)):
            for line in lines:
                _draw(panel, line, number, styles[line.name], paper.text(line.name))
            for level in levels:
                if isfinite(level.values[number]):
                    panel.axhline(
                        level.values[number],
                        color=styles[level.name].colour,
                        linewidth=0.9,
                        linestyle=(0, (4, 2)),
                        label=paper.text(level.name),
                    )
            if columns > 1 or number == rows - 1:
                panel.set_xlabel(paper.text(setting))
            panel.set_ylabel(paper.text(label.text))
            ideals(panel, y=label)
            panel.margins(x=0.03)
            tidy(panel)
        if len(lines) + len(levels) > 1:
            handles = {
                name: handle
                for panel in panels
                for handle, name in zip(*panel.get_legend_handles_labels(), strict=True)
            }
            paper.legend_below(figure, list(handles.values()), list(handles))
        paper.title(figure, title)
    return figure


def _draw(panel: Axes, line: SettingLine, number: int, style: LineStyle, name: str) -> None:
    estimates = line.estimates[number]
    panel.plot(
        line.settings,
        [estimate.value for estimate in estimates],
        marker=style.marker,
        label=name,
        clip_on=False,
        **style.plot_kwargs,
    )
    panel.fill_between(
        line.settings,
        [estimate.low for estimate in estimates],
        [estimate.high for estimate in estimates],
        color=style.colour,
        alpha=0.15,
        linewidth=0,
    )
