"""What the report of a user study is rendered from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class RatedMethod:
    """What the votes say of one method; intervals are of 95 % over raters and images, NaN where these are too few."""

    method: str
    share: float
    """Of the votes in trials that showed it: how many chose it."""
    share_low: float
    share_high: float
    strength: float
    """Bradley-Terry, log-odds; the mean over methods is 0."""
    low: float
    high: float
    p_next: float
    """Of "it is as strong as the next one", adjusted for all pairs (Holm); NaN for the last."""
    all_raters: float
    """The strength if no rater were left out."""


@dataclass(frozen=True)
class RaterRow:
    """One rater."""

    name: str
    answers: int
    catch_failed: int
    catch: int
    median: float
    """Seconds of an answer."""
    complete: bool
    left_out: tuple[str, ...]
    """Why the rater does not count; empty: the rater counts."""


@dataclass(frozen=True)
class MetricRow:
    """How far one metric goes with the votes."""

    metric: str
    title: str
    predicted: float
    """Share of preferences between two outputs in which the metric has the same one ahead; chance is .5."""
    low: float
    high: float
    srcc: float
    """Spearman's correlation of strengths with the metric's means of methods, its direction in the sign: 1 agrees."""
    kendall: float


@dataclass(frozen=True)
class StudyBoard:
    """A user study with its votes."""

    title: str
    question: str
    kind: str
    protocol: str
    votes: int
    """Of raters that count, without catch trials."""
    images: int
    ties: int
    methods: tuple[RatedMethod, ...]
    """The strongest first."""
    wins: Floats
    """How often the method of the row was preferred to that of the column, ties half, in the order of ``methods``."""
    raters: tuple[RaterRow, ...]
    rules: tuple[str, ...]
    """By which raters are left out, in sentences."""
    alpha: float
    """Krippendorff's, nominal."""
    alpha_low: float
    alpha_high: float
    metrics: tuple[MetricRow, ...]
    problems: tuple[str, ...] = ()
    """Files that were not used, in sentences."""
    notes: tuple[str, ...] = ()
