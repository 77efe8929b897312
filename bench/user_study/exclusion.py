"""Which raters do not count, by the rules that the study was made with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from .design import ExclusionRules
from .votes import Rater


def reasons(rater: Rater, rules: ExclusionRules) -> tuple[str, ...]:
    """Why a rater is left out, in words; nothing: the rater counts."""
    answers = len(rater.seconds)
    if answers < rules.fewest_answers:
        return (f"{answers} answers, fewer than {rules.fewest_answers}",)
    told = []
    if rater.catch and rater.catch_failed > rules.most_catch_failed * rater.catch:
        told.append(f"failed {rater.catch_failed} of {rater.catch} catch trials")
    median = float(np.median(rater.seconds))
    if median < rules.fastest_median:
        told.append(f"half of the answers took less than {rules.fastest_median:g} s (median {median:.2f} s)")
    (place, count), *_ = Counter(rater.places).most_common(1)
    if count > rules.most_one_place * answers:
        where = "no difference" if place < 0 else f"place {place + 1}"
        told.append(f"{count} of {answers} answers were {where}")
    return tuple(told)


def kept_raters(
    raters: Sequence[Rater], rules: ExclusionRules
) -> tuple[list[Rater], list[tuple[Rater, tuple[str, ...]]]]:
    """Those that count, and the others with their reasons."""
    judged = [(rater, reasons(rater, rules)) for rater in raters]
    return [rater for rater, told in judged if not told], [(rater, told) for rater, told in judged if told]
