"""Test whether two methods are equivalent: two one-sided tests (TOST).

A test that finds no difference does not show that there is none. This test does: its null hypothesis is that the
methods differ by the margin or more (Schuirmann, "A comparison of the two one-sided tests procedure and the power
approach", 1987). The margin is the largest difference that readers would call the same; it must be chosen before the
values are seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import nan, sqrt

import numpy as np
from numpy.typing import ArrayLike

from .statistics import SIGNIFICANT


@dataclass(frozen=True)
class Equivalence:
    """Result of a test of equivalence."""

    margin: float
    low: float
    high: float
    """90 % interval of the mean difference (Student's t): the methods are equivalent if it lies within the margin."""
    p: float
    """The larger of the two one-sided p-values; NaN for fewer than three images."""

    @property
    def equivalent(self) -> bool:
        """Whether a difference as large as the margin is excluded at 5 %, before any correction."""
        return self.p < SIGNIFICANT


def equivalence(differences: ArrayLike, margin: float) -> Equivalence:
    """Test whether the mean difference lies within ``margin`` of 0.

    Args:
        differences: values ``[N]`` of the first minus the second method, for images or clusters of images.
        margin: largest difference that counts as none, in the unit of the metric, above 0.

    Raises:
        ValueError: the margin is not above 0, or a value is not finite.
    """
    from scipy import special  # takes a fifth of a second to import, and tables do not need it

    values = np.asarray(differences, dtype=np.float64)
    if not margin > 0 or not np.isfinite(margin):
        raise ValueError(f"a margin of equivalence is a number above 0, not {margin:g}")
    if not np.isfinite(values).all():
        raise ValueError("a test of equivalence needs finite values")
    if values.size < 3:
        return Equivalence(margin, nan, nan, nan)
    mean, error = float(values.mean()), float(values.std(ddof=1)) / sqrt(values.size)
    freedom = values.size - 1
    reach = float(special.stdtrit(freedom, 1 - SIGNIFICANT)) * error
    if error == 0:
        p = 0.0 if abs(mean) < margin else 1.0
    else:
        p = float(special.stdtr(freedom, -(margin - abs(mean)) / error))
    return Equivalence(margin, mean - reach, mean + reach, p)
