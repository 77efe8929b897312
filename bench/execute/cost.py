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
    """Measures a ``with`` block: wall seconds, and peak bytes above what was in use when it began.

    A loaded model is in use before, so it does not count. On CUDA the peak is the allocator's. On Linux it is the peak
    resident set, which the kernel lets us reset, after what earlier calls freed was given back; elsewhere it is unknown
    (None), since the lifetime peak of the process says nothing about one call.

    Giving back takes milliseconds, there and where the memory is fetched again. So what is known of a method and an
    image's size holds for all images of that size.

    Args:
        device: as torch calls it.
        peaks: of the method by the image's size, to which this block adds; None: it is measured.
        size: of the image.
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
    """Set the peak resident set to the current one and return it; None where the kernel cannot."""
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
    """``malloc_trim`` of the C library; None where it has none."""
    return getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None


def _status(field: str) -> int | None:
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:")), None)
