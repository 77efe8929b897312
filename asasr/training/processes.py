"""Work that the processes of a training share among them before it begins."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from accelerate import Accelerator

Item = TypeVar("Item")


@dataclass(frozen=True)
class Processes:
    """How many processes share the work, which of them this is, and where it computes; all see one file system."""

    rank: int = 0
    count: int = 1
    device: str = "cpu"
    poll_seconds: float = 1.0

    @classmethod
    def of(cls, accelerator: Accelerator) -> Processes:
        """Those that train together."""
        return cls(accelerator.process_index, accelerator.num_processes, str(accelerator.device))

    def share(self, items: Sequence[Item]) -> Sequence[Item]:
        """This process's part."""
        return items[self.rank :: self.count]

    def wait_for(self, files: Iterable[Path]) -> None:
        """Wait until the others have written theirs too.

        By looking: a collective wait ends with an error after ten minutes, and some work takes hours.
        """
        for path in files:
            while not path.exists():
                time.sleep(self.poll_seconds)
