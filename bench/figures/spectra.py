"""Spectral figures from the profiles that the metric ``lsd`` stored."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ...reports.figures.spectrum import Profile, Spectra, spectrum_figure
from ..objects import StoreError
from ..statistics import bootstrap_cis
from .material import Material
from .options import SpectrumOptions

Floats = NDArray[np.float64]

_FLOOR = 1e-12
_GRID = 256
"""Frequencies to which spectra of images of different sizes are brought."""
_DECIBEL = 10 / np.log(10)
_RESAMPLES = 2000


def spectrum(material: Material, options: SpectrumOptions) -> Iterator[tuple[str, Figure]]:
    """One figure for each dataset and protocol."""
    found = logarithms(material)
    if not found:
        raise StoreError(f"{material.store.root}: has no spectra; run the metric 'lsd' first")
    for part in material.parts(options):
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
            frequencies=np.linspace(0, 1, _GRID),
            reference=_profile(reference, reference),
            methods={name: _profile(*_stacked(methods[name])) for name in names},
        )
        figure = spectrum_figure(spectra, material.looks, options.columns, options.height)
        yield f"spectrum-{part.dataset}-{part.protocol}", figure


def logarithms(material: Material) -> dict[tuple[str, str], dict[str, dict[str, tuple[Floats, Floats]]]]:
    """Log profiles of SR and HR by (protocol, dataset), method and image; seeds of an image are averaged."""
    seeds: dict[tuple[str, str], dict[str, dict[str, list[tuple[Floats, Floats]]]]] = {}
    for (protocol, scale, dataset, image, method, _), payload in material.store.payloads("lsd"):
        sr, hr = (_on_grid(profile) for profile in payload.astype(np.float64))
        place = (protocol, material.shown_dataset(protocol, dataset, scale))
        seeds.setdefault(place, {}).setdefault(method, {}).setdefault(image, []).append((sr, hr))
    return {
        place: {
            method: {image: (np.mean([sr for sr, _ in pairs], axis=0), pairs[0][1]) for image, pairs in images.items()}
            for method, images in methods.items()
        }
        for place, methods in seeds.items()
    }


def _stacked(images: dict[str, tuple[Floats, Floats]]) -> tuple[Floats, Floats]:
    order = sorted(images)
    return np.stack([images[image][0] for image in order]), np.stack([images[image][1] for image in order])


def _profile(sr: Floats, hr: Floats) -> Profile:
    """From log powers ``[images, R]``: geometric means are what a log-spectral distance compares."""
    power, low, high = map(np.exp, _mean_and_interval(sr))
    return Profile(power, low, high, *_mean_and_interval((sr - hr) * _DECIBEL))


def _mean_and_interval(values: Floats) -> tuple[Floats, Floats, Floats]:
    bounds = bootstrap_cis(np.ascontiguousarray(values.T), resamples=_RESAMPLES)
    return values.mean(0), bounds[:, 0], bounds[:, 1]


def _on_grid(profile: Floats) -> Floats:
    """The logarithm of a profile at common frequencies."""
    at = np.interp(np.linspace(0, 1, _GRID), np.linspace(0, 1, len(profile)), np.log(profile + _FLOOR))
    return np.asarray(at, dtype=np.float64)
