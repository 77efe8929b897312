"""From what is given in Python to the references of a spec, and to the objects that have no reference."""

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
    """References of methods, and those that are objects of this session by their names; None where none are given.

    Raises:
        MethodError, SpecError: something that is no method.
    """
    if methods is None:
        return None, {}
    references: list[Reference] = []
    own: dict[str, MethodEntry] = {}
    for name, value in _named(methods):
        if isinstance(value, str | os.PathLike | Mapping):
            references.append(_called(name, value))
            continue
        called = name or _name_of(value)
        if called in own:
            raise SpecError(f"two methods are called '{called}'; give them in a mapping by name")
        own[called] = entry_of(called, value)
        references.append({"name": called, "id": f"{PREFIX}{called}"})
    return references, own


def metrics_of(metrics: object) -> tuple[list[Reference] | None, dict[str, Metric]]:
    """The same of metrics.

    Raises:
        MetricError: something that is no metric.
    """
    if metrics is None:
        return None, {}
    references: list[Reference] = []
    own: dict[str, Metric] = {}
    for name, value in _named(metrics):
        if isinstance(value, str | Mapping) and not name:
            references.append(value if isinstance(value, str) else dict(value))
            continue
        if isinstance(value, str | Mapping):
            raise SpecError(f"metric '{name}': metrics are given in a list; they have names of their own")
        metric = metric_of(value, name)
        own[metric.id] = metric
        references.append(f"{PREFIX}{metric.id}")
    return references, own


def datasets_of(datasets: object) -> list[Reference] | None:
    """References of datasets; None where none are given."""
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


def _named(given: object) -> Iterable[tuple[str, Any]]:
    """Each of several with its name, '' without one; a mapping is always one by names."""
    if isinstance(given, Mapping):
        return [(str(name), value) for name, value in given.items()]
    if isinstance(given, list | tuple | set | frozenset):
        return [("", value) for value in given]
    return [("", given)]


def _called(name: str, value: str | os.PathLike[str] | Mapping[str, Any]) -> Reference:
    reference = dict(value) if isinstance(value, Mapping) else os.fspath(value)
    if not name:
        return reference
    return {**parse_reference(reference).changed_fields(), "name": name}


def _name_of(value: object) -> str:
    card = getattr(value, "card", None)
    return str(getattr(card, "id", "") or getattr(value, "__name__", "") or type(value).__name__)
