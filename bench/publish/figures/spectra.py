"""Spectral figures from the profiles that the metric ``lsd`` stored."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ....reports.figures.spectrum import Profile, Spectra, spectrum_figure
from ...analysis.spectra import FREQUENCIES, log_profiles
from ...analysis.statistics import intervals
from ...store.images import StoreError
from .data import FigureData
from .options import SpectrumOptions

Floats = NDArray[np.float64]

_DECIBEL = 10 / np.log(10)


def spectrum(data: FigureData, options: SpectrumOptions) -> Iterator[tuple[str, Figure]]:
    """One figure for each dataset and protocol."""
    found = log_profiles(data.store)
    if not found:
        raise StoreError(f"{data.store.root}: has no spectra; run the metric 'lsd' first")
    for part in data.parts(options):
        methods = found.get((part.protocol, part.dataset), {})
        names = [name for name in part.methods if name in methods]
        if not names:
            continue
        truths: dict[str, Floats] = {}
        for images in methods.values():
            truths |= {image: hr for image, (_, hr) in images.items()}
        reference = np.stack([truths[image] for image in sorted(truths)])
        spectra = Spectra(
            title=part.title,
            frequencies=FREQUENCIES,
            reference=_profile(reference, reference),
            methods={name: _profile(*_stacked(methods[name])) for name in names},
        )
        figure = spectrum_figure(spectra, data.line_styles, options.columns, options.height)
        yield f"spectrum-{part.dataset}-{part.protocol}", figure


def _stacked(images: dict[str, tuple[Floats, Floats]]) -> tuple[Floats, Floats]:
    order = sorted(images)
    return np.stack([images[image][0] for image in order]), np.stack([images[image][1] for image in order])


def _profile(sr: Floats, hr: Floats) -> Profile:
    """From log powers ``[images, R]``: geometric means are what a log-spectral distance compares."""
    power, low, high = map(np.exp, _mean_and_interval(sr))
    return Profile(power, low, high, *_mean_and_interval((sr - hr) * _DECIBEL))


def _mean_and_interval(values: Floats) -> tuple[Floats, Floats, Floats]:
    bounds = intervals(np.ascontiguousarray(values.T))
    return values.mean(0), bounds[:, 0], bounds[:, 1]
