"""Power of a paired test: the smallest difference that it finds on a set, and the number of images that it needs.

For the two-sided paired t-test, whose power follows from the noncentral t distribution. The sign-flip test of
``compare`` has the same power unless the differences are skewed.
"""

from __future__ import annotations

from math import inf, nan, sqrt

from scipy import optimize, special

from .statistics import SIGNIFICANT

POWER = 0.8
FEWEST = 3
"""Fewest images for which the power is computed: the spread of two images says nothing."""
_MOST_IMAGES = 10**7
_CERTAIN = 35.0
"""Noncentrality above which the power is 1 to the last digit for three images or more; SciPy's series ends at 37."""
_ONE_SIDED = 8.0
"""Noncentrality above which the test errs to the other side with a probability below 1e-15; SciPy returns NaN for some
of these."""


def power_of_test(effect: float, units: int) -> float:
    """Power of a two-sided paired t-test: the probability that it finds a true effect.

    Args:
        effect: true mean of the differences divided by their standard deviation.
        units: number of images, or of clusters of images; three or more.
    """
    freedom, shift = units - 1, abs(effect) * sqrt(units)
    critical = float(special.stdtrit(freedom, 1 - SIGNIFICANT / 2))
    if shift > _CERTAIN:
        return 1.0
    opposite = float(special.nctdtr(freedom, shift, -critical)) if shift < _ONE_SIDED else 0.0
    return float(1 - special.nctdtr(freedom, shift, critical)) + opposite


def smallest_difference(spread: float, units: int) -> float:
    """The smallest true mean difference that the test finds with the power ``POWER``; NaN for fewer than three images.

    Args:
        spread: standard deviation of the differences of images.
        units: number of images, or of clusters of images.
    """
    if units < FEWEST or not spread >= 0:
        return nan
    most = (_CERTAIN + 1) / sqrt(units)  # the power grows with the effect
    return spread * float(optimize.brentq(lambda effect: power_of_test(effect, units) - POWER, 0, most, xtol=1e-10))


def units_needed(difference: float, spread: float) -> float:
    """The fewest images (or clusters) with which the test finds this true mean difference with the power ``POWER``.

    Infinite if the difference is 0, or if ten million images are too few.
    """
    if spread == 0 or difference == 0:
        return inf if difference == 0 else FEWEST
    effect = abs(difference) / spread
    if power_of_test(effect, _MOST_IMAGES) < POWER:
        return inf
    low, high = 2, _MOST_IMAGES
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power_of_test(effect, middle) >= POWER else (middle, high)
    return max(FEWEST, high)
