"""What comparisons take from rows of scores: values of one metric as a table, and the places of rows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from ..metrics.metric import Metric
from ..store.records import Place


def per_image(scores: pd.DataFrame, metric: Metric) -> pd.DataFrame:
    """What is compared of one metric's cells (``Metric.compared``), images by methods; NaN where a method has none.

    Seeds are averaged within an image.
    """
    values = pd.Series(metric.card.compared(scores["value"].to_numpy(dtype=np.float64)), index=scores.index)
    return values.groupby([scores["image"], scores["method"]]).mean().unstack("method")


def places_of(rows: pd.DataFrame, dataset: str = "dataset") -> Iterator[Place]:
    """The place of each row of scores; ``dataset`` is the column with the name that the store has."""
    columns = [dataset if name == "dataset" else name for name in Place._fields]
    return map(Place._make, rows[columns].itertuples(index=False, name=None))
