"""How code from elsewhere is named: ``module:object``, ``FILE.py:object``, or an installed entry point."""

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
    """What an object is called where nobody gave it a name: the last part of its text."""
    return re.split(r"[:.]", text)[-1]


def anchored_object(text: str, folder: Path) -> str:
    """The same object for whoever works elsewhere: a file or module of this folder by its absolute path.

    Anything else, a module on Python's own path among it, stays as it is.
    """
    match = _OBJECT.fullmatch(text)
    if match is None:
        return text
    place = match["place"]
    if place.endswith(".py"):
        return f"{(folder / place).resolve()}:{match['object']}"
    beside = folder.joinpath(*place.split("."))
    for file in (beside.with_suffix(".py"), beside / "__init__.py"):
        if file.is_file():
            return f"{file.resolve()}:{match['object']}"
    return text


def anchored_reference(reference: Any, folder: Path) -> Any:
    """The same of a text or of a mapping with ``object``; what is neither stays as it is."""
    if isinstance(reference, dict) and isinstance(reference.get("object"), str):
        return {**reference, "object": anchored_object(reference["object"], folder)}
    return anchored_object(reference, folder) if isinstance(reference, str) else reference


def installed_objects(group: str, taken: Collection[str] = ()) -> dict[str, str]:
    """Name to ``module:object`` of the entry points of a group, without names that are taken by others."""
    points = entry_points(group=group)
    return {point.name: f"{point.module}:{point.attr}" for point in points if point.name not in taken}


@dataclass(frozen=True)
class ObjectReference:
    """Which metric, engine, dataset or protocol is meant; it can be compared, and travels to workers as it is."""

    text: str
    """An id, or somebody's own: ``FILE.py:object``, ``module:object``."""
    arguments: str = ""
    """JSON of what a class or function is called with; '' without any."""
    name: str = ""
    """What it is called, where it is not what it calls itself."""

    @property
    def args(self) -> dict[str, Any]:
        """What a class or function is called with."""
        arguments: dict[str, Any] = json.loads(self.arguments or "{}")
        return arguments


class _Mapping(Strict):
    object: str
    args: dict[str, Any] = Field(default_factory=dict)
    name: str = ""


def parse_object(
    reference: str | Mapping[str, Any] | ObjectReference, what: str, refusal: type[Exception]
) -> ObjectReference:
    """Read a reference: a text, or a mapping ``{object: ./mine.py:Blur, args: {radius: 2}, name: blur2}``.

    Args:
        reference: the text or the mapping.
        what: it names, such as "metric".
        refusal: the error to raise.

    Raises:
        refusal: a mapping with other keys, a name that cannot be one, or arguments that are no plain values.
    """
    if isinstance(reference, ObjectReference):
        return reference
    if isinstance(reference, str):
        return ObjectReference(reference)
    told = f"{what} {dict(reference)}"
    mapping = validated(_Mapping, dict(reference), told, refusal)
    if mapping.name and (problem := name_problem(mapping.name)):
        raise refusal(f"{what} '{ascii(mapping.name)[1:-1]}': its name {problem}; give it another one")
    try:
        arguments = json.dumps(mapping.args, sort_keys=True, allow_nan=False) if mapping.args else ""
    except (TypeError, ValueError) as error:
        raise refusal(f"{told}: 'args' must be numbers, texts, lists and mappings ({error})") from None
    return ObjectReference(mapping.object, arguments, mapping.name)
