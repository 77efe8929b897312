"""Leave out raters by the rules with which the study was made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from .design import ExclusionRules
from .votes import Rater


def reasons(rater: Rater, rules: ExclusionRules) -> tuple[str, ...]:
    """The reasons why a rater is left out, in words; empty: the rater counts."""
    answers = len(rater.seconds)
    if answers < rules.fewest_answers:
        return (f"{answers} answers, fewer than {rules.fewest_answers}",)
    failures = []
    if rater.catch and rater.catch_failed > rules.most_catch_failed * rater.catch:
        failures.append(f"failed {rater.catch_failed} of {rater.catch} catch trials")
    median = float(np.median(rater.seconds))
    if median < rules.fastest_median:
        failures.append(f"half of the answers took less than {rules.fastest_median:g} s (median {median:.2f} s)")
    (place, count), *_ = Counter(rater.places).most_common(1)
    if count > rules.most_one_place * answers:
        answer = "no difference" if place < 0 else f"place {place + 1}"
        failures.append(f"{count} of {answers} answers were {answer}")
    return tuple(failures)


def kept_raters(
    raters: Sequence[Rater], rules: ExclusionRules
) -> tuple[list[Rater], list[tuple[Rater, tuple[str, ...]]]]:
    """Raters that count, and raters that are left out with the reasons."""
    judged = [(rater, reasons(rater, rules)) for rater in raters]
    return [rater for rater, failures in judged if not failures], [
        (rater, failures) for rater, failures in judged if failures
    ]
