"""Statistics over images: intervals, paired tests, ranks. An image is the unit; its seeds are averaged before."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import nan

import numpy as np
from numpy.typing import ArrayLike, NDArray

RESAMPLES = 10_000
LEVEL = 0.95

Floats = NDArray[np.float64]


def bootstrap_ci(values: ArrayLike, *, level: float = LEVEL, resamples: int = RESAMPLES) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean over its images (Efron, 1979), with a fixed seed.

    Args:
        values: one value per image, seeds already averaged.

    Returns:
        Lower and upper bound; NaN for fewer than two images or values that are not finite.
    """
    table = np.atleast_2d(np.asarray(values, dtype=np.float64))
    low, high = bootstrap_cis(table, level=level, resamples=resamples)[0]
    return float(low), float(high)


def bootstrap_cis(values: Floats, *, level: float = LEVEL, resamples: int = RESAMPLES) -> Floats:
    """Intervals of many methods on the same images: ``[methods, images]`` to ``[methods, 2]``.

    Every method sees the same resampled sets of images.
    """
    methods, images = values.shape
    bounds = np.full((methods, 2), nan)
    finite = np.isfinite(values).all(1)
    if images < 2 or not finite.any():
        return bounds
    drawn = resampling_weights(images, resamples) @ values[finite].T / images
    bounds[finite] = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0).T
    return bounds


@dataclass(frozen=True)
class Paired:
    """Two methods on the same images."""

    n: int
    difference: float
    """Mean of first minus second."""
    low: float
    high: float
    """Bootstrap interval of the difference."""
    p: float
    """Two-sided p-value of the sign-flip permutation test."""
    effect: float
    """Cohen's d of the paired differences: their mean over their standard deviation."""
    wins: float
    """Share of images on which the first has the greater value; ties count half."""


def paired(first: ArrayLike, second: ArrayLike, *, resamples: int = RESAMPLES, seed: int = 0) -> Paired:
    """Compare two methods image by image.

    Raises:
        ValueError: not the same number of images, fewer than two, or values that are not finite.
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 1 or a.size < 2:
        raise ValueError(f"a paired comparison needs the same two or more images, not {a.size} and {b.size}")
    differences = a - b
    if not np.isfinite(differences).all():
        raise ValueError("a paired comparison needs finite values")
    low, high = bootstrap_ci(differences, resamples=resamples)
    spread = float(differences.std(ddof=1))
    mean = float(differences.mean())
    return Paired(
        n=a.size, difference=mean, low=low, high=high, p=permutation_p(differences, resamples=resamples, seed=seed),
        effect=mean / spread if spread > 0 else nan if mean == 0 else float(np.copysign(np.inf, mean)),
        wins=float(((a > b) + 0.5 * (a == b)).mean()),
    )  # fmt: skip


def permutation_p(differences: ArrayLike, *, resamples: int = RESAMPLES, seed: int = 0) -> float:
    """Two-sided p-value of "the signs of the differences are chance" (Fisher's sign-flip test).

    All sign patterns are tried where there are no more of them than ``resamples``; else that many are drawn, and the
    observed one is counted among them, so that p is never 0.
    """
    return float(
        permutation_ps(np.atleast_2d(np.asarray(differences, dtype=np.float64)), resamples=resamples, seed=seed)[0]
    )


def permutation_ps(differences: Floats, *, resamples: int = RESAMPLES, seed: int = 0) -> Floats:
    """The same for many methods against one on the same images: ``[methods, images]`` to ``[methods]``."""
    size = differences.shape[1]
    observed = np.abs(differences.sum(1)) * (1 - 1e-12)
    if 2**size <= resamples:
        patterns = (np.arange(2**size)[:, None] >> np.arange(size) & 1) * 2.0 - 1
        return np.asarray((np.abs(patterns @ differences.T) >= observed).mean(0), dtype=np.float64)
    flips = np.abs(_sign_patterns(size, resamples, seed) @ differences.T)
    return np.asarray((1 + (flips >= observed).sum(0)) / (resamples + 1), dtype=np.float64)


def least_p(images: int) -> float:
    """The smallest p-value that a permutation test can give; above the level, nothing can be told apart."""
    return 2.0 ** (1 - images)


def holm(p_values: ArrayLike) -> Floats:
    """P-values adjusted for their number (Holm, 1979): rejecting those below a level errs once in that share of cases.

    NaN entries stay NaN and are not counted.
    """
    values = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(values.shape, nan)
    valid = np.flatnonzero(np.isfinite(values))
    order = valid[np.argsort(values[valid], kind="stable")]
    steps = values[order] * (order.size - np.arange(order.size))
    adjusted[order] = np.minimum(1, np.maximum.accumulate(steps))
    return adjusted


@lru_cache(maxsize=4)
def resampling_weights(size: int, resamples: int) -> Floats:
    """How often each image is drawn, ``[resamples, size]``: one matrix serves every method and metric of a set."""
    generator = np.random.default_rng(0)
    drawn: Floats = generator.multinomial(size, np.full(size, 1 / size), size=resamples).astype(np.float64)
    return drawn


@lru_cache(maxsize=4)
def _sign_patterns(size: int, resamples: int, seed: int) -> Floats:
    return 2 * np.random.default_rng(seed).integers(2, size=(resamples, size)).astype(np.float64) - 1
