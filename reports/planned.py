"""The table of a planned study's tests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .escaping import markdown
from .grid import between

_SIGNIFICANT = 0.05


def differences_markdown(title: str, question: str, differences: Iterable[Any], digits: Mapping[str, int]) -> str:
    """Every test of the plan; bold where it is told from none after the correction over the plan."""
    lines = [
        f"# {markdown(title)}", "", markdown(question), "",
        "First minus second, mean over photos with 95 % interval; seeds of training and sampling are averaged within"
        " a photo before. `better` says which sign is better. `Smallest` is the smallest difference that so many"
        " photos show in 4 of 5 cases, before any correction. p: sign-flip permutation test over photos, as it is and"
        " corrected (Holm) over all tests of the plan, those that are not made too; bold: corrected p below 5 %."
        " `distortion`: at the second's mixture of points with the first's PSNR-Y; `evaluations`: at the second's point"
        " with as many evaluations of the network.", "",
        "| First | Second | Equal | Set | Steps | Evaluations | Metric | better | Difference | Interval | Smallest | p"
        " | p of the plan |",
        "|---|---|---|---|---:|---|---|---|---:|---|---:|---:|---:|",
    ]  # fmt: skip
    for one in differences:
        places = digits.get(one.metric, 3) + 1
        against = f"{markdown(one.second)}" + (" (blends)" if one.curve == "blends" else "")
        where = f"{markdown(one.dataset)} ({one.photos})"
        head = f"| {markdown(one.first)} | {against} | {one.equal} | {where} | {one.steps} | {one.evaluations} :"
        if one.difference != one.difference:
            why = f"{one.outcome}: {one.reason}" if one.reason else one.outcome
            lines.append(f"{head} – | {markdown(one.metric)} | | {markdown(why)} | | | | |")
            continue
        shown = f"{one.difference:+z.{places}f}"
        shown = f"**{shown}**" if one.p_plan < _SIGNIFICANT else shown
        lines.append(
            f"{head} {one.second_evaluations:.1f} | {markdown(one.metric)} | {_better(one.direction)} |"
            f" {shown} | {between(one.low, one.high, places, '+')} | {one.smallest:.{places}f} | {one.p:.4f} |"
            f" {one.p_plan:.4f} |"
        )
    return "\n".join([*lines, ""])


def _better(direction: str) -> str:
    return {"higher": "+", "lower": "-", "zero": "-"}.get(direction, "")
