"""Blur kernels of Real-ESRGAN (Wang et al., ICCV Workshops 2021, section 3.2), drawn and computed in float64."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

from .settings import KERNEL_SIZES, BlurSettings, Range

Kernel = NDArray[np.float64]
"""Square of odd side, the sum is 1; applied as a correlation."""

LARGEST = max(KERNEL_SIZES)

_SMALL = 13
"""Smaller sinc kernels than this get cut-offs from pi/3 on, larger ones from pi/5 on (Real-ESRGAN's loader)."""


def gaussian(size: int, sigma: tuple[float, float], angle: float = 0.0, beta: float = 1.0) -> Kernel:
    """Gaussian kernel, generalised by ``beta``: ``exp(-q**beta / 2)`` with ``q`` the squared Mahalanobis distance.

    Args:
        size: odd side.
        sigma: standard deviations along the two axes (for ``beta`` 1), in pixels.
        angle: counter-clockwise turn of the first axis from x towards y, in radians.
        beta: shape; 1 is the ordinary Gaussian.
    """
    return _normalised(np.exp(-0.5 * _squared_distance(size, sigma, angle) ** beta))


def plateau(size: int, sigma: tuple[float, float], angle: float = 0.0, beta: float = 1.0) -> Kernel:
    """Plateau-shaped kernel ``1 / (1 + q**beta)`` with ``q`` the squared Mahalanobis distance.

    Args:
        size: odd side.
        sigma: widths along the two axes, in pixels.
        angle: counter-clockwise turn of the first axis from x towards y, in radians.
        beta: steepness of the edge.
    """
    return _normalised(1 / (1 + _squared_distance(size, sigma, angle) ** beta))


def sinc(size: int, cutoff: float) -> Kernel:
    """Ideal circular low-pass ``cutoff J1(cutoff r) / (2 pi r)``, cut to a square; ``cutoff`` in radians per pixel."""
    y, x = _grid(size)
    radius = np.hypot(x, y)
    radius[size // 2, size // 2] = 1  # its value follows from the limit below
    kernel = cutoff * special.j1(cutoff * radius) / (2 * np.pi * radius)
    kernel[size // 2, size // 2] = cutoff**2 / (4 * np.pi)
    return _normalised(kernel)


def draw_blur(rng: np.random.Generator, settings: BlurSettings) -> Kernel:
    """Draw a kernel, padded with zeros to the largest size; without blur it is 1 in the centre."""
    if rng.random() >= settings.probability:
        return _IDENTITY
    size = int(rng.choice(KERNEL_SIZES))
    if rng.random() < settings.sinc:
        return _padded(sinc(size, rng.uniform(np.pi / (3 if size < _SMALL else 5), np.pi)))
    names, shares = zip(*settings.kinds, strict=True)
    kind = str(rng.choice(names, p=np.array(shares) / sum(shares)))
    family, _, symmetry = kind.rpartition("-")
    first = rng.uniform(*settings.sigma)
    sigma, angle = (first, first), 0.0
    if symmetry == "aniso":
        sigma, angle = (first, rng.uniform(*settings.sigma)), rng.uniform(-np.pi, np.pi)
    if family == "generalised":
        return _padded(gaussian(size, sigma, angle, _around_one(rng, settings.generalised_beta)))
    if family == "plateau":
        return _padded(plateau(size, sigma, angle, _around_one(rng, settings.plateau_beta)))
    return _padded(gaussian(size, sigma, angle))


def draw_final_sinc(rng: np.random.Generator, probability: float) -> Kernel:
    """Draw the last sinc filter, padded with zeros to the largest size; without one it is 1 in the centre."""
    if rng.random() >= probability:
        return _IDENTITY
    return _padded(sinc(int(rng.choice(KERNEL_SIZES)), rng.uniform(np.pi / 3, np.pi)))


def _grid(size: int) -> tuple[Kernel, Kernel]:
    if size % 2 == 0:
        raise ValueError(f"a kernel has an odd side, not {size}")
    y, x = np.indices((size, size), dtype=np.float64) - size // 2
    return y, x


def _squared_distance(size: int, sigma: tuple[float, float], angle: float) -> Kernel:
    y, x = _grid(size)
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    return np.asarray((along / sigma[0]) ** 2 + (across / sigma[1]) ** 2)


def _normalised(kernel: Kernel) -> Kernel:
    return np.asarray(kernel / kernel.sum())


def _padded(kernel: Kernel) -> Kernel:
    return np.pad(kernel, (LARGEST - len(kernel)) // 2)


_IDENTITY = _padded(np.ones((1, 1)))


def _around_one(rng: np.random.Generator, limits: Range) -> float:
    low, high = limits
    return rng.uniform(low, 1) if rng.random() < 0.5 else rng.uniform(1, high)
