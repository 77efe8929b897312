"""Convert methods, metrics and datasets that are given in Python to references of a spec and objects of the session."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from ...methods.entry import MethodEntry
from ...methods.reference import parse_reference
from ...methods.user_code.session import PREFIX, entry_of
from ..metrics.metric import Metric
from ..metrics.session import metric_of
from ..spec import SpecError

Reference = str | dict[str, Any]


def methods_of(methods: object) -> tuple[list[Reference] | None, dict[str, MethodEntry]]:
    """References of methods, and methods that are Python objects by name; the references are None without methods.

    Raises:
        MethodError, SpecError: a value is not a method.
    """
    if methods is None:
        return None, {}
    references: list[Reference] = []
    session_methods: dict[str, MethodEntry] = {}
    for name, value in _named(methods):
        if isinstance(value, str | os.PathLike | Mapping):
            references.append(_called(name, value))
            continue
        called = name or _name_of(value)
        if called in session_methods:
            raise SpecError(f"two methods are called '{called}'; give them in a mapping by name")
        session_methods[called] = entry_of(called, value)
        references.append({"name": called, "id": f"{PREFIX}{called}"})
    return references, session_methods


def metrics_of(metrics: object) -> tuple[list[Reference] | None, dict[str, Metric]]:
    """References of metrics, and metrics that are Python objects by id; the references are None without metrics.

    Raises:
        MetricError: a value is not a metric.
    """
    if metrics is None:
        return None, {}
    references: list[Reference] = []
    session_metrics: dict[str, Metric] = {}
    for name, value in _named(metrics):
        if isinstance(value, str | Mapping) and not name:
            references.append(value if isinstance(value, str) else dict(value))
            continue
        if isinstance(value, str | Mapping):
            raise SpecError(f"metric '{name}': metrics are given in a list; they have names of their own")
        metric = metric_of(value, name)
        session_metrics[metric.id] = metric
        references.append(f"{PREFIX}{metric.id}")
    return references, session_metrics


def datasets_of(datasets: object) -> list[Reference] | None:
    """References of datasets; None without datasets."""
    if datasets is None:
        return None
    references: list[Reference] = []
    for name, value in _named(datasets):
        if isinstance(value, Mapping):
            references.append({**value, **({"name": name} if name else {})})
        elif isinstance(value, str | os.PathLike):
            references.append(f"{name}={os.fspath(value)}" if name else os.fspath(value))
        elif isinstance(value, tuple | list) and name and len(value) == 2:
            lq, hr = (None if side is None else os.fspath(side) for side in value)
            references.append({"name": name, "lq": lq, "hr": hr})
        else:
            raise SpecError(
                f"dataset {value!r}: expected a text such as 'Set5=HR_DIR', a mapping, or by name a folder or a pair"
                " (LQ, HR) of folders"
            )
    return references


def _named(values: object) -> Iterable[tuple[str, Any]]:
    """Each value with its name, '' without a name; a mapping always has the names as keys."""
    if isinstance(values, Mapping):
        return [(str(name), value) for name, value in values.items()]
    if isinstance(values, list | tuple | set | frozenset):
        return [("", value) for value in values]
    return [("", values)]


def _called(name: str, value: str | os.PathLike[str] | Mapping[str, Any]) -> Reference:
    reference = dict(value) if isinstance(value, Mapping) else os.fspath(value)
    if not name:
        return reference
    return {**parse_reference(reference).changed_fields(), "name": name}


def _name_of(value: object) -> str:
    card = getattr(value, "card", None)
    return str(getattr(card, "id", "") or getattr(value, "__name__", "") or type(value).__name__)
