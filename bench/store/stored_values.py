"""From the texts and bytes of a store's rows to values: a store may be damaged, or of somebody else's making."""

from __future__ import annotations

import json
import zlib
from functools import lru_cache
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...datasets.errors import BenchError
from ..metrics.card import MetricCard

if TYPE_CHECKING:
    from pydantic import BaseModel, TypeAdapter

_LARGEST_PAYLOAD = 2**26
"""Bytes; the largest that a metric stores (a confusion matrix of 1000 classes) has 8 MB."""


class DamagedRowError(BenchError, ValueError):
    """A row that no run wrote; the message says what is wrong with it."""


def parsed(text: object) -> dict[str, Any]:
    """A JSON object.

    Raises:
        DamagedRowError: it is none.
    """
    try:
        found = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise DamagedRowError("is no JSON object")
    return found


def method_card(text: object) -> dict[str, Any]:
    """The card of a row of the table of methods.

    Raises:
        DamagedRowError: it is none.
    """
    return _valid("method", parsed(text))


def run_spec(text: object) -> dict[str, Any]:
    """The spec of a row of the table of runs.

    Raises:
        DamagedRowError: it is none.
    """
    return _valid("spec", parsed(text))


def run_provenance(text: object) -> dict[str, Any]:
    """The provenance of a row of the table of runs.

    Raises:
        DamagedRowError: it is none.
    """
    return _valid("provenance", parsed(text))


def _valid(kind: str, fields: dict[str, Any]) -> dict[str, Any]:
    """Fields as they are, where those that readers use have the types in which runs write them."""
    from ...datasets.strict import validated

    validated(_models()[kind], fields, "is not as a run writes it", DamagedRowError)
    return fields


@lru_cache(maxsize=1)
def _models() -> dict[str, type[BaseModel]]:
    from pydantic import BaseModel, ConfigDict, Field

    class Row(BaseModel):
        model_config = ConfigDict(extra="allow", strict=True)

    class MethodRow(Row):
        family: str = ""
        version: str = ""
        incomplete: str = ""
        parameters: int | None = None
        steps: int | None = None

    class SpecRow(Row):
        name: str = ""
        protocol: str = ""
        methods: list[str | dict[str, Any]] = Field(default_factory=list)
        datasets: list[str | dict[str, Any]] = Field(default_factory=list)
        metrics: list[str] = Field(default_factory=list)

    class ProvenanceRow(Row):
        packages: dict[str, str] = Field(default_factory=dict)
        __pydantic_extra__: dict[str, str | int | float | None]

    return {"method": MethodRow, "spec": SpecRow, "provenance": ProvenanceRow}


def metric_card(id: object, version: object, text: object) -> MetricCard:
    """A row of the table of metrics.

    Raises:
        DamagedRowError: it is none.
    """
    from pydantic import ValidationError

    fields = {"title": id, **parsed(text), "id": id, "version": version}
    try:
        return _cards().validate_python(fields)
    except ValidationError as error:
        raise DamagedRowError(str(error.errors()[0]["msg"])) from None


@lru_cache(maxsize=1)
def _cards() -> TypeAdapter[MetricCard]:
    from pydantic import TypeAdapter

    return TypeAdapter(MetricCard)


def payload(dtype: object, shape: object, content: object) -> NDArray[Any]:
    """An array from the parts of its row; no more memory is taken than the declared shape needs.

    Raises:
        DamagedRowError: the parts do not fit each other, or are larger than any payload.
    """
    try:
        kind, sides = np.dtype(str(dtype)), json.loads(str(shape))
        if kind.kind not in "biuf" or not all(type(side) is int and side >= 0 for side in sides):
            raise DamagedRowError(f"is no array of numbers ({str(dtype)[:20]})")
        size = prod(sides) * kind.itemsize
        if size > _LARGEST_PAYLOAD:
            raise DamagedRowError(f"declares {size} bytes, more than any payload has ({_LARGEST_PAYLOAD})")
        raw = zlib.decompressobj().decompress(content, size + 1) if isinstance(content, bytes) else b""
        if len(raw) != size:
            raise DamagedRowError("has another size than it declares")
        return np.frombuffer(raw, dtype=kind).reshape(sides)
    except (zlib.error, TypeError, ValueError, RecursionError, OverflowError) as error:
        if isinstance(error, DamagedRowError):
            raise
        raise DamagedRowError(f"cannot be read ({error})") from None
