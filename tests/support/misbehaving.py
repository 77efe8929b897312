"""Methods that do what methods should not; workers import them by name."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from asasr_bench.methods.interface import MethodCard


def _enlarged(lq: np.ndarray, scale: int) -> np.ndarray:
    return lq.repeat(scale, 0).repeat(scale, 1)


class Broken:
    """Fails three calls deep in code of its own."""

    card = MethodCard("broken", "regression", "test")
    weight_files: tuple[str, ...] = ()

    def restore_pixels(self, lq: np.ndarray, scale: int) -> Any:
        return self._prepare(lq)

    def _prepare(self, lq: np.ndarray) -> Any:
        return lq.float()  # type: ignore[attr-defined]


class Exits:
    """Asks Python to end."""

    card = MethodCard("exits", "regression", "test")
    weight_files: tuple[str, ...] = ()

    def restore_pixels(self, lq: np.ndarray, scale: int) -> Any:
        sys.exit(0)


class Dark:
    """Does something to images that begin with a black pixel, and enlarges all others."""

    card = MethodCard("dark", "regression", "test")
    weight_files: tuple[str, ...] = ()

    def __init__(self, what: str = "hang") -> None:
        self._what = what

    def restore_pixels(self, lq: np.ndarray, scale: int) -> Any:
        if not lq[:4, :4].any() and self._what == "hang":
            time.sleep(600)
        if not lq[:4, :4].any() and self._what == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        return _enlarged(lq, scale)


class Kills:
    """Ends its process for every image, and notes that in a folder."""

    card = MethodCard("kills", "regression", "test")
    weight_files: tuple[str, ...] = ()

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def restore_pixels(self, lq: np.ndarray, scale: int) -> Any:
        Path(self._folder, str(os.getpid())).touch()
        os.kill(os.getpid(), signal.SIGKILL)
