"""The interface of executors, and the executor that does everything in this process."""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from ....datasets.errors import BenchError

Item = TypeVar("Item")
Result = TypeVar("Result")

TRIES = 2
"""Times that an item may lose its worker before it is suspected: chance (a lost node, memory that others took) strikes
one item seldom, its own fault every time. A suspect gets as many tries alone, or on other nodes."""


class ExecutorError(BenchError, RuntimeError):
    """Workers cannot be started or used; the message names the cause and the remedy."""


@dataclass(frozen=True)
class WorkerDied:
    """Stands in place of a result: the workers of this item were killed again and again."""

    message: str = "the worker process died on this image (out of memory, or a crash in native code)"


def no_limit(_: object) -> None:
    """For items that may take any time."""
    return


def one_kind(_: object) -> str:
    """For items that are all alike."""
    return ""


@dataclass(frozen=True)
class Limits(Generic[Item]):
    """Limits that keep a harmful item from affecting other items."""

    seconds: Callable[[Item], float | None] = no_limit
    """How long an item may take; then its worker is ended and another takes its place. None: any time."""
    kind: Callable[[Item], Hashable] = one_kind
    """Items of one kind that end their workers one after the other are not all tried."""


@contextmanager
def entered(function: Callable[[Item], Result]) -> Iterator[Callable[[Item], Result]]:
    """A function as a worker keeps it from item to item: entered once, where it is a context manager."""
    if isinstance(function, AbstractContextManager):
        with function:
            yield function
    else:
        yield function


def never() -> bool:
    """For maps that nobody stops."""
    return False


class Executor(Protocol):
    """Maps a picklable function over items; one that is a context manager is entered once in each worker."""

    shares_files: bool
    """Workers see the store, the datasets and the weights under the driver's paths."""

    def map(
        self,
        function: Callable[[Item], Result],
        items: Sequence[Item],
        stop: Callable[[], bool] = never,
        limits: Limits[Item] | None = None,
    ) -> Generator[tuple[Item, Result | WorkerDied], None, None]:
        """Yield each item with its result, in any order.

        Items whose worker was lost are done again. An exception from the function ends the whole map, as closing the
        iterator does.

        Args:
            function: what is done with each item.
            items: each is made when it is its turn.
            stop: once it is true, no item is begun; those in flight are finished.
            limits: what keeps items that do harm from costing more than themselves.

        Raises:
            ExecutorError: no worker can be started.
        """


class InProcess:
    """Runs everything in this process, one item after the other."""

    shares_files = True

    def map(
        self,
        function: Callable[[Item], Result],
        items: Sequence[Item],
        stop: Callable[[], bool] = never,
        limits: Limits[Item] | None = None,
    ) -> Generator[tuple[Item, Result], None, None]:
        """See ``Executor.map``; limits are not enforced in this process."""
        with entered(function) as ready:
            if stop():
                return
            for item in items:
                yield item, ready(item)
                if stop():
                    return
