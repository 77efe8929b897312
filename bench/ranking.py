"""Average rank of methods over everything that was measured of all of them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .statistics import average_ranks


def ranks_of_methods(scores: pd.DataFrame) -> dict[str, float]:
    """Mean rank of each method (1 is best) over datasets, protocols and metrics; ties share ranks.

    A column counts where every method has a value, so that nobody gains by what was not measured; metrics that rank
    nobody do not count. Without such a column, or with one method, there are no ranks.

    Args:
        scores: dataset, method, metric, protocol, value, direction, one row each.
    """
    ranked = scores[scores["direction"] != "none"]
    methods = list(dict.fromkeys(scores["method"]))
    columns, higher = [], []
    for _, group in ranked.groupby(["protocol", "dataset", "metric"], sort=False):
        values = group.set_index("method")["value"].reindex(methods).to_numpy(dtype=float)
        if np.isnan(values).any():
            continue
        direction = group["direction"].iloc[0]
        columns.append(np.abs(values - 1) if direction == "one" else values)
        higher.append(direction == "higher")
    if not columns or len(methods) < 2:
        return {}
    return dict(zip(methods, average_ranks(np.stack(columns, axis=1), higher).tolist(), strict=True))
