"""KEY=VALUE, and names separated by commas, as several options of the command line take them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ....datasets.errors import UsageError


class AssignmentError(UsageError, ValueError):
    """Text that is no KEY=VALUE; the message names the option."""


def assignments(texts: Iterable[str] | None, option: str) -> dict[str, Any]:
    """Keys with their values, which are read as YAML.

    Args:
        option: such as ``--set``, for errors.

    Raises:
        AssignmentError: no ``=``, or a value that is not YAML.
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
