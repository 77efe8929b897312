"""Spectra of luma: radial power with HR's, and two-dimensional."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..palette import LineStyle
from .style import FLOOR, Paper, tidy

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Profile:
    """Radial power over images, ``[R]`` each; NaN bounds where there are too few images for an interval."""

    power: Floats
    """Geometric mean over images."""
    low: Floats
    high: Floats
    """95 % interval of that mean over images."""
    ratio: Floats
    """Geometric mean of SR's power over HR's, in dB."""
    ratio_low: Floats
    ratio_high: Floats


@dataclass(frozen=True)
class Spectra:
    """Radial power spectra of one dataset under one protocol."""

    title: str
    frequencies: Floats
    """Relative to Nyquist, ``[R]``."""
    reference: Profile
    """HR's; its ratio is 0."""
    methods: Mapping[str, Profile]


def spectrum_figure(spectra: Spectra, styles: Mapping[str, LineStyle], paper: Paper) -> Figure:
    """Power over frequency with its interval, and each method's ratio to HR in dB: stacked, or side by side."""
    wide = paper.columns == 2
    with paper.drawing():
        figure = paper.figure(2.4 if wide else 3.9)
        if wide:
            power, ratio = figure.subplots(1, 2)
        else:
            power, ratio = figure.subplots(2, 1, sharex=True, height_ratios=[3, 2])
        inner = spectra.frequencies > 0
        frequencies = spectra.frequencies[inner]
        reference = spectra.reference
        power.loglog(frequencies, reference.power[inner] + FLOOR, color="black", linewidth=1.8, label="HR", zorder=3)
        power.fill_between(
            frequencies,
            reference.low[inner] + FLOOR,
            reference.high[inner] + FLOOR,
            color="black",
            alpha=0.12,
            linewidth=0,
        )
        ratio.axhline(0, color="black", linewidth=1.8, zorder=3)
        for name, profile in spectra.methods.items():
            style, colour = styles[name].plot_kwargs, styles[name].colour
            power.plot(frequencies, profile.power[inner] + FLOOR, label=paper.text(name), **style)
            power.fill_between(
                frequencies,
                profile.low[inner] + FLOOR,
                profile.high[inner] + FLOOR,
                color=colour,
                alpha=0.12,
                linewidth=0,
            )
            ratio.plot(frequencies, profile.ratio[inner], **style)
            ratio.fill_between(
                frequencies, profile.ratio_low[inner], profile.ratio_high[inner], color=colour, alpha=0.18, linewidth=0
            )
        power.set_ylabel("power of luma")
        ratio.set_ylabel("SR over HR [dB]")
        for axes in (power, ratio):
            tidy(axes)
            axes.set_xscale("log")
            axes.set_xlim(frequencies[0], 1)
        for axes in (power, ratio) if wide else (ratio,):
            axes.set_xlabel("frequency / Nyquist")
        paper.legend_below(figure, *power.get_legend_handles_labels())
        paper.title(figure, spectra.title)
    return figure


def spectra_2d_figure(powers: Mapping[str, Floats], title: str, paper: Paper) -> Figure:
    """Log power of one image's versions, ``[H, W]`` each with frequency 0 in the middle, on one scale of colours."""
    columns = min(len(powers), 3 if paper.columns == 1 else 6)
    rows = -(-len(powers) // columns)
    columns = -(-len(powers) // rows)
    levels = {name: 10 * np.log10(power + FLOOR) for name, power in powers.items()}
    high = max(float(np.percentile(level, 99.9)) for level in levels.values())
    low = float(np.percentile(next(iter(levels.values())), 1)) - 20
    with paper.drawing():
        side = paper.width / columns
        figure = paper.figure(rows * (side + 0.2) + 0.5)
        places = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes, (name, level) in zip(places, levels.items(), strict=False):
            image = axes.imshow(
                level, cmap="cividis", vmin=low, vmax=high, extent=(-1, 1, 1, -1), interpolation="nearest"
            )
            axes.set_title(paper.text(name), fontsize=paper.fitting(name, side - 0.1), loc="center", pad=3)
            axes.spines[:].set_visible(False)
            axes.set_xticks([])
            axes.set_yticks([])
        for axes in places[len(levels) :]:
            axes.set_visible(False)
        bar = figure.colorbar(image, ax=list(places), orientation="horizontal", shrink=0.5, aspect=40)
        bar.set_label("power of luma [dB], from -Nyquist to Nyquist", fontsize=0.875 * paper.size)
        paper.title(figure, title)
    return figure
