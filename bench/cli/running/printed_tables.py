"""The tables that the last run printed, kept in the store: while the store is unchanged, they are printed again."""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....datasets.images import write_atomically

if TYPE_CHECKING:
    from rich.console import Console

FILE = "printed.json"
"""File in the store's folder, which may be deleted at any time."""
_HARMLESS = re.compile(r"(?:[^\x00-\x09\x0b-\x1f\x7f-\x9f]|\x1b\[[\d;]*m)*")
"""Text without control sequences except colours, since a store may come from somebody else."""


@dataclass(frozen=True)
class Printed:
    """Printed tables, with the states of the store and of the terminal."""

    state: str = ""
    """Fingerprint of the store when the tables were printed."""
    page: str = ""
    """Fingerprint of the store when the report was written; '' if there is none."""
    terminal: str = ""
    """Properties of the terminal for which the text was formatted."""
    text: str = ""

    def fits(self, state: str, terminal: str) -> bool:
        """Whether the tables are those of this state, formatted for this terminal."""
        return (self.state, self.terminal) == (state, terminal)


def read_printed(root: Path) -> Printed:
    """The tables that the last run kept; empty if the file is missing or damaged."""
    try:
        content: Any = json.loads((root / FILE).read_text(encoding="utf-8"))
        printed = Printed(**content)
    except (OSError, ValueError, TypeError):
        return Printed()
    sound = all(isinstance(value, str) for value in asdict(printed).values()) and _HARMLESS.fullmatch(printed.text)
    return printed if sound else Printed()


def keep_printed(root: Path, printed: Printed) -> None:
    """Keep printed tables for the next run; if the folder cannot be written, nothing is kept."""
    with contextlib.suppress(OSError):
        write_atomically(root / FILE, json.dumps(asdict(printed)).encode())


def terminal_of(console: Console, title: str) -> str:
    """What the text of tables depends on besides the store: title, and width, colours and encoding of the terminal."""
    return json.dumps([console.width, console.color_system, console.no_color, console.encoding, title])
