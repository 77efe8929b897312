"""Whether two methods are equal for all practical purposes: two one-sided tests (TOST).

A test that finds no difference does not say that there is none. This one does: it rejects "they differ by the margin or
more" (Schuirmann, "A comparison of the two one-sided tests procedure and the power approach", 1987). The margin is what
a reader would call the same; it must be chosen before the values are seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import nan, sqrt

import numpy as np
from numpy.typing import ArrayLike

from .statistics import SIGNIFICANT


@dataclass(frozen=True)
class Equivalence:
    """Paired differences against a margin."""

    margin: float
    low: float
    high: float
    """90 % interval of Student's t: the methods are equivalent where it lies within the margin."""
    p: float
    """The greater of the two one-sided p-values; NaN below three images."""

    @property
    def equivalent(self) -> bool:
        """Whether a difference as large as the margin is excluded at 5 %, before any correction."""
        return self.p < SIGNIFICANT


def equivalence(differences: ArrayLike, margin: float) -> Equivalence:
    """Test whether the mean difference lies within ``margin`` of 0.

    Args:
        differences: first minus second method, of images or of clusters of them.
        margin: in the unit of the metric, above 0.

    Raises:
        ValueError: no margin above 0, or values that are not finite.
    """
    from scipy import special  # a fifth of a second to import, and tables do without

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
