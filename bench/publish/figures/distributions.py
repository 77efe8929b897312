"""Figures of values of single images: their distribution, and the correlation of metrics."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.stats import kendalltau, spearmanr

from ....reports.figures.correlation import CorrelationTable, correlation_figure
from ....reports.figures.violins import Violin, violins_figure
from ...analysis.leaderboard import leave_out_infinite
from ...analysis.per_image import per_image
from ...metrics.metric import Metric
from ...store.images import StoreError
from .data import FigureData, Part, axis_label
from .options import CorrelationOptions, ViolinsOptions

_COEFFICIENTS = {"spearman": ("Spearman's rho", spearmanr), "kendall": ("Kendall's tau", kendalltau)}
_FEWEST = 4
"""Fewest points for a rank correlation."""


def violins(data: FigureData, options: ViolinsOptions) -> Iterator[tuple[str, Figure]]:
    """One figure for each dataset and protocol, a panel for each metric that single images have."""
    for part in data.parts(options):
        panels = []
        for metric in _of_images(data, part, options.metrics):
            table = _table(data, part, metric)
            drawn = [Violin(name, table[name].dropna().to_numpy()) for name in part.methods if name in table]
            drawn = [violin for violin in drawn if violin.values.size]
            if drawn:
                panels.append((axis_label(metric), drawn))
        if panels:
            figure = violins_figure(panels, part.title, data.line_styles, options.paper)
            yield f"violins-{part.dataset}-{part.protocol}", figure


def correlation(data: FigureData, options: CorrelationOptions) -> Iterator[tuple[str, Figure]]:
    """One figure for each dataset and protocol.

    Raises:
        StoreError: a dataset has fewer than four methods (or outputs) with values of all metrics.
    """
    for part in data.parts(options):
        metrics = _of_images(data, part, options.metrics)
        columns = {metric.id: _points(data, part, metric, over_methods=options.over == "methods") for metric in metrics}
        table = pd.DataFrame(columns)
        if len(metrics) < 2:
            continue
        if len(table.dropna()) < _FEWEST:
            noun = "methods" if options.over == "methods" else "outputs"
            raise StoreError(
                f"{data.store.root}: correlation: fewer than {_FEWEST} {noun} of {part.dataset} have all of"
                f" {', '.join(columns)}; name fewer 'metrics'"
            )
        title, coefficient = _COEFFICIENTS[options.coefficient]
        values = np.eye(len(metrics))
        for (at, first), (place, second) in combinations(enumerate(table), 2):
            pair = table[[first, second]].dropna()
            values[at, place] = values[place, at] = float(coefficient(pair[first], pair[second]).statistic)
        shown = CorrelationTable(tuple(metric.card.title for metric in metrics), values, title)
        yield f"correlation-{part.dataset}-{part.protocol}", correlation_figure(shown, part.title, options.paper)


def _of_images(data: FigureData, part: Part, requested: Sequence[str]) -> list[Metric]:
    """The requested metrics, or all metrics of the store, that have values of single images in this part."""
    ids_with_values = set(part.scores["metric"][part.scores["value"].notna()])
    metrics = [data.metric(id) for id in requested] if requested else list(data.metrics.values())
    return [metric for metric in metrics if metric.id in ids_with_values and metric.of_set is None]


def _table(data: FigureData, part: Part, metric: Metric) -> pd.DataFrame:
    """Values with a row for each image and a column for each method; see ``per_image``."""
    scores, _ = leave_out_infinite(data.scores)
    of_part = (
        (scores["protocol"] == part.protocol) & (scores["dataset"] == part.dataset) & (scores["metric"] == metric.id)
    )
    return per_image(scores[of_part & scores["method"].isin(part.methods)], metric)


def _points(data: FigureData, part: Part, metric: Metric, *, over_methods: bool) -> pd.Series:
    """Values of methods, or of every image of every method, with the sign by which higher is better."""
    if over_methods:
        values = pd.Series(part.compared(metric.id), dtype=np.float64)
    else:
        methods = data.board.methods
        ceilings = set(methods["method"][methods["family"] == "reference"])  # HR itself would agree with everything
        table = _table(data, part, metric)
        values = pd.concat({name: table[name].dropna() for name in table if name not in ceilings})
    if metric.card.direction not in ("higher", "lower", "zero"):
        return values
    return pd.Series(-metric.card.losses(np.asarray(values, dtype=np.float64)), index=values.index)
