"""In which order tables, pages and figures show methods, metrics and datasets."""

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
    """As the specs list them, the latest first; then what they do not name, numbers in it by their value.

    As given, those that were chosen come first, in their order.
    """
    listed = [reference for run in reversed(store.runs()) for reference in run.spec.methods]
    wanted = [store.selection.shown(name) for name in map(name_of, listed)]
    if store.selection.as_given:
        wanted = [*map(store.selection.shown, store.selection.methods), *wanted]
    return _by_place(names, wanted)


def metrics_in_order(metrics: Mapping[str, Metric], store: Store) -> list[Metric]:
    """Metrics by id as ``metrics_of`` puts them; as given, the chosen ones first, then as the specs list them."""
    if not store.selection.as_given:
        return list(metrics.values())
    listed = [reference for run in reversed(store.runs()) for reference in run.spec.metrics]
    wanted = [*store.selection.metrics, *listed]
    places = _places(stored_id(reference, metrics) for reference in wanted)
    return sorted(metrics.values(), key=lambda metric: places.get(metric.id, len(wanted)))


def in_order_of_datasets(frame: pd.DataFrame, store: Store) -> pd.DataFrame:
    """Rows of a store, by dataset: as it gives them; as given, those that were chosen first, then as the specs list
    them. Protocols stay together."""
    if not store.selection.as_given:
        return frame
    return _sorted(frame, {"protocol": _places(frame["protocol"]), "set": _dataset_places(store)})


def rows_in_order(scores: pd.DataFrame, store: Store) -> pd.DataFrame:
    """Cells of a store in the order in which it gives them; as given, by dataset, image, method, seed and metric."""
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
    """Rows by the places of what columns have; what has no place comes last, in the order in which it comes."""
    keys = pd.DataFrame({name: frame[name].map(own).fillna(len(own)) for name, own in places.items()})
    return frame.iloc[keys.reset_index(drop=True).sort_values(list(places), kind="stable").index].reset_index(drop=True)


def _dataset_places(store: Store) -> dict[str, int]:
    listed = [_dataset_name(reference) for run in reversed(store.runs()) for reference in run.spec.datasets]
    return _places([*store.selection.datasets, *listed])


def datasets_in_order(frame: pd.DataFrame, store: Store) -> list[str]:
    """Names of the datasets of rows that ``in_order_of_datasets`` gave, as tables have them."""
    names = dict.fromkeys(map(str, frame["dataset"]))
    return list(names) if store.selection.as_given else sorted(names)


def _dataset_name(reference: str | Mapping[str, Any]) -> str:
    """What tables call a dataset of a spec, as far as its reference tells."""
    if isinstance(reference, str):
        return reference.partition("=")[0].removesuffix(".yaml").rpartition("/")[2]
    return str(reference.get("name") or object_name(str(reference.get("object", ""))))


def _by_place(names: Iterable[str], wanted: Iterable[str]) -> list[str]:
    places = _places(wanted)
    return sorted(names, key=lambda name: (places.get(name, len(places)), _natural(name)))


def _places(names: Iterable[Any]) -> dict[Any, int]:
    """The first place of each name."""
    return {name: place for place, name in enumerate(dict.fromkeys(names))}


def _natural(name: str) -> list[tuple[str, int]]:
    return [(text, int(digits or -1)) for text, digits in re.findall(r"(\D*)(\d*)", name)]
