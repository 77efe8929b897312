"""Semantic segmentation as counts: confusion matrices, and mIoU, mAcc and aAcc of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .....datasets.ground_truth.kinds import VOID

Measure = Literal["miou", "macc", "aacc"]
Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


def confusion(truth: NDArray[np.uint8], predicted: NDArray[np.uint8], classes: int) -> Counts:
    """Pixels of true class (row) and found class (column), ``[classes, classes]``, without void pixels.

    Raises:
        ValueError: the maps differ in size, or hold a class that there is not.
    """
    if truth.shape != predicted.shape:
        raise ValueError(f"label maps of {truth.shape[::-1]} and {predicted.shape[::-1]} pixels cannot be compared")
    valid = truth != VOID
    rows, columns = truth[valid].astype(np.int64), predicted[valid].astype(np.int64)
    for name, labels in (("truth", rows), ("engine", columns)):
        if labels.size and labels.max() >= classes:
            raise ValueError(f"the {name} has class {labels.max()}, but there are {classes} classes")
    return np.bincount(rows * classes + columns, minlength=classes**2).reshape(classes, classes)


def combine(measure: Measure) -> Callable[[Sequence[Counts]], float]:
    """The measure of a set in percent, of the sum of its images' matrices; NaN where no pixel counts.

    As mmsegmentation's IoUMetric: mIoU is the mean over classes with a true or a found pixel, mAcc over classes with a
    true one; aAcc is the share of pixels that are right.
    """
    return lambda payloads: float(_values(measure, _sums(payloads).sum(0, keepdims=True))[0])


def resample(measure: Measure) -> Callable[[Sequence[Counts], Floats], Floats]:
    """The measure of resampled sets; see ``Metric.resample``."""

    def resampled(payloads: Sequence[Counts], drawn: Floats) -> Floats:
        sums = _sums(payloads)
        return _values(measure, (drawn @ sums.reshape(len(payloads), -1)).reshape(len(drawn), 3, -1))

    return resampled


def _sums(payloads: Sequence[Counts]) -> Floats:
    """Right, true and found pixels of each class ``[N, 3, classes]``."""
    matrices = np.stack(payloads).astype(np.float64)  # exact below 2^53 pixels
    right = np.diagonal(matrices, axis1=1, axis2=2)
    return np.stack([right, matrices.sum(2), matrices.sum(1)], axis=1)


def _values(measure: Measure, sums: Floats) -> Floats:
    right, true, predicted = sums[:, 0], sums[:, 1], sums[:, 2]
    if measure == "aacc":
        return 100 * _ratio(right.sum(1), true.sum(1))
    of_class = _ratio(right, true + predicted - right if measure == "miou" else true)
    counted = ~np.isnan(of_class)
    return 100 * _ratio(np.where(counted, of_class, 0).sum(1), counted.sum(1).astype(np.float64))


def _ratio(a: Floats, b: Floats) -> Floats:
    result: Floats = np.divide(a, b, out=np.full(a.shape, np.nan), where=b > 0)
    return result
