"""A thread in which a worker measures an image while its GPU restores the next one."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from types import TracebackType
from typing import TypeVar

from .threads import limit_thread

Result = TypeVar("Result")


class Beside:
    """Calls in one thread beside the caller's, in their order; the thread ends with the block.

    If the block is left by an exception, calls that have not started are dropped, and the running call is waited for.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._pool: ThreadPoolExecutor | None = None

    def __enter__(self) -> Beside:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: BaseException | TracebackType | None) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=kind is not None)

    def call(self, function: Callable[[], Result]) -> Callable[[], Result]:
        """Start a call; the returned function waits for its result, and raises the exception that the call raised."""
        if self._pool is None:
            limit = partial(limit_thread, self._threads)
            self._pool = ThreadPoolExecutor(1, "asasr-bench-measuring", initializer=limit)
        future: Future[Result] = self._pool.submit(function)
        return future.result
