"""What a reader of a table must know beside its numbers: what is missing or left out, and of which rows and devices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isinf
from typing import TYPE_CHECKING, Any

import pandas as pd

from .board import Board

if TYPE_CHECKING:
    from .column import Column

FEWEST_INTERVAL, FEWEST_TESTED, FEW = 5, 6, 30
"""Images: nothing has an interval below the first; no test can tell methods apart below the second; below the last,
readers are warned (``bench/analysis/statistics.py``)."""
INCOMPLETE = "†"
"""After the name of a method whose identity does not hold all of it."""


@dataclass(frozen=True)
class Problem:
    """A reason for which a method lacks values."""

    status: str
    count: int
    """Images, or cells of one metric."""
    place: tuple[str, ...]
    """Protocol where the board has several, dataset, method, and metric where others are not concerned."""
    message: str


def problems(board: Board) -> Iterator[Problem]:
    """What a board lacks, in words."""
    titles = dict(zip(board.metrics["metric"], board.metrics["title"], strict=True))
    several = board.scores["protocol"].nunique() > 1
    for (status, message), rows in board.problems.groupby(["status", "message"], sort=False):
        places: list[tuple[str, ...]] = [
            (
                str(row["protocol"]) if several else "",
                str(row["dataset"]),
                str(row["method"]),
                str(titles.get(row["metric"], row["metric"])),
            )
            for row in records(rows)
        ]
        counts = rows["count"].tolist()
        if status == "unavailable":  # a missing weight file is missing everywhere: once, with what all places share
            places = [tuple(names[0] if len(set(names)) == 1 else "" for names in zip(*places, strict=True))]
            counts = [sum(counts)]
        for place, count in zip(places, counts, strict=True):
            yield Problem(str(status), int(count), tuple(filter(None, place)), str(message))
    tables = set(zip(board.scores["protocol"], board.scores["dataset"], strict=True))
    for row in records(board.left_out):
        if (row["protocol"], row["dataset"]) not in tables:  # others stand under their table
            place = (str(row["protocol"]), str(row["dataset"]), str(row["method"]))
            yield Problem("left out", int(row["count"]), place, str(row["reason"]))


def clusters(board: Board, place: tuple[str, str], images: int) -> Iterator[str]:
    """A sentence where images are no independent samples; ``place``: protocol and dataset."""
    count = board.clusters.get(place)
    if count is not None and count < images:
        too_few = "" if count >= FEWEST_INTERVAL else f"; fewer than {FEWEST_INTERVAL} have no interval"
        count_text = "1 cluster" if count == 1 else f"{count} clusters"
        counted = f"intervals, marks and ranks count these{too_few}"
        yield f"The {images} images are {count_text} that belong together: {counted}."


def left_out(board: Board, protocol: str, dataset: str) -> Iterator[str]:
    """What a table leaves out, because it is out of date, in sentences."""
    titles = dict(zip(board.metrics["metric"], board.metrics["title"], strict=True))
    frame = board.left_out
    for row in records(frame[(frame["protocol"] == protocol) & (frame["dataset"] == dataset)]):
        subject = f"values of {titles.get(row['metric'], row['metric'])} of" if row["metric"] else "images of"
        yield f"{row['count']} of {row['total']} {subject} {row['method']} {row['reason']}."


def devices(board: Board, protocol: str, dataset: str) -> Iterator[str]:
    """A sentence on devices where the methods of a table ran on different ones: their times are no comparison."""
    frame = board.costs[(board.costs["protocol"] == protocol) & (board.costs["dataset"] == dataset)]
    if frame["devices"].nunique() > 1:
        groups = frame.groupby("devices", sort=False)["method"]
        methods_by_device = "; ".join(f"{name}: {', '.join(map(str, methods))}" for name, methods in groups)
        yield f"Time and memory were taken on different devices ({methods_by_device})."


def row_notes(
    method: str, card: Mapping[str, Any], scores: Mapping[str, Mapping[str, Any]], titles: Mapping[str, str]
) -> tuple[tuple[str, ...], str]:
    """Notes of a row, and the sign after its name.

    Args:
        method: name of the method.
        card: its row of ``Board.methods``.
        scores: its rows of ``Board.scores`` by metric.
        titles: titles of the metrics by id.
    """
    incomplete = str(card["incomplete"])
    notes = [f"{INCOMPLETE} {method}: {incomplete}."] if incomplete else []
    if card["family"] != "reference":  # HR equals itself
        for metric, title in titles.items():
            score = scores.get(metric, {})
            count = int(score.get("infinite", 0))
            treatment = "the mean is" if isinf(float(score.get("value", 0))) else "left out of the mean"
            if count:
                images = f"{count} image{'s' if count > 1 else ''}"
                notes.append(f"{title} of {method}: infinite on {images} equal to HR, {treatment}.")
    return tuple(notes), INCOMPLETE if incomplete else ""


def of_statistics(columns: Sequence[Column], images: int, tested: bool) -> Iterator[str]:
    """What marks and intervals of some columns are of, in sentences."""
    ranking = [column for column in columns if column.direction != "none"]
    for count in sorted({column.compared for column in ranking if 0 < column.compared < images}, reverse=True):
        titles = ", ".join(column.title for column in ranking if column.compared == count)
        too_few = "" if count >= FEWEST_TESTED or not tested else ", too few for significance tests"
        yield f"{titles}: marks over {count} of {images} images, those that all compared methods have{too_few}."
    for names in dict.fromkeys(column.left_out for column in ranking if column.left_out):
        titles = ", ".join(column.title for column in ranking if column.left_out == names)
        yield f"{titles}: too few images to compare {', '.join(names)} with the others."
    if sets := ", ".join(column.title for column in columns if column.of_sets):
        yield f"{sets}: of the whole set; intervals and test take the jackknife pseudo-values of its images."
    if images < FEWEST_INTERVAL:
        yield f"Fewer than {FEWEST_INTERVAL} images: no intervals, which could not hold what they promise."
    elif images < FEW:
        yield f"Fewer than {FEW} images: intervals of strongly skewed values cover about 90 % instead of 95 %."


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as mappings."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]
