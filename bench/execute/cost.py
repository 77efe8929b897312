"""Seconds and peak memory of one call."""

from __future__ import annotations

import ctypes
import sys
import time
from functools import lru_cache
from pathlib import Path
from typing import Any

_CLEAR_REFS = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")


Peaks = dict[tuple[object, ...], int | None]
"""Peak bytes of a method by the size of the image."""


class Meter:
    """Measures a ``with`` block: wall seconds, and peak bytes above those in use at its start.

    A loaded model is in use at the start, so it does not count. On CUDA the peak is that of the allocator. On Linux it
    is the peak resident set, which can be reset, after freed memory was returned to the kernel. On other systems it is
    unknown (None), since the lifetime peak of the process says nothing about a single call.

    Returning memory, and allocating it again, takes milliseconds. So the peak is measured once for each method and size
    of images.

    Args:
        device: torch device.
        peaks: peaks of the method by the image's size, to which this block adds; None: the peak is measured each time.
        size: size of the image.
    """

    seconds: float = 0.0
    memory: int | None = None

    def __init__(self, device: str, peaks: Peaks | None = None, size: tuple[object, ...] = ()) -> None:
        self._cuda = device.startswith("cuda")
        self._device = device
        self._peaks, self._size = {} if peaks is None else peaks, size
        self._known = not self._cuda and size in self._peaks

    def __enter__(self) -> Meter:
        if self._cuda:
            import torch

            torch.cuda.synchronize(self._device)
            torch.cuda.reset_peak_memory_stats(self._device)
            self._before: int | None = torch.cuda.memory_allocated(self._device)
        else:
            self._before = None if self._known else _reset_peak()
        self._start = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        if self._cuda:
            import torch

            torch.cuda.synchronize(self._device)
            peak: int | None = torch.cuda.max_memory_allocated(self._device)
        else:
            peak = None if self._known else _status("VmHWM")
        self.seconds = time.perf_counter() - self._start
        if self._known:
            self.memory = self._peaks[self._size]
        elif peak is not None and self._before is not None:
            self.memory = self._peaks[self._size] = max(0, peak - self._before)


def _reset_peak() -> int | None:
    """Reset the peak resident set to the current one and return it; None if the kernel cannot do so."""
    trim = _trim()
    if trim is not None:
        trim(0)  # else a call would reuse pages that an earlier one freed, and seem to need none
    try:
        _CLEAR_REFS.write_text("5")  # proc(5): resets VmHWM
    except OSError:
        return None
    return _status("VmRSS")


@lru_cache(maxsize=1)
def _trim() -> Any:
    """``malloc_trim`` of the C library; None if the library has no such function."""
    return getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None


def _status(field: str) -> int | None:
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:")), None)
