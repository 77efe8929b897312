"""From rows of scores: one metric as a table of images and methods, the place of each row, and names of datasets."""

from __future__ import annotations

from collections.abc import Hashable, Iterator

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


def name_scales(frame: pd.DataFrame) -> pd.DataFrame:
    """Add the scale to a dataset's name if a protocol was run at several scales; ``set`` keeps the store's name."""
    frame["set"] = frame["dataset"]
    several = frame.groupby(["protocol", "dataset"])["scale"].transform("nunique") > 1
    frame.loc[several, "dataset"] += " x" + frame.loc[several, "scale"].astype(str)
    return frame


def names_with_scales(frame: pd.DataFrame) -> dict[tuple[Hashable, Hashable, Hashable], str]:
    """Names of datasets in tables, by protocol, scale and the store's name; see ``name_scales``."""
    rows = name_scales(frame[["protocol", "scale", "dataset"]].drop_duplicates())
    columns = (rows[name] for name in ("protocol", "scale", "set", "dataset"))
    return {(protocol, scale, dataset): str(shown) for protocol, scale, dataset, shown in zip(*columns, strict=True)}
