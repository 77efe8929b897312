"""Statistics over images: intervals, tests, resampled means. The unit is an image, whose seeds are averaged before.

Intervals and tests use the same statistic, Student's t with Hall's correction for skewness ("On the removal of skewness
by transformation", JRSS B, 1992): differences of methods are skewed, and with few images an uncorrected t or a
percentile bootstrap errs far more often than its level (docs/metrics.md has the measured shares).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import exp, lgamma, log, nan, pi
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

LEVEL = 0.95
SIGNIFICANT = 0.05
FEWEST = 5
"""Fewest images for an interval: with fewer, its coverage falls below 90 % for skewed values."""
FEW = 30
"""Number of images below which intervals of strongly skewed values cover 90 % rather than 95 %."""
FLIPS = 10_000

Floats = NDArray[np.float64]

_BLOCK = 2**22
"""Size of the block of a matrix of signs or weights that is in memory at once: 32 MiB for any number of images."""
_STEPS, _NODES = 8, 2001
_LEAST_SPREAD = 1e-8
"""Ratio of variance to mean square below which values count as equal: rounding errors are no evidence."""
SAME = 1 - 1e-7
"""Factor on the observed statistic, so that statistics that differ by rounding alone count as equal."""


def interval(values: ArrayLike) -> tuple[float, float]:
    """95 % interval of the mean of one value per image; see ``intervals``."""
    low, high = intervals(np.atleast_2d(np.asarray(values, dtype=np.float64)))[0]
    return float(low), float(high)


def intervals(values: Floats) -> Floats:
    """95 % intervals of means, ``[methods, images]`` to ``[methods, 2]``, by Student's t with Hall's correction.

    NaN for fewer than ``FEWEST`` images and for values that are not finite; of width 0 if all values are equal.
    """
    count = values.shape[1]
    bounds = np.full((len(values), 2), nan)
    finite = np.isfinite(values).all(1)
    if count < FEWEST or not finite.any():
        return bounds
    mean = values[finite].mean(1)
    centred = values[finite] - mean[:, None]
    spread = np.sqrt((centred**2).sum(1) / (count - 1))
    # Powers of tiny numbers underflow and those of huge numbers overflow: standardize before the third moment.
    standard = np.divide(centred, spread[:, None], out=np.zeros_like(centred), where=spread[:, None] > 0)
    skewness = (standard**3).sum(1) * count / ((count - 1) * (count - 2)) / np.sqrt(count)
    quantile = student_quantile(count - 1, (1 + LEVEL) / 2)
    error = spread / np.sqrt(count)
    bounds[finite, 0] = mean - _untransformed(quantile, skewness) * error
    bounds[finite, 1] = mean - _untransformed(-quantile, skewness) * error
    return bounds


@lru_cache(maxsize=256)
def student_quantile(freedom: float, probability: float) -> float:
    """Quantile of Student's t above its median, to nine digits for four degrees of freedom or more.

    Newton's method on the integral of the density (Simpson's rule). SciPy's function gives the same, but importing it
    takes longer than everything else that a table needs.
    """
    t = NormalDist().inv_cdf(probability)
    scale = exp(lgamma((freedom + 1) / 2) - lgamma(freedom / 2) - log(freedom * pi) / 2)
    for _ in range(_STEPS):
        x = np.linspace(0, t, _NODES)
        density = scale * (1 + x**2 / freedom) ** (-(freedom + 1) / 2)
        inside = (
            t / (3 * (_NODES - 1)) * (density[0] + density[-1] + 4 * density[1::2].sum() + 2 * density[2:-1:2].sum())
        )
        t -= float(0.5 + inside - probability) / float(density[-1])
    return t


def transformed(mean: Floats, cubes: Floats, count: int) -> Floats:
    """Hall's transformed t of values whose mean square is 1, from their mean and the mean of their cubes.

    For skewed values its distribution approximates that of Student's t to one order higher than t itself. Columns of
    zeros have 0.
    """
    variance = np.maximum(1 - mean**2, _LEAST_SPREAD)
    t = mean * np.sqrt((count - 1) / variance)
    if count < 3:
        return t
    third = (cubes - 3 * mean + 2 * mean**3) * count**2 / ((count - 1) * (count - 2))
    skewness = third / (variance * count / (count - 1)) ** 1.5 / np.sqrt(count)
    result: Floats = t + skewness / 6 + skewness * t**2 / 3 + skewness**2 * t**3 / 27
    return result


def _untransformed(value: float, skewness: Floats) -> Floats:
    """The t whose transformed value is ``value``; ``skewness`` is divided by the root of the number of images."""
    flat = np.abs(skewness) < 1e-6
    safe = np.where(flat, 1.0, skewness)
    return np.where(flat, value, 3 / safe * (np.cbrt(1 + safe * (value - safe / 6)) - 1))


@dataclass(frozen=True)
class Paired:
    """Paired comparison of two methods on the same images."""

    n: int
    difference: float
    """Mean of first minus second."""
    low: float
    high: float
    """95 % interval of the difference."""
    p: float
    """Two-sided p-value of the sign-flip permutation test."""
    effect: float
    """Cohen's d of the paired differences: their mean over their standard deviation."""
    wins: float
    """Share of images on which the first has the larger value; ties count half."""


