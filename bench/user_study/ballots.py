"""Votes as arrays: who preferred which method to which, and how sums of them vary over other raters and images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from ..analysis.statistics import LEVEL

Floats = NDArray[np.float64]
Statistic = Callable[[Floats], Floats]
"""From sums over votes ``[..., K]`` to values ``[..., *shape]``."""

RESAMPLES = 1_000
_LEAST = 0.5
"""Of the variance of votes that is the least variance: the difference of three noisy variances may fall below 0."""
FEWEST = 5
"""Raters and images below which no interval is given."""


@dataclass(frozen=True)
class Vote:
    """One answer of a rater, with the names that the key gives back to it."""

    rater: str
    trial: str
    dataset: str
    image: str
    methods: tuple[str, ...]
    """As the key lists them, in random order."""
    shown: tuple[str, ...]
    """The same, from the first place on the screen to the last."""
    choice: str | None
    """A method; None: no difference."""
    seconds: float


@dataclass(frozen=True)
class Ballots:
    """Votes of several raters on several images."""

    methods: tuple[str, ...]
    rater: NDArray[np.intp]
    """Number of the rater of each vote ``[votes]``."""
    image: NDArray[np.intp]
    wins: Floats
    """Whether the vote prefers the first method to the second, a half where it says that there is no difference
    ``[votes, methods, methods]``."""
    chosen: Floats
    """1 for the chosen method, a tie shared among those shown ``[votes, methods]``."""
    shown: Floats
    """1 for each method that was shown ``[votes, methods]``."""

    @property
    def raters(self) -> int:
        """How many there are."""
        return int(self.rater.max(initial=-1)) + 1

    @property
    def images(self) -> int:
        """How many there are."""
        return int(self.image.max(initial=-1)) + 1


def ballots(votes: Sequence[Vote], methods: Sequence[str]) -> Ballots:
    """Votes as arrays. A vote for the best of n prefers the chosen method to each of the others.

    Args:
        votes: of raters that count.
        methods: in the order of tables.
    """
    place = {name: number for number, name in enumerate(methods)}
    wins = np.zeros((len(votes), len(methods), len(methods)))
    chosen, shown = np.zeros((len(votes), len(methods))), np.zeros((len(votes), len(methods)))
    for number, vote in enumerate(votes):
        inside = [place[name] for name in vote.methods]
        shown[number, inside] = 1
        if vote.choice is None:
            chosen[number, inside] = 1 / len(inside)
            wins[np.ix_([number], inside, inside)] = 0.5
            wins[number, inside, inside] = 0
        else:
            chosen[number, place[vote.choice]] = 1
            wins[number, place[vote.choice], [other for other in inside if other != place[vote.choice]]] = 1
    raters, images = _numbers([vote.rater for vote in votes]), _numbers([(vote.dataset, vote.image) for vote in votes])
    return Ballots(tuple(methods), raters, images, wins, chosen, shown)


def _numbers(names: Sequence[object]) -> NDArray[np.intp]:
    known = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return np.array([known[name] for name in names], dtype=np.intp)


@dataclass(frozen=True)
class Estimate:
    """A statistic of the votes; all arrays have its shape."""

    value: Floats
    low: Floats
    """95 % interval over raters and images; NaN where there are too few of either."""
    high: Floats
    error: Floats
    """Standard error."""
    freedom: int
    """Degrees of freedom of the interval's t."""

    @property
    def p(self) -> Floats:
        """Two-sided p-values of "it is 0"."""
        with np.errstate(divide="ignore", invalid="ignore"):
            t = np.abs(self.value) / self.error
        values: Floats = 2 * special.stdtr(self.freedom, -t)
        return values


def estimate(
    votes: Ballots, parts: Floats, statistic: Statistic, *, resamples: int = RESAMPLES, seed: int = 0
) -> Estimate:
    """A statistic of sums over votes, with intervals that hold for other raters and other images.

    Raters and images are crossed: each rater votes on many images, and each image has votes of many raters. Three
    bootstraps draw raters, images and single votes; the variance is that of raters plus that of images less that of
    votes, which both have in them (Cameron, Gelbach and Miller, "Robust inference with multiway clustering", 2011). The
    interval is Student's t with the fewer of raters and images less one as degrees of freedom.

    Args:
        votes: all that count.
        parts: what each vote adds to the sums ``[votes, K]``.
        statistic: values of sums.
        resamples: of each of the three.
        seed: of the draws.
    """
    value = statistic(parts.sum(0))
    few = min(votes.raters, votes.images)
    if few < FEWEST:
        nothing = np.full_like(value, np.nan)
        return Estimate(value, nothing, nothing, nothing, max(1, few - 1))
    by_rater = _variance(votes.rater, parts, statistic, resamples, (seed, 0))
    by_image = _variance(votes.image, parts, statistic, resamples, (seed, 1))
    by_vote = _variance(np.arange(len(parts)), parts, statistic, resamples, (seed, 2))
    variance = np.maximum(by_rater + by_image - by_vote, _LEAST * by_vote)
    error = np.sqrt(variance)
    reach = float(special.stdtrit(few - 1, (1 + LEVEL) / 2)) * error
    return Estimate(value, value - reach, value + reach, error, few - 1)


def _variance(
    group: NDArray[np.intp], parts: Floats, statistic: Statistic, resamples: int, seed: tuple[int, int]
) -> Floats:
    """Of the statistic when groups of votes are drawn with replacement; a drawn set without a value is left out."""
    count = int(group.max()) + 1
    sums = np.zeros((count, parts.shape[1]))
    np.add.at(sums, group, parts)
    generator = np.random.default_rng(seed)
    drawn = []
    for start in range(0, resamples, 250):
        size = min(250, resamples - start)
        times = generator.multinomial(count, np.full(count, 1 / count), size=size).astype(np.float64)
        drawn.append(statistic(times @ sums))
    spread: Floats = np.nanvar(np.concatenate(drawn), axis=0, ddof=1) * count / (count - 1)
    return spread
