"""Values of one metric as a table: images by methods."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..metrics.metric import Metric


def per_image(scores: pd.DataFrame, metric: Metric) -> pd.DataFrame:
    """What is compared of one metric's cells (``Metric.compared``), images by methods; NaN where a method has none.

    Seeds are averaged within an image.
    """
    values = pd.Series(metric.compared(scores["value"].to_numpy(dtype=np.float64)), index=scores.index)
    return values.groupby([scores["image"], scores["method"]]).mean().unstack("method")