def paired(first: ArrayLike, second: ArrayLike) -> Paired:
    """Compare two methods image by image.

    Args:
        first: values ``[N]`` of the first method.
        second: values ``[N]`` of the second method, on the same images.

    Raises:
        ValueError: different numbers of images, fewer than two images, or values that are not finite.
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 1 or a.size < 2:
        raise ValueError(f"a paired comparison needs the same two or more images, not {a.size} and {b.size}")
    differences = a - b
    if not np.isfinite(differences).all():
        raise ValueError("a paired comparison needs finite values")
    low, high = interval(differences)
    spread = float(differences.std(ddof=1))
    mean = float(differences.mean())
    return Paired(
        n=a.size,
        difference=mean,
        low=low,
        high=high,
        p=permutation_p(differences),
        effect=mean / spread if spread > 0 else nan if mean == 0 else float(np.copysign(np.inf, mean)),
        wins=float(((a > b) + 0.5 * (a == b)).mean()),
    )


def permutation_p(differences: ArrayLike, *, flips: int = FLIPS, seed: int = 0) -> float:
    """Two-sided p-value of Fisher's sign-flip test with the transformed t as its statistic.

    The null hypothesis is that the signs of the differences are random. If there are at most ``flips`` sign patterns,
    all are tried; else that many are drawn. The observed pattern counts as one of them, so p is never 0.
    """
    values = unit_mean_square(np.asarray(differences, dtype=np.float64)[:, None])
    count = len(values)
    observed = np.abs(transformed(values.mean(0), (values**3).mean(0), count)) * SAME
    extreme, patterns = 0, 0
    for signs in sign_blocks(count, flips, seed):
        flipped = transformed(signs @ values / count, signs @ values**3 / count, count)
        extreme, patterns = extreme + int((np.abs(flipped) >= observed).sum()), patterns + len(signs)
    return (1 + extreme) / (1 + patterns)


def unit_mean_square(values: Floats) -> Floats:
    """Columns divided by the root of their mean square, which does not depend on signs; columns of zeros stay."""
    size = np.abs(values).max(0, initial=0)
    scaled = np.divide(values, size, out=np.zeros_like(values), where=size > 0)
    square = (scaled**2).mean(0)
    units: Floats = np.divide(scaled, np.sqrt(square), out=np.zeros_like(values), where=square > 0)
    return units


def sign_blocks(size: int, flips: int, seed: int = 0) -> Iterator[Floats]:
    """Sign patterns ``[rows, size]`` without the observed one, block by block: all if there are at most ``flips``.

    A pattern and its opposite give the same two-sided statistic; so if all are tried, the first sign is always plus.
    """
    rows = max(1, _BLOCK // size)
    total = 2 ** (size - 1) - 1 if _all_patterns(size, flips) else flips
    for start in range(0, total, rows):
        yield _signs(size, start, min(rows, total - start), None if _all_patterns(size, flips) else seed)


def _all_patterns(size: int, flips: int) -> bool:
    return size < 64 and 2 ** (size - 1) <= flips


@lru_cache(maxsize=4)
def _signs(size: int, start: int, rows: int, seed: int | None) -> Floats:
    if seed is None:
        patterns = np.arange(start + 1, start + 1 + rows)[:, None] >> np.arange(size - 1, -1, -1) & 1
        return 1 - 2 * patterns.astype(np.float64)
    return 2 * np.random.default_rng([seed, start]).integers(2, size=(rows, size)).astype(np.float64) - 1


def least_p(images: int) -> float:
    """The smallest p-value that a sign-flip test can give; if it is above the level, no difference is significant."""
    return 2.0 ** (1 - images)


def holm(p_values: ArrayLike) -> Floats:
    """P-values adjusted for multiple tests (Holm, 1979), which bounds the probability of any false rejection.

    NaN entries stay NaN and do not count as tests.
    """
    values = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(values.shape, nan)
    valid = np.flatnonzero(np.isfinite(values))
    order = valid[np.argsort(values[valid], kind="stable")]
    steps = values[order] * (order.size - np.arange(order.size))
    adjusted[order] = np.minimum(1, np.maximum.accumulate(steps))
    return adjusted


def resampled(values: Floats, resamples: int) -> Floats:
    """Means of bootstrap resamples, with the same images for all methods: ``[images, methods]`` to ``[R, methods]``."""
    count = len(values)
    rows = max(1, _BLOCK // count)
    starts = range(0, resamples, rows)
    means: Floats = np.concatenate([_weights(count, k, min(rows, resamples - k)) @ values for k in starts]) / count
    return means


@lru_cache(maxsize=4)
def _weights(size: int, start: int, rows: int) -> Floats:
    """How often each image is drawn, ``[rows, size]``; the same matrix is used for every method and metric of a set."""
    generator = np.random.default_rng([0, start])
    return generator.multinomial(size, np.full(size, 1 / size), size=rows).astype(np.float64)
