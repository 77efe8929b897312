"""KID: the squared maximum mean discrepancy between features of restored images and of HR images, as sets.

Binkowski, Sutherland, Arbel, Gretton, "Demystifying MMD GANs", ICLR 2018: cubic kernel, unbiased estimate. Of the whole
set, where libraries average over random parts of it: sets here have five to a few thousand images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import nan

import numpy as np

from ..card import Floats, MetricCard
from ..metric import Payload, SetMetric
from ..perceptual import version
from . import frechet

_THOUSANDTHS = 1000.0


def kid(payloads: Sequence[Payload]) -> float:
    """KID times 1,000 of features of SR and HR, ``[2, 2048]`` an image; NaN for one image."""
    if len(payloads) < 2:
        return nan
    return float(resampled(payloads, np.ones((1, len(payloads))))[0])


def resampled(payloads: Sequence[Payload], draws: Floats) -> Floats:
    """KID of many sets, from how often each image is in each of them ``[R, N]``.

    An image that is there twice is two samples, as it is to a bootstrap.
    """
    stacked = np.asarray(payloads, dtype=np.float64)
    sr, hr = stacked[:, 0], stacked[:, 1]
    within = _kernel(sr, sr) + _kernel(hr, hr)
    across = _kernel(sr, hr)
    counts = draws.sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        within_sets = (((draws @ within) * draws).sum(1) - draws @ np.diag(within)) / (counts * (counts - 1))
        mixed = ((draws @ across) * draws).sum(1) / counts**2
    return np.asarray(_THOUSANDTHS * (within_sets - 2 * mixed), dtype=np.float64)


def _kernel(a: Floats, b: Floats) -> Floats:
    """``[N, D]`` and ``[M, D]`` to ``[N, M]``."""
    result: Floats = (a @ b.T / a.shape[1] + 1) ** 3
    return result


CARD = MetricCard(
    "kid",
    "KID",
    "10^-3",
    3,
    "lower",
    "of the whole set, unbiased: below 0 where the sets cannot be told apart",
    "~, ~",
    tolerance=frechet.CARD.tolerance,
    version=version("1"),
)
METRICS = (replace(frechet.METRICS[0], card=CARD, of_set=SetMetric(kid, resampled)),)
