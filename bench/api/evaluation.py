"""The result of ``evaluate``: the part of a store that the spec names, as data frames, tables and pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...reports.board import Board
from ...reports.notebook import to_notebook
from ..analysis.leaderboard import load_board
from ..analysis.order import rows_in_order
from ..publish.formats import FORMATS
from ..publish.leaderboards import of_protocol, write_reports
from ..store.selection import Selection
from ..store.store import open_store

if TYPE_CHECKING:
    import pandas as pd

    from ..execute.run import Summary
    from ..plan.experiment import Experiment

_PER_IMAGE = ["dataset", "image", "method", "seed", "metric", "protocol", "value", "status", "message"]


@dataclass(frozen=True)
class Evaluation:
    """Results of the methods, metrics and datasets of one run, even if its store has more.

    Notebooks show its tables.
    """

    store: Path
    """Folder of results."""
    summary: Summary
    """Numbers of cells that the run measured, kept and could not measure, with the reasons."""
    experiment: Experiment
    """The methods, metrics, datasets and protocol of the run."""

    @cached_property
    def selection(self) -> Selection:
        """The part of the store that belongs to the run, in the order of the spec."""
        with open_store(self.store) as opened:
            known = {
                "method": {name for (name,) in opened.query("SELECT DISTINCT method FROM current_outputs")},
                "metric": {id for (id,) in opened.query("SELECT DISTINCT metric FROM current_cells")},
                "dataset": {name for (name,) in opened.query("SELECT DISTINCT dataset FROM current_outputs")},
            }
        return Selection(
            tuple(method.name for method in self.experiment.methods if method.name in known["method"]),
            tuple(metric.id for metric in self.experiment.metrics if metric.id in known["metric"]),
            tuple(dataset.name for dataset in self.experiment.datasets if dataset.name in known["dataset"]),
            as_given=True,
        )

    @cached_property
    def board(self) -> Board:
        """Means, intervals, marks and ranks, from which tables and pages are rendered."""
        with open_store(self.store, selection=self.selection) as opened:
            return of_protocol(load_board(opened, title=self.experiment.spec.name), self.experiment.protocol.name)

    @property
    def scores(self) -> pd.DataFrame:
        """A row for each dataset, method and metric: value, 95 % interval and the other columns of ``Board.scores``."""
        return self.board.scores

    @property
    def table(self) -> pd.DataFrame:
        """Means: methods as rows, a column for each dataset and metric."""
        scores = self.board.scores
        wide = scores.pivot(index="method", columns=["dataset", "metric"], values="value")
        columns = scores[["dataset", "metric"]].drop_duplicates().itertuples(index=False, name=None)
        return wide.loc[list(self.board.methods["method"]), list(columns)]

    @cached_property
    def per_image(self) -> pd.DataFrame:
        """A row for each image, method, seed and metric; if ``value`` is NaN, ``message`` has the reason."""
        with open_store(self.store, selection=self.selection) as opened:
            scores = rows_in_order(opened.scores(), opened)
        own_rows = scores[scores["protocol"] == self.experiment.protocol.name]
        return own_rows[_PER_IMAGE].reset_index(drop=True)

    def report(self, out: str | Path, formats: Sequence[str] = FORMATS, **options: Any) -> list[Path]:
        """Write ``leaderboard.{md,csv,tex,html}``, and return the files.

        Args:
            out: folder for the files.
            formats: some of md, csv, tex, html.
            options: options of ``write_reports``: ``title``, ``published``, ``template``.
        """
        return write_reports(self.store, Path(out), formats, selection=self.selection, **options)

    def __repr__(self) -> str:
        return f"{self.board.title} under {self.experiment.protocol.name}, store {self.store}\n{self.table}"

    def _repr_html_(self) -> str:
        return to_notebook(self.board)
