"""Compare methods of a store and draw its figures, from Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..analysis.compare import compare_methods
from ..publish.figures.write import write_figures
from ..store.selection import Selection

if TYPE_CHECKING:
    import pandas as pd


def compare(
    store: str | Path,
    first: str,
    second: str,
    *,
    metrics: Sequence[str] | None = None,
    datasets: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Compare two methods of a store image by image.

    Args:
        store: folder of results.
        first: name of a method.
        second: name of the method that it is compared with.
        metrics: ids of metrics; default: all.
        datasets: names of datasets; default: all.

    Returns:
        A row for each dataset, protocol and metric: mean of first minus second, its 95 % interval, p-value
        (permutation test, Holm over the rows), effect size, share of images on which the first is better, images, and
        the method that is better (``-``: the difference is not significant).

    Raises:
        ComparisonError: the store does not have a method or metric.
        StoreError: the folder is not a store.
    """
    import pandas as pd

    rows = compare_methods(Path(store), first, second, metrics=metrics, datasets=datasets)
    return pd.DataFrame(
        {
            "dataset": row.dataset,
            "protocol": row.protocol,
            "metric": row.metric,
            "difference": row.result.difference,
            "ci_low": row.result.low,
            "ci_high": row.result.high,
            "p": row.p,
            "effect": row.result.effect,
            "wins": row.wins,
            "n": row.result.n,
            "better": row.better,
        }
        for row in rows
    )


def figures(
    store: str | Path | None,
    kinds: str | Sequence[str],
    out: str | Path,
    *,
    metrics: Sequence[str] = (),
    names: Mapping[str, str] | None = None,
    **options: Any,
) -> list[Path]:
    """Draw figures of a store, and return the files.

    Args:
        store: folder of results; None for kinds that need no store.
        kinds: one or several kinds of ``asasr-bench list figures``.
        out: folder for the files.
        metrics: ids of the metrics to draw, in this order; default: the metrics that suit each kind.
        names: name of a method in the store to its name in the figures.
        options: keys of the kinds, such as ``columns=2``, ``methods=[...]``, ``datasets=[...]``.

    Raises:
        FormatError: a kind or option does not exist.
        StoreError: the folder is not a store, or lacks what a figure shows.
    """
    kind_names = [kinds] if isinstance(kinds, str) else list(kinds)
    root = None if store is None else Path(store)
    return write_figures(root, kind_names, Path(out), options, metrics=metrics, selection=Selection(names=names or {}))
