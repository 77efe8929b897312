"""What ``evaluate`` gives: the part of a store that was asked for, as frames, tables, pages and figures."""

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
    """Methods, metrics and datasets of one run, whatever else its store has; a notebook shows its tables."""

    store: Path
    """Folder of results."""
    summary: Summary
    """What the run measured, kept and lacks, with the reasons."""
    experiment: Experiment
    """What was run."""

    @cached_property
    def selection(self) -> Selection:
        """The part of the store that was asked for, in the order in which it was."""
        with open_store(self.store) as opened:
            known = {
                "method": {name for (name,) in opened.query("SELECT DISTINCT method FROM current_outputs")},
                "metric": {id for (id,) in opened.query("SELECT DISTINCT metric FROM current_cells")},
                "dataset": {name for (name,) in opened.query("SELECT DISTINCT dataset FROM current_outputs")},
            }
        return Selection(
            tuple(one.name for one in self.experiment.methods if one.name in known["method"]),
            tuple(one.id for one in self.experiment.metrics if one.id in known["metric"]),
            tuple(one.name for one in self.experiment.datasets if one.name in known["dataset"]),
            as_given=True,
        )

    @cached_property
    def board(self) -> Board:
        """Means, intervals, marks and ranks: what tables and pages are rendered from."""
        with open_store(self.store, selection=self.selection) as opened:
            return of_protocol(load_board(opened, title=self.experiment.spec.name), self.experiment.protocol.name)

    @property
    def scores(self) -> pd.DataFrame:
        """A row for each dataset, method and metric: value, 95 % interval, images, and what ``Board.scores`` has."""
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
        """A row for each image, method, seed and metric: value (NaN where there is none, and ``message`` why)."""
        with open_store(self.store, selection=self.selection) as opened:
            scores = rows_in_order(opened.scores(), opened)
        mine = scores[scores["protocol"] == self.experiment.protocol.name]
        return mine[_PER_IMAGE].reset_index(drop=True)

    def report(self, out: str | Path, formats: Sequence[str] = FORMATS, **options: Any) -> list[Path]:
        """Write ``leaderboard.{md,csv,tex,html}`` of what was asked for, and return the files.

        Args:
            out: folder for them.
            formats: of md, csv, tex, html.
            options: of ``write_reports``: ``title``, ``published``, ``template``.
        """
        return write_reports(self.store, Path(out), formats, selection=self.selection, **options)

    def __repr__(self) -> str:
        return f"{self.board.title} under {self.experiment.protocol.name}, store {self.store}\n{self.table}"

    def _repr_html_(self) -> str:
        return to_notebook(self.board)
