"""Fourier ring correlation and radial error spectrum: whether the detail of an image is that of HR, phase included.

A spectrum of power (LSD, HF ratio) is the same for HR's texture and for another of equal energy. Here the transforms of
both are compared coefficient by coefficient, in rings of one frequency. Ring correlation: Saxton and Baumeister, J.
Microscopy 127(2), 1982; van Heel, Ultramicroscopy 21, 1987. Radial error spectrum: Kim and Haldar, "The Fourier radial
error spectrum plot", ISBI 2018. All of luma in [0, 1] under the protocol's crop, mean removed, with a Hann window.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..card import Floats, MetricCard
from ..metric import Metric, Score, per_image
from ..metric_input import MetricInput
from ..spectrum import FLOOR, ROUNDING, Plane, ring_sums, spectrum

VERSION = "1"
THRESHOLD = 0.5
"""Of the cut-off. Rosenthal and Henderson, J. Mol. Biol. 333(4), 2003: a correlation of two noisy halves of .143 is one
of .5 with the truth, which HR is here."""
_NYQUIST = 0.5


@dataclass(frozen=True)
class Rings:
    """How two images agree at each frequency; frequency 0 is left out, and so are the corners beyond Nyquist."""

    frequencies: Floats
    """Cycles per pixel ``[R]``."""
    correlation: Floats
    """From -1 to 1 ``[R]``; NaN where neither image has energy."""
    error: Floats
    """Mean power of the difference ``[R]``."""
    truth: Floats
    """Mean power of the second image ``[R]``."""

    @property
    def decibels(self) -> Floats:
        """The error's power over the truth's in dB, the power of rounding to eight bits added to both."""
        return np.asarray(10 * np.log10((self.error + ROUNDING) / (self.truth + ROUNDING)))


def compare_rings(image: Plane, truth: Plane, *, window: bool = True) -> Rings:
    """Compare two planes ``[H, W]`` in [0, 1] in rings of one frequency step of the shorter side.

    Args:
        window: weigh both by a Hann window. Without it the jumps at their borders, which they share, would agree at
            every frequency.

    Raises:
        ValueError: the shapes differ, or a side is below two pixels.
    """
    if image.shape != truth.shape:
        raise ValueError(f"images of shape {image.shape} and {truth.shape} cannot be compared")
    a, b = (spectrum(plane, window=window) for plane in (image, truth))
    whole_rings = slice(1, min(image.shape) // 2 + 1)
    counts = ring_sums(np.ones(image.shape))[whole_rings]
    product, first, second, difference = (
        ring_sums(values)[whole_rings] / counts for values in ((a * b.conj()).real, _power(a), _power(b), _power(a - b))
    )
    size = np.sqrt(first * second)
    correlation = np.where(size > FLOOR, product / np.maximum(size, FLOOR), 0.0)
    correlation[(first <= FLOOR) & (second <= FLOOR)] = np.nan
    frequencies = np.arange(1, counts.size + 1) / min(image.shape)
    return Rings(frequencies, correlation, difference, second)


def _power(values: NDArray[np.complex128]) -> Plane:
    return np.asarray(values.real**2 + values.imag**2)


def cutoff(rings: Rings, threshold: float = THRESHOLD) -> float:
    """Frequency in cycles per pixel at which the correlation first falls below a threshold, between rings by a line.

    0.5 (Nyquist) where it never does.
    """
    known = np.isfinite(rings.correlation)
    frequencies = np.concatenate(([0.0], rings.frequencies[known]))
    values = np.concatenate(([1.0], rings.correlation[known]))
    below = np.flatnonzero(values < threshold)
    if not below.size:
        return _NYQUIST
    after = int(below[0])
    share = (values[after - 1] - threshold) / (values[after - 1] - values[after])
    return float(frequencies[after - 1] + share * (frequencies[after] - frequencies[after - 1]))


def rings_of(image: MetricInput) -> Rings:
    """SR's luma against HR's.

    Raises:
        ValueError: both are flat.
    """
    sr, hr = image.luma
    rings = compare_rings(sr / 255, hr / 255)
    if np.isnan(rings.correlation).all():
        raise ValueError("both images are flat: a ring correlation needs structure")
    return rings


def above_lq(image: MetricInput, rings: Rings) -> NDArray[np.bool_]:
    """The rings that LQ cannot hold: above its Nyquist frequency, 0.5 / scale cycles per pixel of SR.

    Raises:
        ValueError: LQ is as large as SR.
    """
    assert image.lq is not None
    scale = image.sr.shape[0] / image.lq.shape[0]
    inside: NDArray[np.bool_] = (rings.frequencies > _NYQUIST / scale) & np.isfinite(rings.correlation)
    if not inside.any():
        raise ValueError(
            f"no frequency is above LQ's Nyquist at scale {scale:g} with an image of {image.sr.shape[1]}"
            f"x{image.sr.shape[0]} pixels"
        )
    return inside


def frc(image: MetricInput) -> Score:
    """Mean ring correlation up to Nyquist; ``curves`` are stored beside it."""
    rings = rings_of(image)
    return Score(float(np.nanmean(rings.correlation)), curves(rings))


def curves(rings: Rings) -> NDArray[np.float32]:
    """What figures are drawn from ``[2, R]``, one step of ``0.5 / R`` a ring: correlation, and error in dB."""
    return np.stack([rings.correlation, rings.decibels]).astype(np.float32)


def frc_cutoff(image: MetricInput) -> float:
    """``cutoff`` at the threshold .5."""
    return cutoff(rings_of(image))


def frc_high(image: MetricInput) -> float:
    """Mean ring correlation above LQ's Nyquist."""
    rings = rings_of(image)
    return float(rings.correlation[above_lq(image, rings)].mean())


def error_high(image: MetricInput) -> float:
    """Power of SR minus HR over HR's above LQ's Nyquist in dB, every coefficient counted once.

    0 dB is what an empty band has. Texture of HR's power and no relation to it has 3 dB.
    """
    rings = rings_of(image)
    inside = above_lq(image, rings)
    weights = rings.frequencies[inside]  # a ring has as many coefficients as it is long
    error, truth = (float(np.average(power[inside], weights=weights)) for power in (rings.error, rings.truth))
    return float(10 * np.log10((error + ROUNDING) / (truth + ROUNDING)))


def _metric(card: MetricCard, function: Callable[[MetricInput], float | Score]) -> Metric:
    return Metric(card, per_image(function))


_ERROR_NOTE = "0 dB is an empty band, above it invented detail costs more than none"
METRICS = (
    _metric(MetricCard("frc", "FRC", direction="higher", range="-1, 1", payload=True, version=VERSION), frc),
    _metric(
        MetricCard("frc_cutoff", "FRC cut-off", "cycles/pixel", 3, "higher", range="0, 0.5", version=VERSION),
        frc_cutoff,
    ),
    _metric(
        MetricCard("frc_high", "FRC above LQ", direction="higher", range="-1, 1", needs="pair", version=VERSION),
        frc_high,
    ),
    _metric(
        MetricCard("error_high", "Error above LQ", "dB", 2, "lower", _ERROR_NOTE, "~-40, ~", "pair", version=VERSION),
        error_high,
    ),
)
