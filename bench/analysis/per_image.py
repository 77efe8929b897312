"""From rows of scores: the values of one metric as a table of images and methods, and the place of each row."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from ..metrics.metric import Metric
from ..store.records import Place


def per_image(scores: pd.DataFrame, metric: Metric) -> pd.DataFrame:
    """Values of one metric (``MetricCard.compared``), a row for each image and a column for each method.

    Seeds are averaged within an image; NaN where a method has no value.
    """
    values = pd.Series(metric.card.compared(scores["value"].to_numpy(dtype=np.float64)), index=scores.index)
    return values.groupby([scores["image"], scores["method"]]).mean().unstack("method")


def places_of(rows: pd.DataFrame, dataset: str = "dataset") -> Iterator[Place]:
    """The place of each row of scores; ``dataset`` is the column with the store's names of datasets."""
    columns = [dataset if name == "dataset" else name for name in Place._fields]
    return map(Place._make, rows[columns].itertuples(index=False, name=None))
