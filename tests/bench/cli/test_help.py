"""Help texts, as a terminal of 80 columns shows them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import typer
from asasr_bench.bench.cli.main import app


def groups(command: Any, path: str = "asasr-bench") -> Iterator[tuple[str, Any]]:
    """A group of commands and all groups below it, with what is typed to call them."""
    yield path, command
    for name, below in command.commands.items():
        if hasattr(below, "commands"):
            yield from groups(below, f"{path} {name}")


@pytest.mark.parametrize(
    ("path", "group"), [pytest.param(*group, id=group[0]) for group in groups(typer.main.get_command(app))]
)
def test_every_command_is_told_in_a_whole_sentence(path: str, group: Any) -> None:
    context = group.make_context(path, [], resilient_parsing=True)
    context.terminal_width = 80
    message = group.get_help(context)
    assert set(group.commands) <= set(message.split())
    assert not [line for line in message.splitlines() if line.endswith("...") and "[ARGS]..." not in line]
