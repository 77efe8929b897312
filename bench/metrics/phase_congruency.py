"""Phase congruency of a plane: where frequencies agree in phase, whatever their amplitude (Kovesi, 1999).

Constants are those of FSIM (Zhang et al., IEEE TIP 20(8), 2011, section III).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import log, pi, sqrt

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_SCALES = 4
_ORIENTATIONS = 4
_SHORTEST_WAVE = 6.0  # pixels; each scale doubles it
_BANDWIDTH = 0.55  # sigma of the log-Gabor filter over its centre frequency
_SPREAD = pi / (_ORIENTATIONS * 1.2)  # sigma over angles
_CUTOFF, _ORDER = 0.45, 15  # of the Butterworth low pass that keeps the spectrum's corners out
_NOISE_DEVIATIONS = 2.0
_NOISE_SCALE = 1.7  # Kovesi's: the noise of this measure is overestimated by about so much
_TINY = float(np.finfo(np.float32).eps)


@dataclass(frozen=True)
class _Filters:
    """One-sided log-Gabor filters of one size, ``[orientations, scales, H, W]``, frequency 0 first."""

    gains: Floats
    noise: NDArray[np.float64]
    """Expected noise energy ``[orientations]`` relative to the median energy at the finest scale."""


def phase_congruency(plane: Floats) -> Floats:
    """Phase congruency in 0..1 at every pixel of a plane ``[H, W]``."""
    from scipy import fft  # half a second to import, and planning and reporting do without

    filters = _filters(*plane.shape)
    spectrum = fft.fft2(plane.astype(np.float32, copy=False))
    energies = np.zeros(plane.shape, np.float32)
    amplitudes = np.zeros(plane.shape, np.float32)
    for gains, noise in zip(filters.gains, filters.noise, strict=True):
        responses = fft.ifft2(spectrum * gains)  # real: even filter, imaginary: odd filter
        amplitude = np.abs(responses)
        total = responses.sum(0)
        direction = total / (np.abs(total) + _TINY)
        # Along the mean phase, minus what is across it: amplitude times (cos - |sin|) of the deviation in phase.
        along = responses * direction.conj()
        energy = (along.real - np.abs(along.imag)).sum(0)
        threshold = _noise_threshold(amplitude[0], noise)
        energies += np.maximum(energy - threshold, 0)
        amplitudes += amplitude.sum(0)
    result: Floats = (energies + _TINY) / (amplitudes + _TINY)
    return result


def _noise_threshold(finest: Floats, noise: float) -> float:
    """Energy that noise alone would give: its power from the median at the finest scale, Rayleigh distributed."""
    middle = (finest.size - 1) // 2
    median = float(np.partition(finest.ravel(), middle)[middle]) ** 2
    tau = sqrt(noise * median / 2)
    return (tau * sqrt(pi / 2) + _NOISE_DEVIATIONS * sqrt(2 - pi / 2) * tau) / _NOISE_SCALE


@lru_cache(maxsize=8)
def _filters(height: int, width: int) -> _Filters:
    down, across = _frequencies(height)[:, None], _frequencies(width)
    radius = np.hypot(down, across)
    angle = np.arctan2(down, across)
    low_pass = 1 / (1 + (radius / _CUTOFF) ** (2 * _ORDER))
    radius[0, 0] = 1  # its logarithm is not used
    bands = []
    for scale in range(_SCALES):
        centre = 1 / (_SHORTEST_WAVE * 2**scale)
        band = np.exp(-(np.log(radius / centre) ** 2) / (2 * log(_BANDWIDTH) ** 2)) * low_pass
        band[0, 0] = 0
        bands.append(band)
    gains = np.empty((_ORIENTATIONS, _SCALES, height, width))
    for index in range(_ORIENTATIONS):
        turned = angle - index * pi / _ORIENTATIONS
        difference = np.arctan2(np.sin(turned), np.cos(turned))
        gains[index] = np.exp(-(difference**2) / (2 * _SPREAD**2)) * np.array(bands)
    return _Filters(gains.astype(np.float32), _noise_factors(gains))


def _noise_factors(gains: NDArray[np.float64]) -> NDArray[np.float64]:
    """Noise energy for a median energy of 1: squares of the filters' even parts, and their products between scales."""
    kernels = np.fft.ifft2(gains).real * sqrt(gains.shape[-2] * gains.shape[-1])
    products = np.einsum("oshw,othw->ost", kernels, kernels)
    squares = np.trace(products, axis1=1, axis2=2)
    pairs = (products.sum((1, 2)) - squares) / 2
    finest = (gains[:, 0] ** 2).sum((1, 2))
    factors: NDArray[np.float64] = (2 * squares + 4 * pairs) / (-log(0.5) * finest)
    return factors


def _frequencies(length: int) -> NDArray[np.float64]:
    """Cycles a pixel, frequency 0 first; of odd lengths over ``length - 1``, as Kovesi's code has it."""
    steps = np.arange(length) - length // 2
    return np.fft.ifftshift(steps / (length - length % 2))
