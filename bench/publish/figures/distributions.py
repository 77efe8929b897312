"""Figures of values of single images: how they spread, and how metrics agree on them."""

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
"""Points below which a rank correlation is of no use."""


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
        StoreError: correlation over methods, and a dataset has fewer than four that all metrics have.
    """
    for part in data.parts(options):
        metrics = _of_images(data, part, options.metrics)
        columns = {metric.id: _points(data, part, metric, over_methods=options.over == "methods") for metric in metrics}
        table = pd.DataFrame(columns)
        if len(metrics) < 2:
            continue
        if len(table.dropna()) < _FEWEST:
            what = "methods" if options.over == "methods" else "outputs"
            raise StoreError(
                f"{data.store.root}: correlation: fewer than {_FEWEST} {what} of {part.dataset} have all of"
                f" {', '.join(columns)}; name fewer 'metrics'"
            )
        title, coefficient = _COEFFICIENTS[options.coefficient]
        values = np.eye(len(metrics))
        for (at, one), (place, other) in combinations(enumerate(table), 2):
            pair = table[[one, other]].dropna()
            values[at, place] = values[place, at] = float(coefficient(pair[one], pair[other]).statistic)
        shown = CorrelationTable(tuple(metric.card.title for metric in metrics), values, title)
        yield f"correlation-{part.dataset}-{part.protocol}", correlation_figure(shown, part.title, options.paper)


def _of_images(data: FigureData, part: Part, wanted: Sequence[str]) -> list[Metric]:
    """The metrics asked for, or all that have values of single images there."""
    there = set(part.scores["metric"][part.scores["value"].notna()])
    metrics = [data.metric(id) for id in wanted] if wanted else list(data.metrics.values())
    return [one for one in metrics if one.id in there and one.of_set is None]


def _table(data: FigureData, part: Part, metric: Metric) -> pd.DataFrame:
    """What is compared of every image, images by methods."""
    scores, _ = leave_out_infinite(data.scores)
    here = (scores["protocol"] == part.protocol) & (scores["dataset"] == part.dataset) & (scores["metric"] == metric.id)
    return per_image(scores[here & scores["method"].isin(part.methods)], metric)


def _points(data: FigureData, part: Part, metric: Metric, *, over_methods: bool) -> pd.Series:
    """Values of methods, or of every image of every method, turned so that higher is better."""
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
