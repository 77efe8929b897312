"""Figures for papers: vector PDF and PNG, from frames and arrays alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C564B", "#999999")
"""Okabe and Ito's, which colour-blind readers tell apart; line styles change after the last."""
_STYLES = ("-", "--", ":")
_FLOOR = 1e-12


@dataclass(frozen=True)
class Spectra:
    """Radial power spectra of one dataset under one protocol, averaged over images."""

    dataset: str
    protocol: str
    images: int
    frequencies: NDArray[np.float64]
    """Relative to Nyquist, ``[R]``."""
    reference: NDArray[np.float64]
    """Geometric mean over images of HR's power, ``[R]``."""
    methods: Mapping[str, NDArray[np.float64]]
    """The same of each method's SR."""


def spectrum_figure(spectra: Spectra) -> Figure:
    """Power over frequency, and below it each method's distance from HR in dB."""
    with mpl.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "pdf.fonttype": 42}):
        figure = Figure(figsize=(5.2, 4.6), layout="constrained")
        power, distance = figure.subplots(2, 1, sharex=True, height_ratios=[3, 2])
        frequencies = spectra.frequencies[1:]
        power.loglog(frequencies, spectra.reference[1:] + _FLOOR, color="black", linewidth=1.8, label="HR")
        distance.axhline(0, color="black", linewidth=1.8)
        for number, (name, values) in enumerate(spectra.methods.items()):
            style = {
                "color": _COLOURS[number % len(_COLOURS)], "linewidth": 1.3,
                "linestyle": _STYLES[number // len(_COLOURS) % len(_STYLES)],
            }  # fmt: skip
            power.plot(frequencies, values[1:] + _FLOOR, label=name, **style)
            gap = 10 * np.log10((values[1:] + _FLOOR) / (spectra.reference[1:] + _FLOOR))
            distance.plot(frequencies, gap, **style)
        power.set_ylabel("power of luma")
        power.legend(frameon=False, ncols=2 if len(spectra.methods) > 5 else 1)
        power.set_title(f"{spectra.dataset}, {spectra.images} images, {spectra.protocol}", loc="left", fontsize=9)
        distance.set_ylabel("SR over HR [dB]")
        distance.set_xlabel("frequency / Nyquist")
        distance.set_xlim(frequencies[0], 1)
        for axes in (power, distance):
            axes.grid(visible=True, which="major", color="#dddddd", linewidth=0.6)
    return figure
