"""The table of a planned study's tests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .escaping import markdown
from .grid import between

_SIGNIFICANT = 0.05


def differences_markdown(title: str, question: str, differences: Iterable[Any], digits: Mapping[str, int]) -> str:
    """Table of all tests of a plan; differences that are significant after the correction over the plan are bold.

    Args:
        title: heading of the table.
        question: the question of the study.
        differences: one for each test.
        digits: decimals of each metric.
    """
    lines = [
        f"# {markdown(title)}",
        "",
        markdown(question),
        "",
        "First minus second, mean over photos with 95 % interval; seeds of training and sampling are averaged within"
        " a photo before. `better` says which sign is better. `Smallest` is the smallest difference that so many"
        " photos show in 4 of 5 cases, before any correction. p: sign-flip permutation test over photos, as it is and"
        " corrected (Holm) over all tests of the plan, those that are not made too; bold: corrected p below 5 %."
        " `distortion`: at the second's mixture of points with the first's PSNR-Y; `evaluations`: at the second's point"
        " with as many evaluations of the network.",
        "",
        "| First | Second | Equal | Set | Steps | Evaluations | Metric | better | Difference | Interval | Smallest | p"
        " | p of the plan |",
        "|---|---|---|---|---:|---|---|---|---:|---|---:|---:|---:|",
    ]
    for difference in differences:
        places = digits.get(difference.metric, 3) + 1
        against = f"{markdown(difference.second)}" + (" (blends)" if difference.curve == "blends" else "")
        dataset = f"{markdown(difference.dataset)} ({difference.photos})"
        first_columns = [markdown(difference.first), against, difference.equal, dataset, difference.steps]
        head = f"| {' | '.join(map(str, first_columns))} | {difference.evaluations} :"
        if difference.difference != difference.difference:
            reason = f"{difference.outcome}: {difference.reason}" if difference.reason else difference.outcome
            lines.append(f"{head} – | {markdown(difference.metric)} | | {markdown(reason)} | | | | |")
            continue
        text = f"{difference.difference:+z.{places}f}"
        text = f"**{text}**" if difference.p_plan < _SIGNIFICANT else text
        interval = between(difference.low, difference.high, places, "+")
        lines.append(
            f"{head} {difference.second_evaluations:.1f} | {markdown(difference.metric)} |"
            f" {_better(difference.direction)} | {text} | {interval} | {difference.smallest:.{places}f} |"
            f" {difference.p:.4f} | {difference.p_plan:.4f} |"
        )
    return "\n".join([*lines, ""])


def _better(direction: str) -> str:
    return {"higher": "+", "lower": "-", "zero": "-"}.get(direction, "")
