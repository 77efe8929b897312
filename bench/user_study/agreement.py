"""Agreement of raters beyond chance: Krippendorff's alpha for nominal values.

Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011). 1: all agree, 0: as much as random answers.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

import numpy as np

from ..analysis.statistics import LEVEL
from .ballots import FEWEST, RESAMPLES, Floats, Vote


def agreement(votes: Sequence[Vote]) -> tuple[float, float, float]:
    """Alpha of the answers to the same trials, and its 95 % interval: percentiles of resampled trials.

    The compared value is the place of the chosen output in the key, whose order is random in each trial. If names of
    methods were compared, votes for a method that wins everywhere would look like random ones.
    """
    by_trial: dict[str, list[int]] = {}
    for vote in votes:
        place = -1 if vote.choice is None else vote.methods.index(vote.choice)
        by_trial.setdefault(vote.trial, []).append(place)
    parts = coincidences(by_trial.values())
    if len(parts) < FEWEST:
        return float(krippendorff_alpha(parts.sum(0))), float("nan"), float("nan")
    generator = np.random.default_rng(0)
    times = generator.multinomial(len(parts), np.full(len(parts), 1 / len(parts)), size=RESAMPLES).astype(np.float64)
    drawn = krippendorff_alpha(np.tensordot(times, parts, 1))
    low, high = (
        np.nanquantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]) if np.isfinite(drawn).any() else (np.nan, np.nan)
    )
    return float(krippendorff_alpha(parts.sum(0))), float(low), float(high)


def coincidences(units: Iterable[Sequence[Hashable]]) -> Floats:
    """How often two raters gave a pair of values to the same unit ``[units, values, values]``.

    Units with fewer than two values say nothing and are left out.
    """
    compared = [values for values in units if len(values) > 1]
    place = {value: number for number, value in enumerate(dict.fromkeys(value for unit in compared for value in unit))}
    parts = np.zeros((len(compared), len(place), len(place)))
    for part, unit in zip(parts, compared, strict=True):
        counts = np.bincount([place[value] for value in unit], minlength=len(place)).astype(np.float64)
        part += (np.outer(counts, counts) - np.diag(counts)) / (len(unit) - 1)
    return parts


def krippendorff_alpha(pairs: Floats) -> Floats:
    """Alpha of coincidences of all units ``[..., values, values]``; NaN where there are none, or of one value alone."""
    totals = pairs.sum(-1)
    pairable = totals.sum(-1)
    expected = pairable**2 - (totals**2).sum(-1)
    observed = pairable - np.trace(pairs, axis1=-2, axis2=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        alpha: Floats = np.where(expected > 0, 1 - (pairable - 1) * observed / expected, np.nan)
    return alpha
