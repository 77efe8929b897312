"""Spectral figures from the payloads of the metrics ``lsd`` and ``frc``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ....reports.figures.rings import Rings, RingStatistics, rings_figure
from ....reports.figures.spectrum import Profile, Spectra, spectrum_figure
from ...analysis.spectra import FREQUENCIES, log_profiles, ring_curves
from ...analysis.statistics import intervals
from ...metrics.faithfulness.ring_correlation import THRESHOLD
from ...store.images import StoreError
from .data import FigureData
from .options import FrcOptions, SpectrumOptions

Floats = NDArray[np.float64]

_DECIBEL = 10 / np.log(10)


def spectrum(data: FigureData, options: SpectrumOptions) -> Iterator[tuple[str, Figure]]:
    """One figure for each dataset and protocol."""
    profiles = log_profiles(data.store)
    if not profiles:
        raise StoreError(f"{data.store.root}: has no spectra; run the metric 'lsd' first")
    for part in data.parts(options):
        methods = profiles.get((part.protocol, part.dataset), {})
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
        figure = spectrum_figure(spectra, data.line_styles, options.paper)
        yield f"spectrum-{part.dataset}-{part.protocol}", figure


def frc(data: FigureData, options: FrcOptions) -> Iterator[tuple[str, Figure]]:
    """One figure for each dataset and protocol."""
    stored = ring_curves(data.store)
    if not stored:
        raise StoreError(f"{data.store.root}: has no ring correlations; run the metric 'frc' first")
    for part in data.parts(options):
        curves = stored.get((part.protocol, part.dataset))
        names = [] if curves is None else [name for name in part.methods if name in curves.methods]
        if curves is None or not names:
            continue
        rings = Rings(
            title=part.title,
            frequencies=FREQUENCIES / 2,
            lq_nyquist=0.5 / curves.scale,
            threshold=THRESHOLD,
            methods={name: _ring_statistics(list(curves.methods[name].values())) for name in names},
        )
        figure = rings_figure(rings, data.line_styles, options.paper)
        yield f"frc-{part.dataset}-{part.protocol}", figure


def _ring_statistics(images: Sequence[tuple[Floats, Floats]]) -> RingStatistics:
    correlation, error = (np.stack(curves) for curves in zip(*images, strict=True))
    return RingStatistics(*_mean_and_interval(correlation), *_mean_and_interval(error))


def _stacked(images: dict[str, tuple[Floats, Floats]]) -> tuple[Floats, Floats]:
    order = sorted(images)
    return np.stack([images[image][0] for image in order]), np.stack([images[image][1] for image in order])


def _profile(sr: Floats, hr: Floats) -> Profile:
    """Geometric means of log powers ``[images, R]``, which a log-spectral distance compares."""
    power, low, high = map(np.exp, _mean_and_interval(sr))
    return Profile(power, low, high, *_mean_and_interval((sr - hr) * _DECIBEL))


def _mean_and_interval(values: Floats) -> tuple[Floats, Floats, Floats]:
    bounds = intervals(np.ascontiguousarray(values.T))
    return values.mean(0), bounds[:, 0], bounds[:, 1]
