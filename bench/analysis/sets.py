"""Values of whole sets (mIoU, AP, FID) from the payloads of images, and the influence of each image on the value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..metrics.card import Floats
from ..metrics.metric import Metric, Payload, SetMetric
from .statistics import Paired, paired

MOST_LEFT_OUT = 1_000
"""Largest number of reduced sets that are combined for a value; with more images, several are left out together."""

Payloads = Mapping[tuple[str, int], Payload]
"""Payloads by image and seed."""


@dataclass(frozen=True)
class SetValue:
    """Value of one method on one set."""

    value: float
    pseudo: Floats
    """Jackknife pseudo-values (Tukey, 1958), one for each image, or for each group of images in a large set. Their mean
    is the value, and each is larger by as much as its image makes the value larger; so intervals and tests treat them
    like values of images. NaN if the set without the image has no value; empty for fewer than two images."""
    images: frozenset[str]


def combine(metric: Metric, payloads: Payloads, clusters: Mapping[str, str] | None = None) -> SetValue:
    """The value of a set and its pseudo-values.

    With several seeds, the value is the mean over seeds, on the images that all seeds have.

    Args:
        metric: a metric of whole sets.
        payloads: payloads that the metric stored for images.
        clusters: cluster of each image, if images are not independent samples; then each cluster has a pseudo-value.
    """
    assert metric.of_set is not None
    if not payloads:
        return SetValue(float("nan"), np.empty(0), frozenset())
    seeds = sorted({seed for _, seed in payloads})
    shared = sorted(set.intersection(*({image for image, of_image in payloads if of_image == seed} for seed in seeds)))
    by_seed = [[payloads[image, seed] for image in shared] for seed in seeds]
    value = float(np.mean([metric.of_set.combine(of_seed) for of_seed in by_seed])) if shared else float("nan")
    if len(shared) < 2:
        return SetValue(value, np.empty(0), frozenset(shared))
    groups = np.arange(len(shared))
    if clusters is not None:
        groups = np.unique([clusters[image] for image in shared], return_inverse=True)[1]
        if groups.max() == 0:
            return SetValue(value, np.array([value]), frozenset(shared))
    reduced_sets = without_groups(groups)
    without = np.mean([_without_each(metric.of_set, of_seed, reduced_sets) for of_seed in by_seed], axis=0)
    return SetValue(value, pseudo_values(value, without), frozenset(shared))


def pseudo_values(value: float, without: Floats) -> Floats:
    """Jackknife pseudo-values ``[N]``, whose mean is the value.

    Tukey's pseudo-values are ``N * value - (N - 1) * without``, whose mean is the value corrected for bias. Tables show
    the value without this correction, so the pseudo-values are shifted to have it as their mean.

    Args:
        value: value of the set.
        without: values ``[N]`` of the sets that lack one image each.
    """
    pseudo: Floats = value + (without.size - 1) * (without.mean() - without)
    return pseudo


def paired_sets(first: Floats, second: Floats, images: int, *, wins: float = float("nan")) -> Paired:
    """Compare two methods on a set by their pseudo-values, whose spread gives no effect size (NaN).

    Args:
        first: pseudo-values ``[N]`` of the first method.
        second: pseudo-values ``[N]`` of the second method.
        images: number of images of the set.
        wins: share of images on which the first method has the larger value, in [0, 1]; NaN if images have no value.
    """
    return replace(paired(first, second), n=images, effect=float("nan"), wins=wins)


def left_out(count: int) -> Floats:
    """Sets that lack one image, or one group of images, each: ``[groups, count]``, 1 for the images that stay."""
    return without_groups(np.arange(count))


def without_groups(groups: NDArray[np.intp]) -> Floats:
    """Sets that lack one group of images each, or several groups if there are many: 1 for the images that stay.

    Args:
        groups: number of each image's group ``[images]``, from 0.

    Returns:
        ``[sets, images]``, 0 or 1.
    """
    parts = groups % MOST_LEFT_OUT
    stays: Floats = (parts != np.arange(parts.max() + 1)[:, None]).astype(np.float64)
    return stays


def _without_each(metric: SetMetric, payloads: Sequence[Payload], reduced_sets: Floats) -> Floats:
    if metric.resample is not None:
        return metric.resample(payloads, reduced_sets)
    values = [
        metric.combine([payload for payload, stays in zip(payloads, row, strict=True) if stays]) for row in reduced_sets
    ]
    return np.asarray(values, dtype=np.float64)
