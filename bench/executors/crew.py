"""Hand items to workers that may die at any moment: the one loop behind all executors that keep workers."""

from __future__ import annotations

import traceback
from collections import deque
from collections.abc import Callable, Generator, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from .executor import TRIES, ExecutorError, Item, WorkerDied, never

Worker = TypeVar("Worker", bound=Hashable)

_FALSE_STARTS = 30
"""Workers in a row that may be killed before they are ready."""
_BY_ITSELF = 10
"""For how many of them one counts that ended by itself: the next would fare no better."""


@dataclass(frozen=True)
class Ready:
    """A worker waits for its first item."""


@dataclass(frozen=True)
class Done:
    """A worker has finished its item and waits for the next."""

    result: Any


@dataclass(frozen=True)
class Passed:
    """A worker waits for its next item; this one goes on in other hands, which finish it and are gone."""

    to: Any


@dataclass(frozen=True)
class Failed:
    """The function raised this."""

    error: BaseException


@dataclass(frozen=True)
class Died:
    """A worker is gone, and what it worked on is lost."""

    why: str = ""
    killed: bool = False
    """By a signal from elsewhere."""


Event = Ready | Done | Passed | Failed | Died


def attempt(function: Callable[[Any], Any], item: Any) -> Done | Failed:
    """What a worker does with an item."""
    try:
        return Done(function(item))
    except Exception as error:
        error.add_note(traceback.format_exc())  # of the worker's process, for --debug
        return Failed(error)


class Crew(Protocol[Worker]):
    """Workers of one engine."""

    remedy: str
    """What to do when none starts."""

    def hire(self) -> Worker:
        """Begin to start a worker."""

    def give(self, worker: Worker, item: Any) -> None:
        """Hand an item to a waiting worker; one that just died says so in ``hear``."""

    def hear(self) -> Iterable[tuple[Worker, Event]]:
        """Wait until at least one worker has something to say."""

    def dismiss(self) -> None:
        """End all workers at once; what they work on is lost."""


@dataclass
class _Task:
    number: int
    """Its place among the items, which may be made when they are asked for."""
    deaths: int = 0


def hand_out(
    crew: Crew[Worker], count: int, items: Sequence[Item], stop: Callable[[], bool] = never
) -> Generator[tuple[Item, Any], None, None]:
    """Yield each item with its result or ``WorkerDied``; see ``Executor.map``.

    Every worker has one item at a time and takes the next from the common list when it is free. An item that lost two
    workers is tried again at the end, when nothing else runs: it may need all the memory there is.
    """
    try:
        suspects: list[int] = []
        yield from _round(crew, count, items, range(len(items)), stop, suspects)
        crew.dismiss()
        lost: list[int] = []
        yield from _round(crew, 1, items, suspects, stop, lost)
        yield from ((items[number], WorkerDied()) for number in lost)
    finally:
        crew.dismiss()


def _round(
    crew: Crew[Worker],
    count: int,
    items: Sequence[Item],
    numbers: Sequence[int],
    stop: Callable[[], bool],
    lost: list[int],
) -> Generator[tuple[Item, Any], None, None]:
    """Do the items of these numbers; those that lose too many workers join ``lost``."""
    waiting = deque(_Task(number) for number in numbers)
    starting: set[Worker] = set()
    idle: list[Worker] = []
    busy: dict[Worker, tuple[_Task, Item]] = {}
    helpers: set[Worker] = set()
    """Hands that an item was passed to."""
    false_starts = 0
    while (waiting and not stop()) or busy:
        wanted = min(count, len(waiting) + len(busy) - len(helpers))
        while len(starting) + len(idle) + len(busy) - len(helpers) < wanted and not stop():
            starting.add(crew.hire())
        finished = []
        for worker, event in crew.hear():
            starting.discard(worker)
            held = busy.pop(worker, None)
            helped = worker in helpers
            helpers.discard(worker)
            match event:
                case Ready():
                    false_starts = 0
                case Done(result) if held is not None:
                    finished.append((held[1], result))
                case Passed(to) if held is not None:
                    busy[to] = held
                    helpers.add(to)
                case Failed(error):
                    raise error
                case Died() if held is not None:
                    task = held[0]
                    task.deaths += 1
                    if task.deaths < TRIES:
                        waiting.appendleft(task)
                    else:
                        lost.append(task.number)
                case Died() if worker in idle:
                    idle.remove(worker)
                case Died(why, killed):
                    false_starts += 1 if killed else _BY_ITSELF
                    if false_starts >= _FALSE_STARTS:
                        remedy = "something kills them: see that there is memory for them" if killed else crew.remedy
                        raise ExecutorError(f"workers end as soon as they start ({why}); {remedy}")
            if not helped and not isinstance(event, Died):
                idle.append(worker)
        while idle and waiting and len(helpers) < 2 * count and not stop():
            worker, task = idle.pop(), waiting.popleft()
            busy[worker] = task, items[task.number]
            crew.give(worker, busy[worker][1])
        yield from finished  # after the next items are out: no worker waits for the driver
