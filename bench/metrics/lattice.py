"""Grid artifacts: energy at the frequencies at which an upsampling by 2 or 4 repeats itself.

Transposed convolutions whose windows overlap unevenly print a checkerboard (Odena, Dumoulin, Olah, "Deconvolution and
checkerboard artifacts", Distill, 2016): spectral lines of the image at 1/4 and 1/2 of the sampling rate. Copied pixels
have no such lines, but their differences have: all lie on the borders of blocks. Resampling is told by lines in
the spectrum of derivatives without their sign (Gallagher, "Detection of linear and cubic interpolation in JPEG
compressed images", CRV 2005).
"""

from __future__ import annotations

from math import log10

import numpy as np

from .card import MetricCard
from .metric import Metric, per_image
from .metric_input import MetricInput
from .spectrum import ROUNDING, Plane, power_spectrum

_PERIOD = 4
"""Of the lattice in pixels: with it, periods of 2 are seen too."""
_NEAR, _FAR = 1, 6
"""Steps of the DFT from a line: a Hann window spreads it to its neighbours, and the ring beyond is its surroundings."""
LEAST_SIDE = 2 * _PERIOD * _FAR + _PERIOD
"""In shorter images the surroundings of two lines overlap; one row or column less is left of differences."""


def grid_artifacts(image: MetricInput) -> float:
    """How far the lines at 1/4 and 1/2 of the sampling rate stand out of their surroundings, in dB, SR's beyond HR's.

    In luma, and in its absolute differences down and across; 0 where HR has as much (its camera or JPEG may leave
    lines, which count for both), above 0 where SR has a grid of its own.

    Raises:
        ValueError: a side is below ``LEAST_SIDE`` pixels.
    """
    sr, hr = (_prominence(plane / 255) for plane in image.luma)
    return max(0.0, 10 * log10(sr / hr))


def _prominence(plane: Plane) -> float:
    """Mean power on the lines over that around them."""
    if min(plane.shape) < LEAST_SIDE:
        height, width = plane.shape
        raise ValueError(f"grid artifacts need sides of {LEAST_SIDE} pixels or more, not {width}x{height}")
    planes = (plane, np.abs(np.diff(plane, axis=0)), np.abs(np.diff(plane, axis=1)))
    return float(np.mean([_line_ratios(part) for part in planes]))


def _line_ratios(plane: Plane) -> Plane:
    """Power on every line of the lattice over the median around it."""
    height, width = (length // _PERIOD * _PERIOD for length in plane.shape)  # so that a line falls on one frequency
    power = np.fft.ifftshift(power_spectrum(plane[:height, :width])) + ROUNDING
    offsets = np.arange(-_FAR, _FAR + 1)
    distance = np.maximum(np.abs(offsets[:, None]), np.abs(offsets))
    ratios = []
    for down in range(_PERIOD):
        for across in range(_PERIOD):
            if (down, across) == (0, 0):
                continue
            rows, columns = (
                (place * length // _PERIOD + offsets) % length for place, length in ((down, height), (across, width))
            )
            around = power[np.ix_(rows, columns)]
            ratios.append(around[distance <= _NEAR].mean() / np.median(around[distance > _NEAR + 1]))
    return np.array(ratios)


_NOTE = "lines at 1/4 and 1/2 of the sampling rate beyond HR's; interpolation leaves 4 to 15 dB, a checkerboard more"

CARD = MetricCard("grid_artifacts", "Grid artifacts", "dB", 2, "lower", note=_NOTE, version="1")
METRICS = (Metric(CARD, per_image(grid_artifacts)),)
