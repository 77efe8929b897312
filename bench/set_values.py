"""Values of whole sets: from values or payloads of images to a number with its interval, and who ties with the best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .metrics.metric import Floats, Metric, Payload
from .statistics import LEVEL, holm, resampling_weights

RESAMPLES_SLOW = 1_000
"""Where a metric can only be combined one set at a time."""
_SIGNIFICANT = 0.05

Payloads = Mapping[tuple[str, int], Payload]
"""By image and seed."""


@dataclass(frozen=True)
class SetValue:
    """One method on one set."""

    value: float
    low: float
    high: float
    n: int
    """Images."""
    draws: Floats
    """The value of resampled sets ``[R]``, the same sets for every method with these images; empty below two images."""
    images: frozenset[str]


def combine(metric: Metric, payloads: Payloads) -> SetValue:
    """Value and bootstrap interval (over images, percentile) of a set.

    With several seeds it is the mean over seeds of the sets that each seed gives, on the images that all have.
    """
    assert metric.combine is not None
    if not payloads:
        return SetValue(float("nan"), float("nan"), float("nan"), 0, np.empty(0), frozenset())
    seeds = sorted({seed for _, seed in payloads})
    shared = sorted(set.intersection(*({image for image, one in payloads if one == seed} for seed in seeds)))
    by_seed = [[payloads[image, seed] for image in shared] for seed in seeds]
    value = float(np.mean([metric.combine(one) for one in by_seed])) if shared else float("nan")
    draws = np.mean([_resampled(metric, one) for one in by_seed], axis=0) if len(shared) > 1 else np.empty(0)
    low, high = _interval(draws)
    return SetValue(value, low, high, len(shared), draws, frozenset(shared))


def _resampled(metric: Metric, payloads: Sequence[Payload]) -> Floats:
    assert metric.combine is not None
    if metric.resample is not None:
        return metric.resample(payloads, resampling_weights(len(payloads), metric.resamples))
    weights = resampling_weights(len(payloads), RESAMPLES_SLOW).astype(np.int64)
    draws = [metric.combine([payloads[k] for k in np.repeat(np.arange(row.size), row)]) for row in weights]
    return np.asarray(draws, dtype=np.float64)


def _interval(draws: NDArray[np.float64]) -> tuple[float, float]:
    defined = draws[~np.isnan(draws)]  # a resampled set may hold no object at all
    if not defined.size:
        return float("nan"), float("nan")
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def tied_with_best(values: Mapping[str, SetValue], metric: Metric) -> set[str]:
    """Methods whose set values a paired bootstrap cannot tell from the best one's: two-sided, Holm-corrected, at 5 %.

    Only methods with all images take part.
    """
    images = max((one.n for one in values.values()), default=0)
    full = {name: one for name, one in values.items() if one.n == images and one.draws.size}
    if metric.direction == "none" or len(full) < 2:
        return set()
    loss = {name: metric.losses(np.append(one.draws, one.value)) for name, one in full.items()}
    best = min(loss, key=lambda name: float(loss[name][-1]))
    others = [name for name in loss if name != best and full[name].images == full[best].images]
    adjusted = holm([bootstrap_p(loss[name][:-1] - loss[best][:-1]) for name in others])
    return {name for name, p in zip(others, adjusted, strict=True) if p >= _SIGNIFICANT}


def bootstrap_p(differences: Floats) -> float:
    """Two-sided p-value of "no difference" from paired resampled differences (share on the far side of 0, doubled)."""
    defined = differences[~np.isnan(differences)]
    fewer = min(int((defined <= 0).sum()), int((defined >= 0).sum()))
    return min(1.0, 2 * (1 + fewer) / (1 + defined.size))
