"""Light, noise and anti-aliasing shared by all drawn scenes.

Everything is drawn in linear light, because that is where a camera adds up what falls on one pixel, and is encoded to
8-bit sRGB once, at the end. Transcendental functions run in float64 only: their last bit differs between processors,
and float32 would let that difference reach the 8-bit pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Plane = NDArray[np.float64]
"""``[H, W]``, linear light or a coverage in 0..1."""

Light = NDArray[np.float64]
"""``[H, W, 3]`` RGB in linear light; 1 is white, brighter values are clipped when encoded."""

Colour = NDArray[np.float64]
"""``[3]`` RGB in linear light."""

SUPERSAMPLING = 4
"""Samples per pixel and axis for edges: 16 levels of coverage per pixel."""

MINIMUM_SIDE = 96
"""Smallest height or width of a scene in pixels: less cannot hold several legible words or recognisable toys."""

LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
"""Weights of linear RGB in luminance (ITU-R BT.709)."""


def generator(seed: int) -> np.random.Generator:
    """The one source of randomness of a scene."""
    return np.random.Generator(np.random.PCG64(seed))


def check_size(size: tuple[int, int]) -> tuple[int, int]:
    """Height and width of a scene; ValueError below `MINIMUM_SIDE`."""
    height, width = size
    if min(height, width) < MINIMUM_SIDE:
        raise ValueError(f"scene size {height}x{width}: both sides must be at least {MINIMUM_SIDE} pixels")
    return height, width


def colour(code: str) -> Colour:
    """Linear light of an sRGB colour written ``#rrggbb``."""
    return _decode(np.array([int(code[k : k + 2], 16) / 255 for k in (1, 3, 5)]))


def pick(rng: np.random.Generator, choices: Sequence[Any]) -> Any:
    """One of the choices, each as likely."""
    return choices[int(rng.integers(len(choices)))]


def tinted(rng: np.random.Generator, code: str, amount: float = 0.12) -> Colour:
    """A colour near ``#rrggbb``: brightness and each channel vary by about ``amount``."""
    brightness = 1 + amount * rng.uniform(-1, 1)
    return np.asarray(colour(code) * brightness * (1 + 0.5 * amount * rng.uniform(-1, 1, 3)))


def luminance(light: NDArray[np.float64]) -> Plane:
    """Relative luminance of linear RGB ``[..., 3]``."""
    return np.asarray(light[..., 0] * LUMINANCE[0] + light[..., 1] * LUMINANCE[1] + light[..., 2] * LUMINANCE[2])


def contrast(first: float, second: float) -> float:
    """Contrast ratio 1..21 of two luminances (WCAG 2.2, "contrast ratio")."""
    return (max(first, second) + 0.05) / (min(first, second) + 0.05)


def fractal(
    rng: np.random.Generator, shape: tuple[int, int], period: float, octaves: int = 4, stretch: float = 1.0
) -> Plane:
    """Smooth random field of mean about 0 and deviation 1: octaves of value noise, each half as strong and wide.

    Args:
        rng: source of the draws.
        shape: height and width in pixels.
        period: size of the largest blobs in pixels.
        octaves: largest number of octaves.
        stretch: factor by which the blobs are longer along x.
    """
    total = np.zeros(shape)
    power = 0.0
    for octave in range(octaves):
        cell = period / 2**octave
        if cell < 1.5:  # finer than the pixels: would only alias
            break
        total += 0.5**octave * _value_noise(rng, shape, (cell, cell * stretch))
        power += 0.25**octave
    return np.asarray(total / np.sqrt(max(power, 1.0)))


def shrink(values: NDArray[np.float64], factor: int = SUPERSAMPLING) -> NDArray[np.float64]:
    """Average ``factor`` x ``factor`` samples into one pixel; works on ``[H, W]`` and ``[H, W, C]``."""
    height, width = values.shape[0] // factor, values.shape[1] // factor
    total = np.zeros((height, width, *values.shape[2:]))
    for row in range(factor):
        for column in range(factor):
            total += values[row::factor, column::factor]
    return total / factor**2


def relief(height: Plane, strength: float) -> Plane:
    """Brightness factor around 1 of a bumpy surface lit from the upper left."""
    slope_down, slope_right = np.gradient(height)
    return np.asarray(np.clip(1 + strength * (slope_down + slope_right), 0.4, 1.7))


def illumination(rng: np.random.Generator, shape: tuple[int, int]) -> Plane:
    """Brightness of the room: a soft slope from a lamp on one side, and the darker corners of a lens."""
    height, width = shape
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    angle = rng.uniform(-np.pi, 0)  # the lamp is above the picture's middle
    slope = 1 + rng.uniform(0.05, 0.22) * (np.cos(angle) * x + np.sin(angle) * y)
    return np.asarray(slope * (1 - rng.uniform(0.04, 0.14) * (x**2 + y**2)))


def expose(rng: np.random.Generator, light: Light) -> NDArray[np.uint8]:
    """Take the picture: lens blur of a third of a pixel, sensor noise of about one 8-bit level, 8-bit sRGB."""
    blurred = ndimage.gaussian_filter(light, (0.35, 0.35, 0))
    noise = rng.normal(0, 1, blurred.shape)
    encoded = _encode(np.clip(blurred, 0, 1)) * 255
    return np.asarray(np.clip(np.rint(encoded + 0.8 * noise), 0, 255), dtype=np.uint8)


def _value_noise(rng: np.random.Generator, shape: tuple[int, int], cell: tuple[float, float]) -> Plane:
    knots = rng.normal(0, 1, tuple(int(np.ceil(side / step)) + 4 for side, step in zip(shape, cell, strict=True)))
    start = rng.uniform(1, 2, 2)
    field = ndimage.affine_transform(
        knots, np.diag([1 / step for step in cell]), offset=start, output_shape=shape, order=3, mode="nearest"
    )
    return np.asarray(field, dtype=np.float64) * 1.3  # interpolation between knots lowers the deviation to about 1/1.3


def _decode(encoded: NDArray[np.float64]) -> NDArray[np.float64]:
    """SRGB transfer function, IEC 61966-2-1, code value 0..1 to linear light."""
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def _encode(light: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
