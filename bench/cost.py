"""Quality against cost: what a figure of it is drawn from."""

from __future__ import annotations

import pandas as pd

from ..reports.board import Board

COSTS = ("parameters", "steps", "seconds", "memory")
_COLUMNS = ["dataset", "protocol", "method", "family", "metric", "direction", "value", "ci_low", "ci_high", "n"]


def quality_against_cost(board: Board, metric: str) -> pd.DataFrame:
    """One row for each dataset, protocol and measured method: a metric's mean and interval, and every cost.

    Costs are measured the same way for all in-process methods: parameters are counted in the loaded networks, seconds
    are the median wall time of an image, memory is the highest peak of an image above the loaded model, in bytes, steps
    are evaluations of a sampler's network. Of external programs seconds are those of the whole run divided by its
    images, and memory is all of the largest process; finished images have none. What a method lacks is missing (NA).

    Returns:
        dataset, protocol, method, family, metric, direction, value, ci_low, ci_high, n, parameters, steps, seconds,
        memory, devices; sorted as the board is.
    """
    scores = board.scores[board.scores["metric"] == metric]
    joined = scores.merge(board.methods, on="method", how="left", sort=False)
    return joined[[*_COLUMNS, *COSTS, "devices"]].dropna(subset=["value"]).reset_index(drop=True)
