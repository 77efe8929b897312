"""Put what others published beside what was measured: same dataset, LQ and protocol, or not at all."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from ..methods.published import PublishedValue, published_tables, published_values
from ..reports.board import PUBLISHED_COLUMNS, Board

_KINDS = {"print": "", "log": "", "quoted": ", not checked against the paper"}


def with_published(board: Board, outputs: pd.DataFrame) -> Board:
    """The board with the published values that may stand beside its own.

    A set matches by the name of its card, scale, origin of LQ, number of images and protocol.

    Args:
        outputs: the store's outputs under the board's names of datasets.
    """
    places = {
        (str(protocol), str(dataset)): (set(part["scale"]), set(part["lq_rule"]), part["image"].nunique())
        for (protocol, dataset), part in outputs.groupby(["protocol", "dataset"], sort=False)
    }
    rows = []
    for (protocol, dataset), (scales, rules, images) in places.items():
        found = [
            value
            for value in published_values()
            if value.protocol == protocol
            and dataset in (value.dataset, f"{value.dataset} x{value.scale}")
            and scales == {value.scale}
            and rules == {value.lq}
            and value.images in (None, images)
        ]
        rows += [
            (dataset, protocol, value.method, value.metric, value.value, value.table, _disputed(value, found))
            for value in found
        ]
    sources = {id: f"{table.source}{_KINDS[table.kind]}" for id, table in published_tables().items()}
    return replace(board, published=pd.DataFrame(rows, columns=PUBLISHED_COLUMNS), sources=sources)


def _disputed(value: PublishedValue, others: list[PublishedValue]) -> bool:
    """Whether another source contradicts it."""
    return any(
        other.method == value.method and other.metric == value.metric and value.contradicts(other) for other in others
    )


def no_published(board: Board) -> str:
    """Why a board has no published values, and which sets have some."""
    protocols = set(board.scores["protocol"])
    known = {f"{value.dataset} ({value.protocol})" for value in published_values() if value.protocol in protocols}
    sets = ", ".join(sorted(known)) or "none under its protocols"
    return (
        "nobody's published values fit its datasets; a set must have the name, scale, LQ and number of images of one of"
        f" these: {sets}. Leave --published out, or name the dataset so"
    )
