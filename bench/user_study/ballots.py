"""Votes as arrays, and statistics of sums over votes with intervals over raters and images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from ..analysis.statistics import LEVEL

Floats = NDArray[np.float64]
Statistic = Callable[[Floats], Floats]
"""Computes values ``[..., *shape]`` from sums over votes ``[..., K]``."""

RESAMPLES = 1_000
_LEAST = 0.5
"""Share of the variance of votes that is the lower bound of the variance: the difference of three estimated variances
can fall below 0."""
FEWEST = 5
"""Fewest raters and images for an interval."""


@dataclass(frozen=True)
class Vote:
    """One answer of a rater, with the names of methods from the key."""

    rater: str
    trial: str
    dataset: str
    image: str
    methods: tuple[str, ...]
    """Methods in the order of the key, which is random."""
    shown: tuple[str, ...]
    """Methods from the first place on the screen to the last."""
    choice: str | None
    """The chosen method; None: no difference."""
    seconds: float


@dataclass(frozen=True)
class Ballots:
    """Votes of several raters on several images."""

    methods: tuple[str, ...]
    rater: NDArray[np.intp]
    """Number of the rater of each vote ``[votes]``."""
    image: NDArray[np.intp]
    wins: Floats
    """``[votes, methods, methods]``: 1 if a vote prefers the first method to the second, a half for no difference."""
    chosen: Floats
    """1 for the chosen method; a tie is shared among the shown methods, ``[votes, methods]``."""
    shown: Floats
    """1 for each method that was shown ``[votes, methods]``."""

    @property
    def raters(self) -> int:
        """Number of raters."""
        return int(self.rater.max(initial=-1)) + 1

    @property
    def images(self) -> int:
        """Number of images."""
        return int(self.image.max(initial=-1)) + 1


def ballots(votes: Sequence[Vote], methods: Sequence[str]) -> Ballots:
    """Votes as arrays. A vote for the best of n prefers the chosen method to each of the others.

    Args:
        votes: votes of the raters that count.
        methods: names of methods in the order of tables.
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
            wins[number, place[vote.choice], [unchosen for unchosen in inside if unchosen != place[vote.choice]]] = 1
    raters, images = _numbers([vote.rater for vote in votes]), _numbers([(vote.dataset, vote.image) for vote in votes])
    return Ballots(tuple(methods), raters, images, wins, chosen, shown)


def _numbers(names: Sequence[object]) -> NDArray[np.intp]:
    known = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return np.array([known[name] for name in names], dtype=np.intp)


@dataclass(frozen=True)
class Estimate:
    """A statistic of the votes with its uncertainty; all arrays have the shape of the statistic."""

    value: Floats
    low: Floats
    """95 % interval over raters and images; NaN for too few raters or images."""
    high: Floats
    error: Floats
    """Standard error."""
    freedom: int
    """Degrees of freedom of the interval's t."""

    @property
    def p(self) -> Floats:
        """Two-sided p-values of the null hypothesis that the value is 0."""
        with np.errstate(divide="ignore", invalid="ignore"):
            t = np.abs(self.value) / self.error
        values: Floats = 2 * special.stdtr(self.freedom, -t)
        return values


def estimate(
    votes: Ballots, parts: Floats, statistic: Statistic, *, resamples: int = RESAMPLES, seed: int = 0
) -> Estimate:
    """A statistic of sums over votes, with intervals that are valid for other raters and other images.

    Raters and images are crossed: each rater votes on many images, and each image has votes of many raters. Three
    bootstraps resample raters, images and single votes. The variance is that over raters plus that over images minus
    that over votes, which is part of both (Cameron, Gelbach and Miller, "Robust inference with multiway clustering",
    2011). The interval is Student's t; its degrees of freedom are the smaller of the numbers of raters and images,
    minus one.

    Args:
        votes: all votes that count.
        parts: contribution of each vote to the sums ``[votes, K]``.
        statistic: computes the statistic from sums.
        resamples: number of resamples of each of the three bootstraps.
        seed: seed of the resamples.
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
    """Variance of the statistic over resampled groups of votes; resamples without a value are left out."""
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
