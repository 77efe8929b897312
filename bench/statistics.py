"""Confidence intervals over images."""

from __future__ import annotations

from functools import lru_cache
from math import nan

import numpy as np
from numpy.typing import ArrayLike, NDArray

RESAMPLES = 10_000
LEVEL = 0.95


def bootstrap_ci(values: ArrayLike, *, level: float = LEVEL, resamples: int = RESAMPLES) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean over images (Efron, 1979), with a fixed seed.

    Args:
        values: one value per image, seeds already averaged.

    Returns:
        Lower and upper bound; NaN for fewer than two images or values that are not finite.
    """
    sample = np.asarray(values, dtype=np.float64)
    if sample.size < 2 or not np.isfinite(sample).all():
        return nan, nan
    means = _resampling_weights(sample.size, resamples) @ sample / sample.size
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


@lru_cache(maxsize=4)
def _resampling_weights(size: int, resamples: int) -> NDArray[np.float64]:
    """How often each image is drawn, ``[resamples, size]``: one matrix serves every method and metric of a set."""
    generator = np.random.default_rng(0)
    return generator.multinomial(size, np.full(size, 1 / size), size=resamples).astype(np.float64)
