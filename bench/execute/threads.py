"""The number of threads with which methods and metrics compute, and the reuse of memory of arrays.

Sums of floating point numbers depend on how they are divided among threads. So the number of threads is a setting of
the run, which does not depend on the number of cores or workers.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache

from threadpoolctl import ThreadpoolController

from ..env_vars import environment

_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of malloc.h
_LARGEST = 32 << 20
"""Bytes of an array whose memory is kept, the most that glibc allows; that of larger ones goes back at once."""
_KEPT = 128 << 20
"""Bytes of free memory that a process keeps."""


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


@contextmanager
def fixed_threads(threads: int) -> Iterator[Mapping[str, str | None]]:
    """Compute with this many threads in the block: torch, BLAS and OpenMP, loaded before or in it.

    Yields:
        The environment variables as they were, for programs that are none of ours.
    """
    _keep_freed_memory()
    before = {name: os.environ.get(name) for name in _VARIABLES}
    torch_before = sys.modules["torch"].get_num_threads() if "torch" in sys.modules else _usual()
    with environment(dict.fromkeys(_VARIABLES, str(threads))), _libraries(len(sys.modules)).limit(limits=threads):
        _set_torch(threads)
        try:
            yield before
        finally:
            _set_torch(torch_before)


def limit_thread(threads: int) -> None:
    """Compute with this many threads in the thread that calls it, inside of ``fixed_threads``: OpenMP counts anew in
    each thread of ours."""
    _libraries(len(sys.modules)).limit(limits=threads)
    _set_torch(threads)


def _keep_freed_memory() -> None:
    """Let arrays take the memory of those before them, for the rest of the process; without glibc nothing changes.

    A plane of a photo is larger than the size from which the C library asks the kernel for memory of its own: each
    array is then mapped, cleared page by page and unmapped, a fifth of the time of measuring an image.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGEST)
        mallopt(_M_TRIM_THRESHOLD, _KEPT)


def _usual() -> int:
    """Threads that torch would choose by itself."""
    chosen = os.environ.get("OMP_NUM_THREADS", "")
    return int(chosen) if chosen.isdecimal() and int(chosen) > 0 else cores()


@lru_cache(maxsize=1)
def _libraries(_: int) -> ThreadpoolController:
    """The loaded libraries; looked for again, which takes 10 ms, when modules were imported since."""
    return ThreadpoolController()


def _set_torch(threads: int) -> None:
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
