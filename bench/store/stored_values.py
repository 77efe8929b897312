"""Parse the texts and bytes in a store's rows strictly, since a store may be damaged or manipulated."""

from __future__ import annotations

import json
import zlib
from dataclasses import MISSING, fields
from functools import lru_cache
from math import prod
from typing import TYPE_CHECKING, Any, TypeVar, cast, get_type_hints

import numpy as np
from numpy.typing import NDArray

from ...datasets.errors import BenchError
from ..metrics.card import MetricCard

if TYPE_CHECKING:
    from pydantic import BaseModel, TypeAdapter

Record = TypeVar("Record")

_LARGEST_PAYLOAD = 2**26
"""Largest payload in bytes; the largest that a metric stores (a confusion matrix of 1000 classes) has 8 MB."""


class DamagedRowError(BenchError, ValueError):
    """A row is damaged, or was not written by a run; the message says what is wrong with it."""


def parsed(text: object) -> dict[str, Any]:
    """A JSON object.

    Raises:
        DamagedRowError: it is none.
    """
    try:
        content = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise DamagedRowError("is no JSON object")
    return content


def from_text(kind: type[Record], text: object, **columns: Any) -> Record:
    """A record from the JSON of its row: fields with a default are keys of the JSON, the others are columns.

    Raises:
        DamagedRowError: the text is not a JSON object, or a value has another type than the field.
    """
    from ...datasets.strict import validated

    model = validated(_model_of(cast(Any, kind)), parsed(text), "is not as a run writes it", DamagedRowError)
    return kind(**columns, **dict(model))


@lru_cache(maxsize=8)
def _model_of(kind: type) -> type[BaseModel]:
    from pydantic import ConfigDict, Field, create_model

    hints = get_type_hints(kind)
    keys: dict[str, Any] = {}
    for entry in fields(kind):
        if entry.default is not MISSING:
            keys[entry.name] = hints[entry.name], entry.default
        elif entry.default_factory is not MISSING:
            keys[entry.name] = hints[entry.name], Field(default_factory=entry.default_factory)
    return create_model(kind.__name__, __config__=ConfigDict(strict=True), **keys)


def metric_card(id: object, version: object, text: object) -> MetricCard:
    """The card of a metric from a row of the table of metrics.

    Raises:
        DamagedRowError: the row is not a card.
    """
    from pydantic import ValidationError

    card = {"title": id, **parsed(text), "id": id, "version": version}
    try:
        return _cards().validate_python(card)
    except ValidationError as error:
        raise DamagedRowError(str(error.errors()[0]["msg"])) from None


@lru_cache(maxsize=1)
def _cards() -> TypeAdapter[MetricCard]:
    from pydantic import TypeAdapter

    return TypeAdapter(MetricCard)


def payload(dtype: object, shape: object, content: object) -> NDArray[Any]:
    """An array from the columns of its row; decompression takes no more memory than the declared shape needs.

    Raises:
        DamagedRowError: the columns do not fit together, or the array is larger than any payload.
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
