"""Figures that compare methods by their aggregated values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ....reports.figures.bars import Bar, Panel, bars_figure
from ....reports.figures.cost import CostPoint, cost_figure
from ....reports.figures.curves import AxisLabel, Curve, curves_figure
from ....reports.figures.ranks import RadarShape, RankTable, radar_figure, ranks_figure
from ....reports.grid import number
from ....reports.palette import line_styles
from ...analysis.ranks import ranks as ranks_of
from ...metrics.metric import Metric
from ...store.images import StoreError
from .curves import groups
from .data import FigureData, Part, axis_label
from .options import BarsOptions, CostOptions, RadarOptions, RanksOptions, SensitivityOptions

_COSTS = {
    "seconds": ("seconds per image", 1.0),
    "memory": ("peak memory [MiB]", 2.0**20),
    "parameters": ("parameters [M]", 1e6),
    "macs": ("MACs at {} LQ [G]", 1e9),
    "activations": ("activations at {} LQ [M]", 1e6),
}


def sensitivity(data: FigureData, options: SensitivityOptions) -> Iterator[tuple[str, Figure]]:
    """One figure for each dataset and protocol; a line joins the settings of one model, as in ``curves``."""
    metrics = [data.metric(id) for id in options.y]
    models = groups(data.names)
    styles = line_styles(list(models))
    places = {name: at for name in data.names if (at := _parameter(data, name, options)) is not None}
    if len(places) < 2:
        raise StoreError(
            f"{data.store.root}: fewer than two methods have the parameter '{options.parameter}' in their spec;"
            " name it with 'values: {METHOD: NUMBER}'"
        )
    for part in data.parts(options):
        values = [part.values(metric.id) for metric in metrics]
        drawn = [
            Curve(
                model,
                ("",) * len(names),
                tuple(places[name] for name in names),
                tuple(tuple(of_metric[name] for name in names) for of_metric in values),
            )
            for model, members in models.items()
            if (names := _by_parameter(members.values(), part, places, values))
        ]
        if sum(len(curve.x) for curve in drawn) < 2:
            continue
        labels = AxisLabel(options.parameter), [axis_label(metric) for metric in metrics]
        legend = len(drawn) > 1
        figure = curves_figure(drawn, *labels, part.title, styles, options.paper, legend=legend)
        yield f"sensitivity-{part.dataset}-{part.protocol}", figure


def _by_parameter(
    members: Iterable[str], part: Part, places: Mapping[str, float], values: Sequence[Mapping[str, float]]
) -> list[str]:
    """The methods of a model that can be drawn, in the order of the parameter."""
    names = [name for name in members if name in part.methods and name in places and all(name in v for v in values)]
    return sorted(names, key=lambda name: places[name])


def _parameter(data: FigureData, name: str, options: SensitivityOptions) -> float | None:
    """The parameter of a method, from the options or from its reference in a spec."""
    if options.values:
        return options.values.get(name)
    reference: Any = data.references.get(name, {})
    value = reduce(
        lambda inner, key: inner.get(key) if isinstance(inner, dict) else None, options.parameter.split("."), reference
    )
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def bars(data: FigureData, options: BarsOptions) -> Iterator[tuple[str, Figure]]:
    """One figure for each dataset and protocol; settings of one model have the same colour."""
    families = groups(data.names)
    colours = line_styles(list(families))
    styles = {name: colours[family] for family, members in families.items() for name in members.values()}
    for part in data.parts(options):
        panels = []
        for metric in _metrics(data, part, options.metrics, ranking=False):
            rows = {str(row["method"]): row for row in _rows(part, metric) if row["method"] in part.methods}
            shared = part.compared(metric.id)
            distances = {name: float(metric.card.losses(np.array([value]))[0]) for name, value in shared.items()}
            best = min(distances.values(), default=0.0)
            drawn = []
            for name in part.methods:
                value, low, high = (
                    float(rows[name][key]) if name in rows else np.nan for key in ("value", "ci_low", "ci_high")
                )
                if np.isfinite(value):
                    best_here = metric.card.direction != "none" and distances.get(name) == best
                    n = int(rows[name]["n"])
                    text = number(value, metric.card.digits) + (f" (n={n})" if n < part.images else "")
                    drawn.append(Bar(name, value, low, high, text, best_here))
            if drawn:
                panels.append(Panel(axis_label(metric), drawn, _has_zero(metric)))
        if panels:
            figure = bars_figure(panels, part.title, styles, options.paper)
            yield f"bars-{part.dataset}-{part.protocol}", figure


def _has_zero(metric: Metric) -> bool:
    """Whether 0 is the end of a scale, as of errors and of likeness; 0 dB of PSNR is none."""
    card = metric.card
    if card.direction in ("zero", "none"):
        return card.direction == "zero"
    return not (card.unit == "dB" and card.direction == "higher") and not card.range.lstrip("~").startswith(("-", ","))


def cost(data: FigureData, options: CostOptions) -> Iterator[tuple[str, Figure]]:
    """One figure for each dataset and protocol."""
    metric = data.metric(options.y)
    label, unit = _COSTS[options.x]
    for part in data.parts(options):
        costs = {name: cost / unit for name, cost in _costs(data, part, options.x).items()}
        values = part.values(metric.id)
        points = [CostPoint(name, costs[name], values[name]) for name in values if name in costs]
        if points:
            figure = cost_figure(
                points,
                label.format(_lq_size(data, part)),
                axis_label(metric),
                part.title,
                data.line_styles,
                options.paper,
            )
            yield f"cost-{part.dataset}-{part.protocol}", figure


def _costs(data: FigureData, part: Part, x: str) -> dict[str, float]:
    """A cost above 0 of each method; all but parameters are those of this part."""
    frame = data.board.methods
    if x != "parameters":
        frame = data.board.costs
        frame = frame[(frame["protocol"] == part.protocol) & (frame["dataset"] == part.dataset)]
    rows = zip(frame["method"], frame[x], strict=True)
    return {str(name): float(cost) for name, cost in rows if not pd.isna(cost) and float(cost) > 0}


def _lq_size(data: FigureData, part: Part) -> str:
    """At which a part's operations were counted."""
    frame = data.board.costs
    own = frame[(frame["protocol"] == part.protocol) & (frame["dataset"] == part.dataset)]
    return str(next(iter(own["lq_size"]), ""))


