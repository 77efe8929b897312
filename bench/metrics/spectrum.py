"""Power spectra of images and their radial profiles."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float64]

FLOOR = 1e-12
"""Added to powers before a logarithm: far below the noise of 8-bit rounding."""
_LEAST_RINGS = 8
ROUNDING = (1 / 255) ** 2 / 12
"""Power of the error of rounding to eight bits, at every frequency alike: variance of a uniform error of one level."""


def power_spectrum(plane: Plane, *, remove_mean: bool = True, window: bool = True) -> Plane:
    """``|FFT|^2`` of a plane ``[H, W]``; see ``spectrum`` for its arguments and what it raises."""
    values = spectrum(plane, remove_mean=remove_mean, window=window)
    power: Plane = values.real**2 + values.imag**2
    return power


def spectrum(plane: Plane, *, remove_mean: bool = True, window: bool = True) -> NDArray[np.complex128]:
    """FFT (orthonormal) of a plane ``[H, W]``, shifted so that frequency 0 is at ``[H // 2, W // 2]``.

    Args:
        remove_mean: subtract the mean first, so that only structure counts.
        window: weigh by a Hann window, without which the jump at the border leaks into every frequency; the result is
            scaled so that white noise keeps its power.

    Raises:
        ValueError: a side of one pixel, which the window would blot out.
    """
    height, width = plane.shape
    if min(height, width) < 2:
        raise ValueError(f"an image of {width}x{height} pixels has no spectrum; it takes two pixels on either side")
    values = plane - plane.mean() if remove_mean else plane
    if window:
        hann = np.outer(_hann(height), _hann(width))
        values = values * (hann / np.sqrt(np.mean(hann**2)))
    return np.fft.fftshift(np.fft.fft2(values, norm="ortho"))


def radial_profile(power: Plane) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean power in rings of one frequency step of the shorter side, from 0 into the corners of the plane.

    Returns:
        Frequencies relative to Nyquist ``[R]``, up to about 1.41 where a checkerboard has its own, and mean powers
        ``[R]``.
    """
    counts = _rings(*power.shape)[1]
    filled = counts > 0
    return np.flatnonzero(filled) / (min(power.shape) // 2), ring_sums(power)[filled] / counts[filled]


def ring_sums(values: Plane) -> NDArray[np.float64]:
    """Sums of a shifted plane over rings of one frequency step of the shorter side, from frequency 0 on ``[R]``."""
    rings, counts = _rings(*values.shape)
    return np.asarray(np.bincount(rings.ravel(), weights=values.ravel(), minlength=counts.size), dtype=np.float64)


def high_frequency_power(power: Plane) -> float:
    """Mean power over all frequencies above half of Nyquist, in the corners of the plane too."""
    down, across = (2 * (np.arange(length) - length // 2) / length for length in power.shape)
    return float(power[np.hypot(down[:, None], across) > 0.5].mean())


def _hann(length: int) -> NDArray[np.float64]:
    """Periodic Hann window."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)


@lru_cache(maxsize=16)
def _rings(height: int, width: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Ring of every place of a shifted spectrum: its frequency in steps of the shorter side, rounded."""
    shorter = min(height, width)
    down = (np.arange(height) - height // 2) * (shorter / height)
    across = (np.arange(width) - width // 2) * (shorter / width)
    rings = np.rint(np.hypot(down[:, None], across)).astype(np.int64)
    return rings, np.bincount(rings.ravel())


def log_distance(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Root mean square of the difference of two powers in dB."""
    difference = 10 * np.log10((first + FLOOR) / (second + FLOOR))
    return float(np.sqrt(np.mean(difference**2)))


def spectral_slope(
    frequencies: NDArray[np.float64], powers: NDArray[np.float64], band: tuple[float, float] = (0.05, 0.8)
) -> float:
    """Exponent of a power law fitted to a profile: log power over log frequency, by least squares within a band.

    Raises:
        ValueError: the image is flat, or too small for a fit.
    """
    inside = (frequencies >= band[0]) & (frequencies <= band[1])
    if inside.sum() < _LEAST_RINGS:
        raise ValueError(
            f"a spectral slope needs {_LEAST_RINGS} rings between {band[0]} and {band[1]} of Nyquist, this image has"
            f" {inside.sum()}; its shorter side should be 20 pixels or more"
        )
    if powers[inside].max() < FLOOR:
        raise ValueError("the image is flat: it has no spectral slope")
    slope, _ = np.polyfit(np.log(frequencies[inside]), np.log(powers[inside] + FLOOR), 1)
    return float(slope)
