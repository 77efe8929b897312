"""Tables of an ablation: effects of factors, and distances between curves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .escaping import markdown
from .grid import between

_SIGNIFICANT = 0.05


def effects_markdown(effects: Iterable[Any], digits: Mapping[str, int]) -> str:
    """Factors and their interaction by metric; an effect that the test cannot tell from none is in plain type."""
    lines = [
        "# Effects", "",
        "Mean over images of the change that a factor makes, with 95 % interval, and the p-value of a paired"
        " sign-flip permutation test over images (seeds averaged before, Holm-corrected over the table); bold: below"
        " 5 %. A x B is what both factors give together beyond the sum of each.", "",
        "| Dataset | Setting | Metric | Factor | Images | Change | Interval | p |",
        "|---|---|---|---|---:|---:|---|---:|",
    ]  # fmt: skip
    for one in effects:
        places = digits.get(one.metric, 3) + 1
        change = f"{one.difference:+z.{places}f}"
        shown = f"**{change}**" if one.p < _SIGNIFICANT else change
        lines.append(
            f"| {markdown(one.dataset)} ({markdown(one.protocol)}) | {markdown(one.setting)} | {markdown(one.metric)} |"
            f" {markdown(one.factor)} | {one.n} | {shown} |"
            f" {between(one.low, one.high, places, '+')} | {one.p:.4f} |"
        )
    return "\n".join([*lines, ""])


def gaps_markdown(gaps: Iterable[Any], digits: Mapping[str, int]) -> str:
    """Distances of curves at equal distortion; bold where the interval is on one side of 0."""
    lines = [
        "# Curves at equal distortion", "",
        "Arms are curves over sampling steps. The gap is how much worse (above 0) or better (below 0) an arm's second"
        " metric is where the first is equal, as a mean over the range that both curves cover (its share of the"
        " reference's range is the overlap), with 95 % interval over images; bold: the interval excludes"
        " 0.", "",
        "| Dataset | Arm | Reference | At equal | Metric | Overlap | Gap | Interval |",
        "|---|---|---|---|---|---:|---:|---|",
    ]  # fmt: skip
    for one in gaps:
        places = digits.get(one.y, 3) + 1
        if one.gap != one.gap:
            gap, interval = "no overlap", ""
        else:
            gap = f"{one.gap:+z.{places}f}"
            gap = f"**{gap}**" if one.low > 0 or one.high < 0 else gap
            interval = between(one.low, one.high, places, "+")
        lines.append(
            f"| {markdown(one.dataset)} ({markdown(one.protocol)}) | {markdown(one.arm)} | {markdown(one.reference)} |"
            f" {markdown(one.x)} | {markdown(one.y)} | {100 * one.overlap:.0f} % | {gap} | {interval} |"
        )
    return "\n".join([*lines, ""])
