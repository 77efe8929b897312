"""Parse KEY=VALUE and names separated by commas, for options of the command line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ....datasets.errors import UsageError


class AssignmentError(UsageError, ValueError):
    """A text is not KEY=VALUE; the message names the option."""


def assignments(texts: Iterable[str] | None, option: str) -> dict[str, Any]:
    """Keys with their values, which are read as YAML.

    Args:
        texts: texts KEY=VALUE.
        option: name of the option, such as ``--set``, for messages.

    Raises:
        AssignmentError: a text has no ``=``, or its value is not YAML.
    """
    from ....datasets.strict import read_yaml

    values: dict[str, Any] = {}
    for text in texts or ():
        key, equals, value = text.partition("=")
        if not equals:
            raise AssignmentError(f"{option} {text}: write KEY=VALUE")
        values[key] = read_yaml(value, f"{option} {key}", AssignmentError)
    return values


def separated(text: str) -> list[str]:
    """The names of a list that is separated by commas."""
    return [name.strip() for name in text.split(",") if name.strip()]
