"""The tables that the last run printed, kept in the store: as long as it is finished, they are printed, not made."""

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
"""In the store's folder. It may be deleted at any time."""
_HARMLESS = re.compile(r"(?:[^\x00-\x09\x0b-\x1f\x7f-\x9f]|\x1b\[[\d;]*m)*")
"""Text that commands a terminal to nothing but colours: a store may be somebody else's."""


@dataclass(frozen=True)
class Printed:
    """What was printed of a store, and of what state of it."""

    state: str = ""
    """Fingerprint of the store whose tables these are."""
    page: str = ""
    """Fingerprint of the store whose report lies beside; '' where none was written."""
    terminal: str = ""
    """What the text was arranged for."""
    text: str = ""

    def fits(self, state: str, terminal: str) -> bool:
        """These are the tables of this state, for this terminal."""
        return (self.state, self.terminal) == (state, terminal)


def read_printed(root: Path) -> Printed:
    """What the last run kept; nothing where the file is missing or damaged."""
    try:
        told: Any = json.loads((root / FILE).read_text(encoding="utf-8"))
        printed = Printed(**told)
    except (OSError, ValueError, TypeError):
        return Printed()
    sound = all(isinstance(value, str) for value in asdict(printed).values()) and _HARMLESS.fullmatch(printed.text)
    return printed if sound else Printed()


def keep_printed(root: Path, printed: Printed) -> None:
    """Keep it for the next run; where the folder cannot be written, that run makes its tables itself."""
    with contextlib.suppress(OSError):
        write_atomically(root / FILE, json.dumps(asdict(printed)).encode())


def terminal_of(console: Console, title: str) -> str:
    """What the text of tables depends on beside the store: width, colours and signs of the terminal, and the title."""
    return json.dumps([console.width, console.color_system, console.no_color, console.encoding, title])