def ranks(data: FigureData, options: RanksOptions) -> Iterator[tuple[str, Figure]]:
    """One figure for each protocol, over all its datasets."""
    by_protocol: dict[str, list[Part]] = {}
    for part in data.parts(options):
        by_protocol.setdefault(part.protocol, []).append(part)
    for protocol, parts in by_protocol.items():
        methods = [name for name in options.methods or data.names if any(name in part.methods for part in parts)]
        titles, columns = [], []
        for part in parts:
            for metric in _metrics(data, part, options.metrics):
                values = part.compared(metric.id)
                title = f"{part.dataset} {metric.card.title}" if len(parts) > 1 else metric.card.title
                titles.append(f"{title}*" if part.on_fewer_images(metric.id) else title)
                columns.append(ranks_of(np.array([values.get(name, np.nan) for name in methods]), metric))
        if columns:
            table = _ranked(methods, titles, np.stack(columns, axis=1))
            title = f"ranks, {protocol}" if len(parts) > 1 else f"ranks, {parts[0].title}"
            if any(name.endswith("*") for name in titles):
                title += "; *: on the images that all methods have"
            yield f"ranks-{protocol}", ranks_figure(table, title, options.paper)


def _ranked(methods: Sequence[str], titles: Sequence[str], values: NDArray[np.float64]) -> RankTable:
    """The table without methods that have no rank, such as HR itself."""
    ranked = np.isfinite(values).any(axis=1)
    return RankTable(tuple(np.array(methods)[ranked]), tuple(titles), values[ranked])


def radar(data: FigureData, options: RadarOptions) -> Iterator[tuple[str, Figure]]:
    """One figure for each dataset and protocol."""
    for part in data.parts(options):
        metrics = _metrics(data, part, options.metrics)
        tables = [part.compared(metric.id) for metric in metrics]
        names = [name for name in part.methods if all(name in table for table in tables)]
        if len(metrics) < 3 or len(names) < 2:
            continue
        scores = np.stack(
            [_share([table[name] for name in names], metric) for metric, table in zip(metrics, tables, strict=True)],
            axis=1,
        )
        shapes = [RadarShape(name, tuple(map(float, row))) for name, row in zip(names, scores, strict=True)]
        titles = [axis_label(metric).text for metric in metrics]
        figure = radar_figure(shapes, titles, part.title, data.line_styles, options.paper)
        yield f"radar-{part.dataset}-{part.protocol}", figure


def _share(values: Sequence[float], metric: Metric) -> NDArray[np.float64]:
    """1 for the best value, 0 for the worst; 1 for all if they are equal."""
    distances = metric.card.losses(np.asarray(values))
    low, high = distances.min(), distances.max()
    return np.ones_like(distances) if high == low else (high - distances) / (high - low)


def _rows(part: Part, metric: Metric) -> list[dict[str, Any]]:
    return [dict(row) for row in part.scores[part.scores["metric"] == metric.id].to_dict("records")]  # type: ignore[arg-type]


def _metrics(data: FigureData, part: Part, requested: Sequence[str], *, ranking: bool = True) -> list[Metric]:
    """The requested metrics, or all of the store; with ``ranking``, metrics without a direction are left out."""
    ids = requested or [str(id) for id in data.board.metrics["metric"]]
    metrics = [data.metric(id) for id in ids]
    ids_with_values = set(part.scores["metric"][part.scores["value"].notna()])
    return [
        metric
        for metric in metrics
        if metric.id in ids_with_values and (not ranking or metric.card.direction != "none")
    ]
