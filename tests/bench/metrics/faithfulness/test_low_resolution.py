"""Consistency of colours with LQ: CIEDE2000 after its paper, a blur that forgives, casts that are seen."""

from __future__ import annotations

from math import atan2, cos, degrees, exp, hypot, radians, sin, sqrt

import numpy as np
import pytest
from asasr_bench.bench.metrics.faithfulness.low_resolution import lr_colour
from asasr_bench.bench.metrics.metric_input import MetricInput
from asasr_bench.bench.protocols import get_protocol
from asasr_bench.datasets.imresize import imresize
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from skimage import data

HR = np.ascontiguousarray(data.astronaut()[:256, 100:356])
LQ = imresize(HR, 0.25)
Image = NDArray[np.uint8]


def measured(sr: Image, lq: Image = LQ) -> float:
    return lr_colour(MetricInput(sr, None, get_protocol("osediff-512", 4), lq))


def ciede2000(first: tuple[float, float, float], second: tuple[float, float, float]) -> float:
    """Sharma, Wu, Dalal, Color Res. Appl. 30(1), 2005, equations 2 to 22."""
    chroma = [hypot(a, b) for _, a, b in (first, second)]
    mean = sum(chroma) / 2
    g = 0.5 * (1 - sqrt(mean**7 / (mean**7 + 25**7)))
    a1, a2 = ((1 + g) * colour[1] for colour in (first, second))
    c1, c2 = hypot(a1, first[2]), hypot(a2, second[2])
    h1, h2 = (degrees(atan2(b, a)) % 360 if a or b else 0.0 for a, b in ((a1, first[2]), (a2, second[2])))
    turn = 0.0 if c1 * c2 == 0 else (h2 - h1 + 180) % 360 - 180
    hue = 2 * sqrt(c1 * c2) * sin(radians(turn / 2))
    light, c_mean = (first[0] + second[0]) / 2, (c1 + c2) / 2
    h_mean = (
        h1 + h2
        if c1 * c2 == 0
        else (h1 + h2) / 2 + (180 if abs(h1 - h2) > 180 and h1 + h2 < 360 else -180 if abs(h1 - h2) > 180 else 0)
    )
    t = (
        1
        - 0.17 * cos(radians(h_mean - 30))
        + 0.24 * cos(radians(2 * h_mean))
        + 0.32 * cos(radians(3 * h_mean + 6))
        - 0.2 * cos(radians(4 * h_mean - 63))
    )
    s_l = 1 + 0.015 * (light - 50) ** 2 / sqrt(20 + (light - 50) ** 2)
    s_c, s_h = 1 + 0.045 * c_mean, 1 + 0.015 * c_mean * t
    r_t = -2 * sqrt(c_mean**7 / (c_mean**7 + 25**7)) * sin(radians(60 * exp(-(((h_mean - 275) / 25) ** 2))))
    d_l, d_c, d_h = (second[0] - first[0]) / s_l, (c2 - c1) / s_c, hue / s_h
    return sqrt(d_l**2 + d_c**2 + d_h**2 + r_t * d_c * d_h)


def lab(rgb: tuple[int, int, int]) -> tuple[float, float, float]:
    """CIE L*a*b* of sRGB under D65 (IEC 61966-2-1)."""
    linear = [v / 12.92 if (v := c / 255) <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for c in rgb]
    matrix = ((0.412453, 0.357580, 0.180423), (0.212671, 0.715160, 0.072169), (0.019334, 0.119193, 0.950227))
    xyz = [sum(m * c for m, c in zip(row, linear, strict=True)) for row in matrix]
    x, y, z = (
        f ** (1 / 3) if (f := v / w) > 0.008856 else 7.787 * f + 16 / 116
        for v, w in zip(xyz, (0.95047, 1.0, 1.08883), strict=True)
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def test_the_formula_here_is_the_paper_s() -> None:
    """Table 1 of Sharma et al., pairs 1, 7, 17 and 25."""
    for first, second, expected in [
        ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
        ((50, 0, 0), (50, -1, 2), 2.3669),
        ((50, 2.5, 0), (73, 25, -18), 27.1492),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
    ]:
        assert ciede2000(first, second) == pytest.approx(expected, abs=1e-4)


def test_flat_colours_have_their_difference() -> None:
    pairs = [((200, 40, 90), (190, 60, 80)), ((128, 128, 128), (120, 130, 128)), ((10, 200, 250), (30, 180, 240))]
    for first, second in pairs:
        sr, lq = np.full((64, 64, 3), first, np.uint8), np.full((16, 16, 3), second, np.uint8)
        assert measured(sr, lq) == pytest.approx(ciede2000(lab(first), lab(second)), rel=1e-3)


def test_blur_noise_and_sharpness_are_forgiven_and_a_cast_is_not() -> None:
    rng = np.random.default_rng(0)
    light = HR.astype(float)
    harmless = [
        light,
        gaussian_filter(light, (2, 2, 0)),
        light + rng.normal(0, 15, HR.shape),
        2 * light - gaussian_filter(light, (2, 2, 0)),
    ]
    cast = [light + np.array([0, 0, 15]), 0.85 * light, light[..., ::-1]]
    low, high = (
        [measured(np.clip(np.rint(each), 0, 255).astype(np.uint8)) for each in group] for group in (harmless, cast)
    )
    assert max(low) < 1.2
    assert min(high) > 2 * max(low)
    assert low[0] < 0.2


def test_any_scale_and_grey_images() -> None:
    assert measured(imresize(LQ, output_shape=(96, 96))) < 0.5
    assert measured(HR[..., 0], np.ascontiguousarray(LQ[..., 0])) < 0.2


def test_a_y_plane_has_no_colours() -> None:
    plane = MetricInput(HR[..., 0], HR, get_protocol("classic-x4", 4), LQ[..., 0].astype(np.float64))
    with pytest.raises(ValueError, match="restores Y alone"):
        lr_colour(plane)
