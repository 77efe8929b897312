"""Strict reading of YAML and JSON from outside: plain values, no unknown keys, and one form of error messages.

Every message reads ``FILE: 'place': cause; did you mean 'name'?``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from math import inf
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from .errors import BenchError
from .names import did_you_mean

_LONGEST = 4 << 20
_DEEPEST = 40
_MOST_NODES = 200_000
_MOST_TOLD = 5
"""How many problems of a file a message lists."""

Model = TypeVar("Model", bound=BaseModel)


class YamlError(BenchError, ValueError):
    """Text that is no YAML of plain values; the message names its origin, the cause and the remedy."""


class Strict(BaseModel):
    """Base of all models that are read from text: unknown keys and values of other types are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def read_file(path: Path, refusal: type[Exception] = YamlError) -> str:
    """The text of a file in UTF-8.

    Raises:
        refusal: it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise refusal(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise refusal(f"{path}: cannot be read as text in UTF-8 ({error})") from None


def read_yaml(text: str, origin: object, refusal: type[Exception] = YamlError) -> Any:
    """The value of one YAML document.

    Args:
        origin: what errors name.
        refusal: the error to raise.

    Raises:
        refusal: not YAML, a key that is there twice, too long or deeply nested, or aliases that expand to more than can
            be meant: a few lines of nested aliases stand for gigabytes.
    """
    if len(text) > _LONGEST:
        raise refusal(f"{origin}: has {len(text)} signs, more than the {_LONGEST} that are read")
    try:
        loader = _PlainLoader(text)
        node = loader.get_single_node()
        if node is not None:
            _require_bounds(node)
        return None if node is None else loader.construct_document(node)
    except RecursionError:
        raise refusal(f"{origin}: not valid YAML: nested more than {_DEEPEST} deep") from None
    except (yaml.YAMLError, ValueError) as error:  # ValueError: dates such as 2024-13-99
        raise refusal(f"{origin}: not valid YAML: {' '.join(str(error).split())}") from None


def read_mapping(text: str, origin: object, kind: str, refusal: type[Exception] = YamlError) -> dict[str, Any]:
    """A YAML document that is a mapping.

    Args:
        text: the document.
        origin: file or source, for errors.
        kind: what the document is, such as "a spec".
        refusal: the error to raise.

    Raises:
        refusal: see ``read_yaml``, or it is no mapping.
    """
    content = read_yaml(text, origin, refusal)
    if not isinstance(content, dict):
        raise refusal(f"{origin}: {kind} is a mapping of keys to values")
    return content


def validated(kind: type[Model], content: object, origin: object, refusal: type[Exception] = YamlError) -> Model:
    """A model from what was read.

    Args:
        content: the value of a YAML or JSON document.
        origin: what errors name.
        refusal: the error to raise.

    Raises:
        refusal: keys or values that the model cannot have.
    """
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        raise refusal(f"{origin}: {explained(error, kind, content)}") from None


def explained(error: ValidationError, kind: type[BaseModel], content: object = None) -> str:
    """Problems of a document as text: ``'place': cause`` for each, with a similar name if there is one.

    Args:
        error: raised by pydantic.
        kind: the model.
        content: the validated document; without it, places also contain the names of union types.
    """
    messages = list(dict.fromkeys(_message(problem, kind, content) for problem in _causes(error.errors())))
    count_of_rest = [f"and {len(messages) - _MOST_TOLD} more"] if len(messages) > _MOST_TOLD else []
    return "; ".join([*messages[:_MOST_TOLD], *count_of_rest])


def _causes(problems: Sequence[Any]) -> Iterator[Any]:
    """The problems without those that follow from others.

    A list is also too short once its wrong items are dropped; and a mapping with a wrong key, where a text or a mapping
    may stand, is no text either.
    """
    places = [problem["loc"] for problem in problems]
    for number, problem in enumerate(problems):
        place, other_places = places[number], [*places[:number], *places[number + 1 :]]
        has_inner = any(
            len(other_place) > len(place) and other_place[: len(place)] == place for other_place in other_places
        )
        has_sibling = any(other_place[: len(place) - 1] == place[:-1] for other_place in other_places)
        no_text = problem["type"] == "string_type" and isinstance(problem["input"], dict)
        if not (problem["type"] == "too_short" and has_inner) and not (no_text and has_sibling):
            yield problem


def _message(problem: Any, kind: type[BaseModel], content: object) -> str:
    *section, key = problem["loc"] or ("",)
    place = _place(problem["loc"], content)
    if problem["type"] == "extra_forbidden":
        cause = f"unknown key{did_you_mean(str(key), _keys(kind, section))}"
    elif problem["type"] == "missing":
        cause = "this key is missing"
    else:
        cause = str(problem["msg"]).removeprefix("Value error, ")
        if cause.startswith("Input should be") and isinstance(problem["input"], str | int | float):
            cause = f"{cause.removeprefix('Input ')}, not {problem['input']!r:.60}"
    return f"'{place}': {cause}" if place else cause


def _place(location: Sequence[int | str], content: object) -> str:
    """The dotted place of a problem, without the names of types that pydantic puts between keys."""
    path = []
    for number, step in enumerate(location):
        if _holds(content, step):
            content = content[step]  # type: ignore[index]
            path.append(str(step))
        elif content is None or (isinstance(content, Mapping) and number == len(location) - 1):
            path.append(str(step))
    return ".".join(path)


def _holds(content: object, step: int | str) -> bool:
    if isinstance(content, Mapping):
        return step in content
    return isinstance(content, list | tuple) and isinstance(step, int) and step < len(content)


def _keys(kind: type[BaseModel], section: Iterable[int | str]) -> list[str]:
    """Keys of the section that a place leads to."""
    kinds = [kind]
    for step in section:
        models_of_that_name = [model for model in kinds if model.__name__ == step]
        inner = [
            model
            for outer in kinds
            if step in outer.model_fields
            for model in _models(outer.model_fields[str(step)].annotation)
        ]
        kinds = models_of_that_name or inner or kinds
    return list(dict.fromkeys(chain.from_iterable(model.model_fields for model in kinds)))


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that a field's type mentions: itself, or inside of a union or a tuple."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)


def _require_bounds(document: yaml.Node) -> None:
    size, depth = _extent(document, {})
    if size == inf:
        raise _error("an alias contains itself", document)
    if size > _MOST_NODES:
        raise _error(f"stands for more than {_MOST_NODES} values", document)
    if depth > _DEEPEST:
        raise _error(f"nested more than {_DEEPEST} deep", document)


def _extent(node: yaml.Node, extents_by_node: dict[int, tuple[float, float]]) -> tuple[float, float]:
    """How many values a node stands for and how deep they nest, with aliases expanded; infinite: it contains itself."""
    if id(node) not in extents_by_node:
        extents_by_node[id(node)] = inf, inf
        children = chain.from_iterable(node.value) if isinstance(node, yaml.MappingNode) else node.value
        extents = [_extent(child, extents_by_node) for child in children if isinstance(child, yaml.Node)]
        extents_by_node[id(node)] = (
            1 + sum(size for size, _ in extents),
            1 + max((depth for _, depth in extents), default=0),
        )
    return extents_by_node[id(node)]


class _PlainLoader(yaml.SafeLoader):
    """The safe loader, without repeated keys and without what is no text."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        repeated = next((key for key, count in Counter(keys).items() if count > 1), None)
        if repeated is not None:
            raise _error(f"key '{repeated}' is there twice", node)
        return super().construct_mapping(node, deep)

    def construct_scalar(self, node: yaml.ScalarNode | yaml.MappingNode) -> Any:
        try:
            str(node.value).encode()
        except UnicodeEncodeError:
            raise _error("half of a surrogate pair is no text", node) from None
        return super().construct_scalar(node)


def _error(problem: str, at: yaml.Node) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=at.start_mark)
