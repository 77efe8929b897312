"""The order of methods, metrics and datasets in tables, pages and figures."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from ...methods.reference import name_of
from ...methods.user_code.references import object_name
from ..metrics.metric import Metric
from ..metrics.registry import metrics_of, stored_id
from ..store.store import Store


def methods_in_order(names: Iterable[str], store: Store) -> list[str]:
    """Names of methods in the order of the specs, the latest spec first; then the others, with numbers by their value.

    With the order ``as-given``, the methods that the user selected come first, in the order of the selection.
    """
    listed = [reference for run in reversed(store.runs()) for reference in run.spec.methods]
    listed_names = [store.selection.shown(name) for name in map(name_of, listed)]
    if store.selection.as_given:
        listed_names = [*map(store.selection.shown, store.selection.methods), *listed_names]
    return _by_place(names, listed_names)


def metrics_in_order(metrics: Mapping[str, Metric], store: Store) -> list[Metric]:
    """Metrics in the order of ``metrics_of``; ``as-given``: the selected ones first, then in the order of the specs."""
    if not store.selection.as_given:
        return list(metrics.values())
    listed = [reference for run in reversed(store.runs()) for reference in run.spec.metrics]
    references = [*store.selection.metrics, *listed]
    places = _places(stored_id(reference, metrics) for reference in references)
    return sorted(metrics.values(), key=lambda metric: places.get(metric.id, len(references)))


def in_order_of_datasets(frame: pd.DataFrame, store: Store) -> pd.DataFrame:
    """Rows of a store in the order of the store.

    With the order ``as-given``: by dataset, the selected ones first, then in the order of the specs. Rows of a protocol
    stay together.
    """
    if not store.selection.as_given:
        return frame
    return _sorted(frame, {"protocol": _places(frame["protocol"]), "set": _dataset_places(store)})


def rows_in_order(scores: pd.DataFrame, store: Store) -> pd.DataFrame:
    """Cells in the order of the store; ``as-given``: by dataset, image, method, seed and metric."""
    if not store.selection.as_given:
        return scores
    ids = list(dict.fromkeys(scores["metric"]))
    places = {
        "protocol": _places(scores["protocol"]),
        "dataset": _dataset_places(store),
        "image": _places(scores["image"]),
        "method": _places(methods_in_order(dict.fromkeys(scores["method"]), store)),
        "seed": _places(sorted(set(scores["seed"]))),
        "metric": _places(metric.id for metric in metrics_in_order(metrics_of(ids, store.metrics()), store)),
    }
    return _sorted(scores, places)


def _sorted(frame: pd.DataFrame, places: Mapping[str, Mapping[Any, int]]) -> pd.DataFrame:
    """Rows sorted by the place of each column's value; values without a place come last, in their present order."""
    keys = pd.DataFrame({name: frame[name].map(of_column).fillna(len(of_column)) for name, of_column in places.items()})
    return frame.iloc[keys.reset_index(drop=True).sort_values(list(places), kind="stable").index].reset_index(drop=True)


def _dataset_places(store: Store) -> dict[str, int]:
    listed = [_dataset_name(reference) for run in reversed(store.runs()) for reference in run.spec.datasets]
    return _places([*store.selection.datasets, *listed])


def datasets_in_order(frame: pd.DataFrame, store: Store) -> list[str]:
    """Names of the datasets of rows from ``in_order_of_datasets``, in the order of tables."""
    names = dict.fromkeys(map(str, frame["dataset"]))
    return list(names) if store.selection.as_given else sorted(names)


def _dataset_name(reference: str | Mapping[str, Any]) -> str:
    """Name of a dataset in tables, as far as its reference in a spec says it."""
    if isinstance(reference, str):
        return reference.partition("=")[0].removesuffix(".yaml").rpartition("/")[2]
    return str(reference.get("name") or object_name(str(reference.get("object", ""))))


def _by_place(names: Iterable[str], order: Iterable[str]) -> list[str]:
    places = _places(order)
    return sorted(names, key=lambda name: (places.get(name, len(places)), _natural(name)))


def _places(names: Iterable[Any]) -> dict[Any, int]:
    """The place of the first occurrence of each name."""
    return {name: place for place, name in enumerate(dict.fromkeys(names))}


def _natural(name: str) -> list[tuple[str, int]]:
    return [(text, int(digits or -1)) for text, digits in re.findall(r"(\D*)(\d*)", name)]
