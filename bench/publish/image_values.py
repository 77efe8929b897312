"""Values of single images for a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...reports.board import Board, Example, ImageValues

MOST_VALUES = 300_000
"""Largest number of values in a page, about 2 MiB (20 methods, 1,000 images, 15 metrics); with more, a page has fewer
images."""


def image_values(
    scores: pd.DataFrame, board: Board, shown: Iterable[Example] = (), most: int = MOST_VALUES
) -> list[ImageValues]:
    """Values of every image of a board, or of as many images as a page can contain.

    Args:
        scores: scores of the board's store, see ``scores_of``.
        board: methods, metrics and datasets of the page.
        shown: images in the page's gallery, which are preferred.
        most: largest number of values.
    """
    scores = scores[scores["value"].notna() & scores["method"].isin(board.methods["method"])]
    sets = [(str(protocol), str(dataset)) for protocol, dataset in board.rules]
    parts = {place: rows for place, rows in scores.groupby(["protocol", "dataset"], sort=False) if place in sets}
    total = sum(
        rows["image"].nunique() * rows["method"].nunique() * rows["metric"].nunique() for rows in parts.values()
    )
    pictured: dict[tuple[str, str], list[str]] = {}
    for example in shown:
        pictured.setdefault((example.protocol, example.dataset), []).append(example.image)
    zero = set(board.metrics["metric"][board.metrics["direction"] == "zero"])
    return [
        _of_set(
            place, parts[place], pictured.get(place, []), min(1.0, most / total), list(board.metrics["metric"]), zero
        )
        for place in sets
        if place in parts
    ]


def _of_set(
    place: tuple[str, str], rows: pd.DataFrame, first: Sequence[str], share: float, order: Sequence[str], zero: set[str]
) -> ImageValues:
    """Values of one set: of the share ``share`` of its images, of which those in ``first`` are preferred."""
    images = [str(image) for image in rows["image"].unique()]
    count = len(images)
    if share < 1:
        chosen = [*dict.fromkeys([*first, *images])][: max(1, int(count * share))]
        images = sorted(set(chosen) & set(images))
        rows = rows[rows["image"].isin(images)]
    value = rows["value"].where(~rows["metric"].isin(zero), rows["value"].abs())
    means = rows.assign(value=value).groupby(["metric", "method", "image"], sort=False)["value"].mean().reset_index()
    at = {image: number for number, image in enumerate(images)}
    values: dict[str, dict[str, NDArray[np.float64]]] = {
        metric: {} for metric in order if metric in set(rows["metric"])
    }
    for (metric, method), part in means.groupby(["metric", "method"], sort=False):
        of_method = np.full(len(images), np.nan)
        of_method[[at[str(image)] for image in part["image"]]] = part["value"].to_numpy()
        values[str(metric)][str(method)] = of_method
    return ImageValues(*place, tuple(images), values, count)
