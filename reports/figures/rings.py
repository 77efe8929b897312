"""Fourier ring correlation with HR, and the radial error spectrum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..palette import LineStyle
from .style import Paper, tidy

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class RingStatistics:
    """Of one method over images, ``[R]`` each; NaN bounds where there are too few images for an interval."""

    correlation: Floats
    """Mean over images."""
    low: Floats
    high: Floats
    """95 % interval of that mean."""
    error: Floats
    """Power of SR minus HR over HR's, mean of images in dB."""
    error_low: Floats
    error_high: Floats


@dataclass(frozen=True)
class Rings:
    """Methods compared with HR at each frequency, on one dataset under one protocol."""

    title: str
    frequencies: Floats
    """Cycles per pixel ``[R]``."""
    lq_nyquist: float
    """The highest frequency of LQ in cycles per pixel of SR."""
    threshold: float
    """Of the correlation, for the cut-off."""
    methods: Mapping[str, RingStatistics]


def rings_figure(rings: Rings, styles: Mapping[str, LineStyle], paper: Paper) -> Figure:
    """Correlation over frequency, and the error over HR in dB, with intervals: stacked, or side by side."""
    wide = paper.columns == 2
    with paper.drawing():
        figure = paper.figure(2.4 if wide else 3.9)
        correlation, error = figure.subplots(1, 2) if wide else figure.subplots(2, 1, sharex=True)
        correlation.axhline(rings.threshold, color="black", linewidth=0.8, linestyle="--")
        error.axhline(0, color="black", linewidth=0.8, linestyle="--")
        for name, values in rings.methods.items():
            style, colour = styles[name].plot_kwargs, styles[name].colour
            correlation.plot(rings.frequencies, values.correlation, label=paper.text(name), **style)
            correlation.fill_between(rings.frequencies, values.low, values.high, color=colour, alpha=0.18, linewidth=0)
            error.plot(rings.frequencies, values.error, **style)
            error.fill_between(
                rings.frequencies, values.error_low, values.error_high, color=colour, alpha=0.18, linewidth=0
            )
        correlation.set_ylabel("ring correlation with HR")
        error.set_ylabel("error over HR [dB]")
        for axes in (correlation, error):
            tidy(axes)
            axes.set_xlim(0, 0.5)
            axes.axvline(rings.lq_nyquist, color="black", linewidth=0.8, linestyle=":")
        correlation.annotate(
            "LQ's Nyquist",
            (rings.lq_nyquist, 1),
            xycoords=("data", "axes fraction"),
            xytext=(3, -7),
            textcoords="offset points",
            fontsize=0.9 * paper.small,
        )
        for axes in (correlation, error) if wide else (error,):
            axes.set_xlabel("frequency [cycles per pixel]")
        paper.legend_below(figure, *correlation.get_legend_handles_labels())
        paper.title(figure, rings.title)
    return figure
