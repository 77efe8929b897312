"""Spectra as SVG inside a page, without any drawing library."""

from __future__ import annotations

from html import escape
from math import ceil, floor, log10

import numpy as np

from .board import Spectrum
from .palette import line_styles

WIDTH, HEIGHT = 640, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 8, 8, 34
_FIRST = 0.01
"""Lowest frequency shown."""


def spectrum_svg(spectrum: Spectrum) -> str:
    """SR over HR in dB over frequency: one line for each method, named by its title and ``data-method``."""
    inner = spectrum.frequencies >= _FIRST
    frequencies = np.log10(spectrum.frequencies[inner])
    values = [ratio[inner] for ratio in spectrum.ratios.values()]
    low = min([-5.0, *(float(np.min(value)) for value in values)])
    high = max([5.0, *(float(np.max(value)) for value in values)])
    step = next(value for value in (5, 10, 20, 50, 100) if (high - low) / value <= 7 or value == 100)
    low, high = floor(low / step) * step, ceil(high / step) * step

    def x(logarithm: float) -> float:
        return _LEFT + (logarithm / -log10(_FIRST) + 1) * (WIDTH - _LEFT - _RIGHT)

    def y(value: float) -> float:
        return _TOP + (high - value) / (high - low) * (HEIGHT - _TOP - _BOTTOM)

    fragments = [
        f'<svg class="spectrum" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
        f' aria-label="Power of SR over HR on {escape(spectrum.dataset)}">'
    ]
    for value in np.arange(low, high + step / 2, step):
        strong = " strong" if value == 0 else ""
        fragments.append(
            f'<path class="tick{strong}" d="M{_LEFT} {y(value):.1f}H{WIDTH - _RIGHT}"/>'
            f'<text x="{_LEFT - 5}" y="{y(value) + 4:.1f}" text-anchor="end">{value:.0f}</text>'
        )
    for frequency in (0.01, 0.03, 0.1, 0.3, 1.0):
        at, foot = x(log10(frequency)), HEIGHT - _BOTTOM
        fragments.append(
            f'<path class="tick" d="M{at:.1f} {_TOP}V{foot}"/>'
            f'<text x="{at:.1f}" y="{foot + 14}" text-anchor="middle">{frequency:g}</text>'
        )
    styles = line_styles(list(spectrum.ratios))
    for (name, style), ratio in zip(styles.items(), values, strict=True):
        points = " ".join(f"{x(f):.1f},{y(v):.1f}" for f, v in zip(frequencies, ratio, strict=True))
        fragments.append(
            f'<g data-method="{escape(name)}"><title>{escape(name)}</title><polyline points="{points}"'
            f' stroke="{style.colour}" stroke-dasharray="{style.dashes}"/></g>'
        )
    fragments.append(
        f'<text x="{(_LEFT + WIDTH) / 2}" y="{HEIGHT - 4}" text-anchor="middle">frequency / Nyquist</text>'
    )
    return "".join([*fragments, "</svg>"])
