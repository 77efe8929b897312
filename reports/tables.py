"""The board as CSV, Markdown and LaTeX."""

from __future__ import annotations

import pandas as pd

from .board import Board
from .escaping import csv
from .table_template import shipped_template

_COSTS = ("seconds", "memory", "macs", "activations", "lq_size")
CSV_COLUMNS = [
    *("dataset", "method", "metric", "protocol", "value", "ci_low", "ci_high", "n", "direction"),
    *("set_images", "infinite", *_COSTS, "identity"),
]


def to_markdown(board: Board) -> str:
    """Average ranks, one table per dataset and protocol, then problems and provenance."""
    return shipped_template("md").render(board)


def to_latex(board: Board) -> str:
    """One booktabs table per dataset and protocol; its first lines say what the preamble needs."""
    return shipped_template("tex").render(board)


def to_wide_latex(board: Board) -> str:
    """One booktabs table per protocol, methods by datasets; its first lines say what the preamble needs."""
    return shipped_template("tex", "leaderboard-wide").render(board)


def to_csv(board: Board) -> str:
    """One line per mean, at full precision; empty where there is none. Costs are the method's on that set.

    With published values, a last column names the source of each; it is empty for what was measured here.
    """
    measured = _with_columns(board)
    if board.published.empty:
        return csv_text(measured)
    directions = board.metrics.set_index("metric")["direction"]
    claims = board.published[board.published["metric"].isin(directions.index)]
    claims = claims.assign(direction=claims["metric"].map(directions), source=claims["source"].map(board.sources))
    columns = [*CSV_COLUMNS, "source"]
    claimed = csv_text(claims.reindex(columns=columns))
    return csv_text(measured.reindex(columns=columns)) + claimed[claimed.index("\n") + 1 :]


def _with_columns(board: Board) -> pd.DataFrame:
    """Scores with the size of the whole set, what the method took there, and what its identity lacks."""
    place = ["protocol", "dataset", "method"]
    frame = board.scores.merge(board.costs[[*place, *_COSTS]], "left", place)
    pairs = zip(frame["protocol"], frame["dataset"], frame["n"], strict=True)
    frame["set_images"] = [board.whole.get((protocol, dataset), n) for protocol, dataset, n in pairs]
    incomplete = dict(zip(board.methods["method"], board.methods["incomplete"], strict=True))
    frame["identity"] = [incomplete.get(method, "") for method in frame["method"]]
    return frame.reindex(columns=CSV_COLUMNS).astype({"macs": "Int64", "activations": "Int64"})


def csv_text(frame: pd.DataFrame) -> str:
    """A frame as CSV whose texts no spreadsheet takes for formulas."""
    texts = frame.select_dtypes(["object", "string"])
    safe = {str(name): column.map({text: csv(text) for text in column.unique()}) for name, column in texts.items()}
    return frame.assign(**safe).to_csv(index=False, lineterminator="\n")
