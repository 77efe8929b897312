"""Radial curves of a store at common frequencies: log spectra of ``lsd`` and ring correlations of ``frc``."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...reports import page_data
from ..metrics.spectrum import FLOOR
from ..store.store import Store
from .leaderboard import outputs_of

Floats = NDArray[np.float64]

FREQUENCIES: Floats = np.linspace(0, 1, 256)
"""Frequencies relative to Nyquist, to which spectra of images of all sizes are interpolated."""

DECIBEL = 10 / np.log(10)
"""Factor from the natural logarithm of a power to dB."""

Profiles = dict[str, dict[str, tuple[Floats, Floats]]]
"""For each method and image the natural logarithms of the power of SR and of HR at ``FREQUENCIES``."""


def log_profiles(store: Store) -> dict[tuple[str, str], Profiles]:
    """Log spectra by protocol and dataset (named as in tables); seeds of an image are averaged."""
    profiles: dict[tuple[str, str], Profiles] = {}
    for place, method, image, sr, hr in _images(store):
        profiles.setdefault(place, {}).setdefault(method, {})[image] = sr, hr
    return profiles


def mean_log_ratios(store: Store) -> dict[tuple[str, str], dict[str, Floats]]:
    """Natural logarithm of the power of SR over that of HR, mean over images, by protocol and dataset, then method.

    Images are read one after the other, so memory does not grow with their number.
    """
    sums: dict[tuple[str, str], dict[str, tuple[Floats, int]]] = {}
    for place, method, _, sr, hr in _images(store):
        methods = sums.setdefault(place, {})
        total, count = methods.get(method, (np.zeros_like(FREQUENCIES), 0))
        methods[method] = total + (sr - hr), count + 1
    return {place: {name: total / count for name, (total, count) in methods.items()} for place, methods in sums.items()}


@dataclass
class RingCurves:
    """SR against HR ring by ring on one dataset under one protocol; rings go from 0 to 0.5 cycles per pixel."""

    scale: float
    methods: dict[str, dict[str, tuple[Floats, Floats]]] = field(default_factory=dict)
    """For each method and image the correlation ``[R]`` and the error over HR in dB ``[R]``; NaN without energy."""


def ring_curves(store: Store) -> dict[tuple[str, str], RingCurves]:
    """Ring curves by protocol and dataset (named as in tables); seeds of an image are averaged."""
    curves: dict[tuple[str, str], RingCurves] = {}
    for place, scale, method, image, payloads in _payloads(store, "frc"):
        mean = np.mean([payload.astype(np.float64) for payload in payloads], axis=0)
        frequencies = np.arange(1, mean.shape[1] + 1) / mean.shape[1]
        curve = np.interp(FREQUENCIES, frequencies, mean[0]), np.interp(FREQUENCIES, frequencies, mean[1])
        curves.setdefault(place, RingCurves(scale)).methods.setdefault(method, {})[image] = curve
    return curves


def image_ratios(
    store: Store, places: Collection[tuple[str, str, str]]
) -> dict[tuple[str, str, str], dict[str, Floats]]:
    """Power of SR over that of HR in dB at ``page_data.FREQUENCIES``, by protocol, dataset, image and method.

    Args:
        store: an open store.
        places: protocol, dataset (named as in tables) and image; other images are not read.
    """
    ratios: dict[tuple[str, str, str], dict[str, Floats]] = {}
    for (protocol, dataset), method, image, sr, hr in _images(store, sorted({image for *_, image in places})):
        if (protocol, dataset, image) in places:
            ratio = np.interp(page_data.FREQUENCIES, FREQUENCIES, (sr - hr) * DECIBEL)
            ratios.setdefault((protocol, dataset, image), {})[method] = ratio
    return ratios


def _images(
    store: Store, images: Collection[str] | None = None
) -> Iterator[tuple[tuple[str, str], str, str, Floats, Floats]]:
    """Protocol and dataset, method, image, profiles of SR and of HR, one image after the other; seeds are averaged."""
    for place, _, method, image, payloads in _payloads(store, "lsd", images):
        pairs = [[_on_grid(profile) for profile in payload.astype(np.float64)] for payload in payloads]
        yield place, method, image, np.mean([sr for sr, _ in pairs], axis=0), pairs[0][1]


def _payloads(
    store: Store, metric: str, images: Collection[str] | None = None
) -> Iterator[tuple[tuple[str, str], float, str, str, list[NDArray[Any]]]]:
    """Protocol and dataset, scale, method, image, and the payload that the metric stored for each seed."""
    outputs = outputs_of(store)
    columns = (outputs[name] for name in ("protocol", "set", "scale", "dataset"))
    names = {
        (str(protocol), str(dataset), float(scale)): str(shown)
        for protocol, dataset, scale, shown in zip(*columns, strict=True)
    }
    for output, seeds in groupby(store.payloads(metric, images), key=lambda row: row[0][:5]):  # seeds follow each other
        protocol, scale, dataset, image, method = output
        yield (protocol, names[protocol, dataset, scale]), scale, method, image, [payload for _, payload in seeds]


def _on_grid(profile: Floats) -> Floats:
    frequencies = np.linspace(0, 1, len(profile))
    return np.asarray(np.interp(FREQUENCIES, frequencies, np.log(profile + FLOOR)), dtype=np.float64)
