"""A thread in which a worker measures the last image while its GPU restores the next."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from types import TracebackType
from typing import TypeVar

from .threads import limit_thread

Result = TypeVar("Result")


class Beside:
    """Calls in one thread beside the caller's, in their order; leaving the block ends it.

    Where the block is left by an exception, what was not begun is dropped, and what runs is waited for: nothing goes
    on behind the caller's back.
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
        """Begin a call; what is returned waits for its result, and raises what the call raised."""
        if self._pool is None:
            limit = partial(limit_thread, self._threads)
            self._pool = ThreadPoolExecutor(1, "asasr-bench-measuring", initializer=limit)
        future: Future[Result] = self._pool.submit(function)
        return future.result
