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
        "# Effects",
        "",
        "Mean over images of the change that a factor makes, with 95 % interval, and the p-value of a paired"
        " sign-flip permutation test over images (seeds averaged before, Holm-corrected over the table); bold: below"
        " 5 %. A x B is what both factors give together beyond the sum of each.",
        "",
        "| Dataset | Setting | Metric | Factor | Images | Change | Interval | p |",
        "|---|---|---|---|---:|---:|---|---:|",
    ]
    for effect in effects:
        places = digits.get(effect.metric, 3) + 1
        change = f"{effect.difference:+z.{places}f}"
        change_text = f"**{change}**" if effect.p < _SIGNIFICANT else change
        names = [markdown(name) for name in (effect.setting, effect.metric, effect.factor)]
        lines.append(
            f"| {markdown(effect.dataset)} ({markdown(effect.protocol)}) | {' | '.join(names)} | {effect.n} |"
            f" {change_text} | {between(effect.low, effect.high, places, '+')} | {effect.p:.4f} |"
        )
    return "\n".join([*lines, ""])


def gaps_markdown(gaps: Iterable[Any], digits: Mapping[str, int]) -> str:
    """Distances of curves at equal distortion; bold where the interval is on one side of 0."""
    lines = [
        "# Curves at equal distortion",
        "",
        "Arms are curves over sampling steps. The gap is how much worse (above 0) or better (below 0) an arm's second"
        " metric is where the first is equal, as a mean over the range that both curves cover (its share of the"
        " reference's range is the overlap), with 95 % interval over images; bold: the interval excludes"
        " 0.",
        "",
        "| Dataset | Arm | Reference | At equal | Metric | Overlap | Gap | Interval |",
        "|---|---|---|---|---|---:|---:|---|",
    ]
    for curve_gap in gaps:
        places = digits.get(curve_gap.y, 3) + 1
        if curve_gap.gap != curve_gap.gap:
            gap, interval = "no overlap", ""
        else:
            gap = f"{curve_gap.gap:+z.{places}f}"
            gap = f"**{gap}**" if curve_gap.low > 0 or curve_gap.high < 0 else gap
            interval = between(curve_gap.low, curve_gap.high, places, "+")
        names = [markdown(name) for name in (curve_gap.arm, curve_gap.reference, curve_gap.x, curve_gap.y)]
        lines.append(
            f"| {markdown(curve_gap.dataset)} ({markdown(curve_gap.protocol)}) | {' | '.join(names)} |"
            f" {100 * curve_gap.overlap:.0f} % | {gap} | {interval} |"
        )
    return "\n".join([*lines, ""])
