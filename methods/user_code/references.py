"""References to user code: ``module:object``, ``FILE.py:object``, or an installed entry point."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from pydantic import Field

from ...datasets.names import name_problem
from ...datasets.strict import Strict, validated

_DOTTED = r"[^\W\d]\w*(\.[^\W\d]\w*)*"
_OBJECT = re.compile(rf"(?P<place>.+\.py|{_DOTTED}):(?P<object>{_DOTTED})")


def is_object(text: str) -> bool:
    """Whether a text has the form ``FILE.py:object`` or ``module:object``."""
    return _OBJECT.fullmatch(text) is not None


def object_name(text: str) -> str:
    """Default name of an object: the last part of its reference."""
    return re.split(r"[:.]", text)[-1]


def anchored_object(text: str, folder: Path) -> str:
    """The same reference with a file or module of this folder replaced by its absolute path.

    Anything else, such as a module on Python's own path, is returned unchanged.
    """
    match = _OBJECT.fullmatch(text)
    if match is None:
        return text
    place = match["place"]
    if place.endswith(".py"):
        return f"{(folder / place).resolve()}:{match['object']}"
    module_path = folder.joinpath(*place.split("."))
    for file in (module_path.with_suffix(".py"), module_path / "__init__.py"):
        if file.is_file():
            return f"{file.resolve()}:{match['object']}"
    return text


def anchored_reference(reference: Any, folder: Path) -> Any:
    """``anchored_object`` for a text or for a mapping with ``object``; anything else is returned unchanged."""
    if isinstance(reference, dict) and isinstance(reference.get("object"), str):
        return {**reference, "object": anchored_object(reference["object"], folder)}
    return anchored_object(reference, folder) if isinstance(reference, str) else reference


def installed_objects(group: str, reserved: Collection[str] = ()) -> dict[str, str]:
    """Entry points of a group as name to ``module:object``, without the reserved names."""
    points = entry_points(group=group)
    return {point.name: f"{point.module}:{point.attr}" for point in points if point.name not in reserved}


@dataclass(frozen=True)
class ObjectReference:
    """A reference to a metric, engine, dataset or protocol. It can be compared, and workers receive it unchanged."""

    text: str
    """An id, or user code as ``FILE.py:object`` or ``module:object``."""
    arguments: str = ""
    """Keyword arguments for a class or function, as JSON; '' without any."""
    name: str = ""
    """Name that the user chose; '': the object's own name."""

    @property
    def args(self) -> dict[str, Any]:
        """Keyword arguments for a class or function."""
        arguments: dict[str, Any] = json.loads(self.arguments or "{}")
        return arguments


class _Mapping(Strict):
    object: str
    args: dict[str, Any] = Field(default_factory=dict)
    name: str = ""


def parse_object(
    reference: str | Mapping[str, Any] | ObjectReference, kind: str, refusal: type[Exception]
) -> ObjectReference:
    """Read a reference: a text, or a mapping ``{object: ./mine.py:Blur, args: {radius: 2}, name: blur2}``.

    Args:
        reference: the text or the mapping.
        kind: what the reference names, such as "metric"; for errors.
        refusal: type of the error to raise.

    Raises:
        refusal: a mapping has unknown keys, an unusable name, or arguments that are not plain values.
    """
    if isinstance(reference, ObjectReference):
        return reference
    if isinstance(reference, str):
        return ObjectReference(reference)
    origin = f"{kind} {dict(reference)}"
    mapping = validated(_Mapping, dict(reference), origin, refusal)
    if mapping.name and (problem := name_problem(mapping.name)):
        raise refusal(f"{kind} '{ascii(mapping.name)[1:-1]}': its name {problem}; give it another one")
    try:
        arguments = json.dumps(mapping.args, sort_keys=True, allow_nan=False) if mapping.args else ""
    except (TypeError, ValueError) as error:
        raise refusal(f"{origin}: 'args' must be numbers, texts, lists and mappings ({error})") from None
    return ObjectReference(mapping.object, arguments, mapping.name)
