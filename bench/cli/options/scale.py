"""The option ``--scale``, which takes 4 and 1.5 alike."""

from __future__ import annotations

from typing import Any

import typer


def scale_option(help: str) -> Any:
    """``--scale`` of a command, as ``int`` where it is whole."""
    return typer.Option(help=help, callback=_parsed)


def _parsed(value: float | None) -> float | None:
    from ....datasets.scales import parse_scale

    return None if value is None else parse_scale(value)
