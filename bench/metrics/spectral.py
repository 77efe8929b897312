"""Spectral metrics: what energy an image has at each frequency, and how that differs from the truth.

All of luma in [0, 1] under the protocol's crop, with the mean removed and a Hann window unless an id says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .card import MetricCard
from .metric import Metric, Score, per_image
from .metric_input import MetricInput
from .spectrum import ROUNDING, high_frequency_power, log_distance, power_spectrum, radial_profile, spectral_slope

VERSION = "2"  # 1 left out the corners of the plane, and took every grey SR of a colour HR for a Y plane
SMOOTHNESS = 1.5
"""``s`` of the residual energy: the ASASR paper's."""
_LSD_NOTE = (
    "energy alone, not where it is: copied pixels (nearest neighbour) come out far above bicubic, whose spectrum ends"
)
_HF_NOTE = (
    "the mean over images of the size of each image's ratio in dB, by which it is ranked and tested too: blur in an"
    " image does not make up for invented detail in another. HF bias is the mean with its sign"
)


def profiles(image: MetricInput) -> NDArray[np.float32]:
    """Radial profiles of SR and HR ``[2, R]`` from 0 to Nyquist, from which spectral figures are drawn."""
    spectra = (radial_profile(power_spectrum(plane / 255)) for plane in image.luma)
    return np.stack([powers[frequencies <= 1] for frequencies, powers in spectra]).astype(np.float32)


def lsd(image: MetricInput) -> float:
    """Log-spectral distance in dB: between radial profiles, without the mean's ring."""
    sr, hr = (radial_profile(power_spectrum(plane / 255))[1] for plane in image.luma)
    return log_distance(sr[1:], hr[1:])


def _lsd_with_profiles(image: MetricInput) -> Score:
    return Score(lsd(image), profiles(image))


def lsd_2d(image: MetricInput) -> float:
    """Log-spectral distance in dB between all bins of the two-dimensional spectra."""
    sr, hr = (power_spectrum(plane / 255) for plane in image.luma)
    return log_distance(sr, hr)


def lsd_dc(image: MetricInput) -> float:
    """Log-spectral distance in dB between profiles divided by their power at frequency 0: brightness cancels."""
    sr, hr = (radial_profile(power_spectrum(plane / 255, remove_mean=False))[1] for plane in image.luma)
    return log_distance(sr[1:] / sr[0], hr[1:] / hr[0])


def slope(image: MetricInput) -> float:
    """Exponent of SR's power law between 0.05 and 0.8 of Nyquist; natural images have about -2 in amplitude^2."""
    return spectral_slope(*radial_profile(power_spectrum(image.sr_luma / 255)))


def high_frequency_ratio(image: MetricInput) -> float:
    """Energy of SR above half of Nyquist over that of HR, in dB: below 0 is blur, above 0 is invented.

    All such frequencies count, those in the corners of the plane too. The energy that rounding to eight bits has there
    is added to both: it is in every file whatever was restored, and an image without structure has no other.
    """
    sr, hr = (high_frequency_power(power_spectrum(plane / 255)) for plane in image.luma)
    return float(10 * np.log10((sr + ROUNDING) / (hr + ROUNDING)))


def sobolev_residual(image: MetricInput) -> float:
    """``H^s`` energy of the residual in levels^2, s = 1.5, DCT, weights of mean 1: the operator that trains ASASR.

    Its frequencies are cycles per field, as the paper's: on 320x480 pixels a grating along the longer side costs 1.5^3
    times what the same one along the shorter side does.
    """
    import torch

    from ...asasr.spectral import SobolevOperator

    residual = torch.from_numpy(np.ascontiguousarray(image.luma[0] - image.luma[1]))[None, None]
    return float(SobolevOperator(SMOOTHNESS, "dct", "unit-mean").energy(residual))


def _metric(card: MetricCard, function: Callable[[MetricInput], float | Score]) -> Metric:
    return Metric(replace(card, version=VERSION), per_image(function))


METRICS = (
    _metric(MetricCard("lsd", "LSD", "dB", 2, "lower", note=_LSD_NOTE, payload=True), _lsd_with_profiles),
    _metric(MetricCard("lsd_2d", "LSD-2D", "dB", 2, "lower"), lsd_2d),
    _metric(MetricCard("lsd_dc", "LSD-DC", "dB", 2, "lower"), lsd_dc),
    _metric(MetricCard("spectral_slope", "Spectral slope", "", 2, "none", needs="nothing"), slope),
    _metric(MetricCard("hf_ratio", "HF ratio", "dB", 2, "zero", note=_HF_NOTE), high_frequency_ratio),
    _metric(MetricCard("hf_bias", "HF bias", "dB", 2, "none"), high_frequency_ratio),
    _metric(MetricCard("hs_residual", "H^1.5 residual", "", 1, "lower"), sobolev_residual),
)
