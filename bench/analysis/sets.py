"""Values of whole sets (mIoU, AP, FID): from payloads of images to a number, and what each image has to do with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..metrics.card import Floats
from ..metrics.metric import Metric, Payload, SetMetric
from .statistics import Paired, paired

MOST_LEFT_OUT = 1_000
"""Sets that are combined anew for one value; where there are more images, some are left out together."""

Payloads = Mapping[tuple[str, int], Payload]
"""By image and seed."""


@dataclass(frozen=True)
class SetValue:
    """One method on one set."""

    value: float
    pseudo: Floats
    """Jackknife pseudo-values (Tukey, 1958), one per image, or per group of images in large sets: their mean is the
    value, and each is larger by as much as its image makes the value larger, so that what holds for values of images
    holds for them. NaN where a set without the image has no value; empty below two images."""
    images: frozenset[str]


def combine(metric: Metric, payloads: Payloads, clusters: Mapping[str, str] | None = None) -> SetValue:
    """The value of a set.

    With several seeds it is the mean over seeds of the sets that each seed gives, on the images that all have.

    Args:
        metric: one of sets.
        payloads: what it stored.
        clusters: by image, where images are no independent samples; then each cluster has a pseudo-value.
    """
    assert metric.of_set is not None
    if not payloads:
        return SetValue(float("nan"), np.empty(0), frozenset())
    seeds = sorted({seed for _, seed in payloads})
    shared = sorted(set.intersection(*({image for image, own in payloads if own == seed} for seed in seeds)))
    by_seed = [[payloads[image, seed] for image in shared] for seed in seeds]
    value = float(np.mean([metric.of_set.combine(one) for one in by_seed])) if shared else float("nan")
    if len(shared) < 2:
        return SetValue(value, np.empty(0), frozenset(shared))
    groups = np.arange(len(shared))
    if clusters is not None:
        groups = np.unique([clusters[image] for image in shared], return_inverse=True)[1]
        if groups.max() == 0:
            return SetValue(value, np.array([value]), frozenset(shared))
    kept = without_groups(groups)
    without = np.mean([_without_each(metric.of_set, one, kept) for one in by_seed], axis=0)
    return SetValue(value, pseudo_values(value, without), frozenset(shared))


def pseudo_values(value: float, without: Floats) -> Floats:
    """Of a set's value and those of the sets that lack one image each ``[N]``; their mean is the value.

    Tukey's are ``N * value - (N - 1) * without``. Their mean corrects the value for bias, which tables do not do.
    """
    pseudo: Floats = value + (without.size - 1) * (without.mean() - without)
    return pseudo


def paired_sets(first: Floats, second: Floats, images: int, *, wins: float = float("nan")) -> Paired:
    """Compare two methods on a set by their pseudo-values; standard deviations of images are no effect size there."""
    return replace(paired(first, second), n=images, effect=float("nan"), wins=wins)


def left_out(count: int) -> Floats:
    """Sets that lack one image, or one group of images, each: 1 where an image stays, ``[groups, count]``."""
    return without_groups(np.arange(count))


def without_groups(groups: NDArray[np.intp]) -> Floats:
    """Sets that lack one group each, or some together where there are many: 1 where an image stays.

    Args:
        groups: number of each image's group, from 0.
    """
    parts = groups % MOST_LEFT_OUT
    stays: Floats = (parts != np.arange(parts.max() + 1)[:, None]).astype(np.float64)
    return stays


def _without_each(metric: SetMetric, payloads: Sequence[Payload], kept: Floats) -> Floats:
    if metric.resample is not None:
        return metric.resample(payloads, kept)
    values = [metric.combine([payload for payload, stays in zip(payloads, row, strict=True) if stays]) for row in kept]
    return np.asarray(values, dtype=np.float64)
