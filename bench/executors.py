"""Where jobs run. An executor knows nothing of images: it maps a function over items and survives dying workers."""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from multiprocessing import connection, get_context, parent_process
from typing import Protocol, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_JOBS_AHEAD = 2
"""Jobs queued per worker: enough that none waits for the driver, few enough that little is in flight."""


@dataclass(frozen=True)
class WorkerDied:
    """In place of a result: the process that worked on this item alone was killed."""

    message: str = "the worker process died on this image (out of memory, or a crash in native code)"


class Executor(Protocol):
    """Maps a picklable function over items."""

    def map(
        self, function: Callable[[Item], Result], items: Sequence[Item]
    ) -> Iterator[tuple[Item, Result | WorkerDied]]:
        """Yield each item with its result, in any order. An exception from the function ends the whole map."""


class InProcess:
    """Runs everything in this process, one item after the other."""

    def map(self, function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[tuple[Item, Result]]:
        """See ``Executor.map``."""
        for item in items:
            yield item, function(item)


class LocalProcesses:
    """Runs items in worker processes of this machine.

    Items are handed out as workers become free. When a worker dies, all items in flight are tried again one at a time;
    the one that kills its worker alone is reported, and the others go on.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def map(
        self, function: Callable[[Item], Result], items: Sequence[Item]
    ) -> Iterator[tuple[Item, Result | WorkerDied]]:
        """See ``Executor.map``."""
        waiting = deque(items)
        suspects: deque[Item] = deque()
        while waiting or suspects:
            alone = bool(suspects)
            queue = suspects if alone else waiting
            with self._pool(1 if alone else self.workers) as pool:
                flying: dict[Future[Result], Item] = {}
                try:
                    while queue or flying:
                        limit = 1 if alone else self.workers * _JOBS_AHEAD
                        while queue and len(flying) < limit:
                            flying[pool.submit(function, queue[0])] = queue[0]
                            queue.popleft()  # only now: submit raises when the pool has just broken
                        for future in wait(flying, return_when=FIRST_COMPLETED).done:
                            result = future.result()
                            yield flying.pop(future), result
                except BrokenExecutor:
                    if alone:
                        yield from ((item, WorkerDied()) for item in flying.values())
                    else:
                        suspects.extend(flying.values())
                except BaseException:
                    _stop(pool)
                    raise

    def _pool(self, workers: int) -> ProcessPoolExecutor:
        threads = max(1, (os.cpu_count() or 1) // workers)
        return ProcessPoolExecutor(workers, get_context("spawn"), initializer=_begin, initargs=(threads,))


def _stop(pool: ProcessPoolExecutor) -> None:
    """End a pool at once: running jobs are lost, as in a kill."""
    for process in list((pool._processes or {}).values()):
        process.terminate()
    pool.shutdown(wait=True, cancel_futures=True)


def _begin(threads: int) -> None:
    """Prepare a worker: its share of the cores, no reaction to Ctrl-C, and an end when the driver ends."""
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[variable] = str(threads)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
