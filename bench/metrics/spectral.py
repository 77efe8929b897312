"""Spectral metrics: what energy an image has at each frequency, and how that differs from the truth.

All of luma in [0, 1] under the protocol's crop, with the mean removed and a Hann window unless an id says otherwise.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .metric import Metric, Pair
from .spectrum import log_distance, power_spectrum, radial_profile, spectral_slope

VERSION = "1"
SMOOTHNESS = 1.5
"""``s`` of the residual energy: the ASASR paper's."""


def profiles(pair: Pair) -> NDArray[np.float32]:
    """Radial profiles of SR and HR ``[2, R]``, from which spectral figures are drawn."""
    return np.stack([radial_profile(power_spectrum(plane / 255))[1] for plane in pair.luma]).astype(np.float32)


def lsd(pair: Pair) -> float:
    """Log-spectral distance in dB: between radial profiles, without the mean's ring."""
    sr, hr = (radial_profile(power_spectrum(plane / 255))[1] for plane in pair.luma)
    return log_distance(sr[1:], hr[1:])


def lsd_2d(pair: Pair) -> float:
    """Log-spectral distance in dB between all bins of the two-dimensional spectra."""
    sr, hr = (power_spectrum(plane / 255) for plane in pair.luma)
    return log_distance(sr, hr)


def lsd_dc(pair: Pair) -> float:
    """Log-spectral distance in dB between profiles divided by their power at frequency 0: brightness cancels."""
    sr, hr = (radial_profile(power_spectrum(plane / 255, remove_mean=False))[1] for plane in pair.luma)
    return log_distance(sr[1:] / sr[0], hr[1:] / hr[0])


def slope(pair: Pair) -> float:
    """Exponent of SR's power law between 0.05 and 0.8 of Nyquist; natural images have about -2 in amplitude^2."""
    return spectral_slope(*radial_profile(power_spectrum(pair.sr_luma / 255)))


def high_frequency_ratio(pair: Pair) -> float:
    """Energy of SR above half of Nyquist over that of HR: below 1 is blur, above 1 is invented."""
    energies = []
    for plane in pair.luma:
        frequencies, powers = radial_profile(power_spectrum(plane / 255))
        high = frequencies > 0.5
        energies.append(float((powers[high] * frequencies[high]).sum()))  # rings grow with their radius
    return energies[0] / energies[1]


def sobolev_residual(pair: Pair) -> float:
    """``H^s`` energy of the residual in levels^2, s = 1.5, DCT, weights of mean 1: the operator that trains ASASR."""
    import torch

    from ...asasr.spectral import SobolevOperator

    residual = torch.from_numpy(np.ascontiguousarray(pair.luma[0] - pair.luma[1]))[None, None]
    return float(SobolevOperator(SMOOTHNESS, "dct", "unit-mean").energy(residual))


METRICS = (
    Metric("lsd", "LSD", "dB", 2, "lower", VERSION, lsd, payload=profiles),
    Metric("lsd_2d", "LSD-2D", "dB", 2, "lower", VERSION, lsd_2d),
    Metric("lsd_dc", "LSD-DC", "dB", 2, "lower", VERSION, lsd_dc),
    Metric("spectral_slope", "Spectral slope", "", 2, "none", VERSION, slope, needs="nothing"),
    Metric("hf_ratio", "HF ratio", "", 2, "one", VERSION, high_frequency_ratio, aggregate="median"),
    Metric("hs_residual", "H^1.5 residual", "", 1, "lower", VERSION, sobolev_residual),
)
