"""One metric as a column of a table."""

from __future__ import annotations

from dataclasses import dataclass

ARROWS = {"higher": "↑", "lower": "↓", "zero": "→ 0", "none": ""}
"""What a heading says of a metric's direction."""


@dataclass(frozen=True)
class Column:
    """One metric."""

    metric: str
    title: str
    unit: str
    digits: int
    direction: str
    note: str = ""
    """What a reader must know."""
    of_sets: bool = False
    """Its value is one of the whole set."""
    compared: int = 0
    """Images that all compared methods have."""
    left_out: tuple[str, ...] = ()
    """Methods that have too few images to be compared."""

    @property
    def heading(self) -> str:
        """Title, unit and the direction in which it is better."""
        unit = f" [{self.unit}]" if self.unit else ""
        return f"{self.title}{unit} {ARROWS[self.direction]}".rstrip()
