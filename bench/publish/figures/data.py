"""Data from which figures are drawn: the results of a store, read once for all its figures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from ....datasets.names import did_you_mean
from ....methods.reference import name_of
from ....reports.board import Board, images_text
from ....reports.column import ARROWS
from ....reports.figures.curves import AxisLabel
from ....reports.palette import LineStyle, line_styles
from ...analysis.leaderboard import load_board, outputs_of, scores_of
from ...analysis.order import metrics_in_order
from ...metrics.metric import Metric
from ...metrics.registry import metrics_of, stored_id
from ...store.images import StoreError
from ...store.store import Store
from .options import FigureOptions


@dataclass(frozen=True)
class Part:
    """One dataset under one protocol, with the methods to draw."""

    dataset: str
    protocol: str
    methods: tuple[str, ...]
    scores: pd.DataFrame
    """Rows of ``Board.scores``."""
    images: int
    whole: int = 0
    """Number of images of the whole set; 0: not known."""

    @property
    def title(self) -> str:
        """Title of the figure: dataset, images and protocol."""
        return f"{self.dataset}, {images_text(self.images, self.whole or self.images)}, {self.protocol}"

    def values(self, metric: str) -> dict[str, float]:
        """Aggregated value of each method that has one."""
        return self._column(metric, "value")

    def compared(self, metric: str) -> dict[str, float]:
        """Value of each method over the images that all compared methods have, by which methods are ranked."""
        return self._column(metric, "shared")

    def on_fewer_images(self, metric: str) -> bool:
        """Whether a method has more images than the comparison uses."""
        rows = self.scores[(self.scores["metric"] == metric) & self.scores["shared"].notna()]
        return bool((rows["shared_n"] < rows["n"]).any())

    def _column(self, metric: str, name: str) -> dict[str, float]:
        rows = self.scores[(self.scores["metric"] == metric) & self.scores[name].notna()]
        values = dict(zip(rows["method"], rows[name].astype(float), strict=True))
        return {name: values[name] for name in self.methods if name in values}


class FigureData:
    """An open store, with its results in the forms that figures need."""

    def __init__(self, store: Store) -> None:
        self.store = store

    @cached_property
    def board(self) -> Board:
        """Means with intervals."""
        return load_board(self.store, title="")

    @cached_property
    def metrics(self) -> dict[str, Metric]:
        """All metrics of the store by id, in the order of tables."""
        known = metrics_of(map(str, self.board.metrics["metric"]), self.store.metrics())
        return {metric.id: metric for metric in metrics_in_order(known, self.store)}

    @cached_property
    def scores(self) -> pd.DataFrame:
        """Every cell, datasets named as in tables."""
        return scores_of(self.store)

    @cached_property
    def outputs(self) -> pd.DataFrame:
        """Every output, datasets named as in tables."""
        return outputs_of(self.store)

    @cached_property
    def line_styles(self) -> dict[str, LineStyle]:
        """Line style of each method, the same in all figures of the store."""
        return line_styles(self.names)

    @cached_property
    def names(self) -> list[str]:
        """All methods, in the order of tables."""
        return [str(name) for name in self.board.methods["method"]]

    @cached_property
    def references(self) -> dict[str, dict[str, Any]]:
        """The latest reference of each method in specs that is a mapping."""
        references: dict[str, dict[str, Any]] = {}
        for run in self.store.runs():
            for reference in run.spec.methods:
                if isinstance(reference, dict):
                    references[self.store.selection.shown(name_of(reference))] = reference
        return references

    def parts(self, options: FigureOptions) -> Iterator[Part]:
        """The datasets and protocols to draw.

        Raises:
            StoreError: a dataset, protocol or method that the store does not have.
        """
        options = self.with_shown_names(options)
        self._require("dataset", options.datasets)
        self._require("protocol", (options.protocol,) if options.protocol else ())
        scores = self.board.scores
        for (protocol, dataset), rows in scores.groupby(["protocol", "dataset"], sort=False):
            if options.datasets and dataset not in options.datasets:
                continue
            if options.protocol and protocol != options.protocol:
                continue
            known_methods = set(rows["method"])
            methods = tuple(name for name in (options.methods or self.names) if name in known_methods)
            yield Part(
                str(dataset),
                str(protocol),
                methods,
                rows,
                int(rows["n"].max()),
                self.board.whole.get((str(protocol), str(dataset)), 0),
            )

    def with_shown_names(self, options: FigureOptions) -> FigureOptions:
        """The options with methods under the names for readers; users may also give the names of the store.

        Raises:
            StoreError: a method that the store does not have.
        """
        methods = tuple(map(self.store.selection.shown, options.methods))
        self._require("method", methods)
        return options.model_copy(update={"methods": methods})

    def _require(self, column: str, requested: Iterable[str]) -> None:
        known = [str(value) for value in self.board.scores[column].unique()]
        for name in requested:
            if name not in known:
                raise StoreError(f"{self.store.root}: has no scores of {column} '{name}'{did_you_mean(name, known)}")

    def metric(self, id: str) -> Metric:
        """A metric of the store.

        Raises:
            StoreError: the store has no values of the metric.
        """
        metric = self.metrics.get(stored_id(id, self.metrics))
        if metric is None:
            raise StoreError(f"{self.store.root}: has no values of metric '{id}'{did_you_mean(id, self.metrics)}")
        return metric


def axis_label(metric: Metric) -> AxisLabel:
    """Title, unit and better direction of a metric."""
    unit = f" [{metric.card.unit}]" if metric.card.unit else ""
    text = f"{metric.card.title}{unit} {ARROWS[metric.card.direction]}".rstrip()
    return AxisLabel(text, 0.0 if metric.card.direction == "zero" else None)
