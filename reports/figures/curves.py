"""One value against another: a model's settings joined in order, methods without siblings as single points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from ..palette import LineStyle
from .style import Width, new_figure, paper, tidy


@dataclass(frozen=True)
class Curve:
    """One model at several settings, or one method at one."""

    name: str
    labels: tuple[str, ...]
    """Setting of each point, such as the number of sampling steps; '' for a single method."""
    x: tuple[float, ...]
    y: tuple[tuple[float, ...], ...]
    """Values of each panel's metric, ``[panels][points]``."""


@dataclass(frozen=True)
class AxisLabel:
    """Text of an axis and the value that is ideal on it, if there is one."""

    text: str
    ideal: float | None = None


def curves_figure(
    curves: Sequence[Curve],
    x: AxisLabel,
    y: Sequence[AxisLabel],
    title: str,
    styles: Mapping[str, LineStyle],
    width: Width,
    height: float | None = None,
    legend: bool = True,
) -> Figure:
    """One panel for each ``y``; panels stand side by side on two columns, else below each other."""
    rows, columns = (1, len(y)) if width == 2 else (len(y), 1)
    with paper():
        figure = new_figure(width, height or 2.5 * rows + 0.35)
        panels = figure.subplots(rows, columns, squeeze=False).ravel()
        for number, (panel, label) in enumerate(zip(panels, y, strict=True)):
            for curve in curves:
                _draw(panel, curve, number, styles[curve.name])
            panel.set_xlabel(x.text)
            panel.set_ylabel(label.text)
            if label.ideal is not None:
                panel.axhline(label.ideal, color="black", linewidth=0.8, linestyle=(0, (1, 2)))
            if x.ideal is not None:
                panel.axvline(x.ideal, color="black", linewidth=0.8, linestyle=(0, (1, 2)))
            panel.margins(0.09)
            tidy(panel)
        if legend:
            handles, names = panels[0].get_legend_handles_labels()
            figure.legend(handles, names, loc="outside lower center", ncols=min(len(names), 3 if width == 1 else 6))
        figure.suptitle(title, x=0.01, ha="left", fontsize=8)
        _label(figure, list(panels), curves, styles)
    return figure


def _draw(panel: Axes, curve: Curve, number: int, style: LineStyle) -> None:
    values = curve.y[number]
    line = style.plot_kwargs if len(values) > 1 else {"color": style.colour, "linestyle": "none"}
    panel.plot(curve.x, values, marker=style.marker, label=curve.name, **line)


def _label(figure: Figure, panels: Sequence[Axes], curves: Sequence[Curve], styles: Mapping[str, LineStyle]) -> None:
    """Settings beside their points, but for those that would lie upon another."""
    figure.draw_without_rendering()  # lays out, so that places of points are known
    for number, panel in enumerate(panels):
        taken: list[Bbox] = []
        for curve in curves:
            for label, place in zip(curve.labels, zip(curve.x, curve.y[number], strict=True), strict=True):
                if not label:
                    continue
                text = panel.annotate(label, place, xytext=(3, 3), textcoords="offset points", fontsize=6,
                                      color=styles[curve.name].colour)  # fmt: skip
                box = text.get_window_extent()
                if any(box.overlaps(other) for other in taken):
                    text.remove()
                else:
                    taken.append(box)
