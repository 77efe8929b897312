"""``show``: print everything that is known of a method, dataset, metric or anything else with a name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from .options import complete
from .options.named import Facts, facts_by_kind, of_reference
from .terminal import JsonOption, print_table, say_json


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(show)


def show(
    name: Annotated[
        str,
        typer.Argument(
            help="A method, dataset, metric, engine, protocol, spec, study, degradation, configuration, figure, weight"
            " file or published table; what 'list' lists.",
            autocompletion=complete.everything,
        ),
    ],
    as_json: JsonOption = False,
) -> None:
    """Print everything that is known of a name."""
    known = facts_by_kind(name) or {"method": of_reference(name)}
    if as_json:
        say_json(known)
        return
    for word, facts in known.items():
        print_table((word, name), list(_rows(facts)))


def _rows(facts: Facts, before: str = "") -> Iterator[tuple[str, str]]:
    """Keys with their values; keys of nested mappings are joined with dots, as in ``--set``."""
    for key, value in facts.items():
        if isinstance(value, dict):
            yield from _rows(value, f"{before}{key}.")
        elif value not in ("", None, (), []):
            yield f"{before}{key}", _words(value)


def _words(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list | tuple):
        return ", ".join(
            " ".join(map(_words, element)) if isinstance(element, list | tuple) else _words(element)
            for element in value
        )
    return str(value)
