"""Give items to workers that may die at any moment: the common loop of all executors that keep workers."""

from __future__ import annotations

import math
import time
import traceback
from collections import Counter, deque
from collections.abc import Callable, Generator, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from .executor import TRIES, ExecutorError, Item, Limits, WorkerDied, never

Worker = TypeVar("Worker", bound=Hashable)

_FALSE_STARTS = 30
"""Workers in a row that may be killed before they are ready."""
_BY_ITSELF = 10
"""For how many of them one counts that ended by itself: the next would fare no better."""
_IN_A_ROW = 4
"""Workers that items of one kind may end one after the other before the rest of them waits for all others."""
_HOPELESS = 2
"""Items of one kind that end their workers even alone, one after the other, before the rest of them is given up."""
_NOT_TRIED = (
    f"not tried: {_HOPELESS} images of this method before it ended their worker processes, each {TRIES} times with the"
    " machine to itself (out of memory, or a crash in native code)"
)


@dataclass(frozen=True)
class Ready:
    """A worker waits for its first item."""


@dataclass(frozen=True)
class Done:
    """A worker has finished its item and waits for the next."""

    result: Any


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


Event = Ready | Done | Failed | Died


def attempt(function: Callable[[Any], Any], item: Any) -> Done | Failed:
    """The assignment of an item to a worker."""
    try:
        return Done(function(item))
    except Exception as error:
        error.add_note(traceback.format_exc())  # of the worker's process, for --debug
        return Failed(error)


class Workers(Protocol[Worker]):
    """Workers of one engine."""

    remedy: str
    """What to do when none starts."""

    def start_worker(self) -> Worker:
        """Begin to start a worker."""

    def send(self, worker: Worker, item: Any) -> None:
        """Hand an item to a waiting worker; one that just died says so in ``poll_events``."""

    def poll_events(self, seconds: float | None) -> Iterable[tuple[Worker, Event]]:
        """Wait until at least one worker has something to say, or this long."""

    def stop(self, worker: Worker) -> None:
        """End one worker at once; it says nothing more."""

    def stop_all(self) -> None:
        """End all workers at once; what they work on is lost."""


@dataclass
class _Task:
    number: int
    """Its place among the items, which may be made when they are asked for."""
    deaths: int = 0


@dataclass
class _Held:
    """What a worker has in hand."""

    task: _Task
    item: Any
    seconds: float | None
    """How long it may take."""
    since: float = field(default_factory=time.monotonic)

    def left(self, now: float) -> float:
        return math.inf if self.seconds is None else self.since + self.seconds - now


def hand_out(
    workers: Workers[Worker],
    count: int,
    items: Sequence[Item],
    stop: Callable[[], bool] = never,
    limits: Limits[Item] | None = None,
) -> Generator[tuple[Item, Any], None, None]:
    """Yield each item with its result or ``WorkerDied``; see ``Executor.map``.

    Every worker has one item at a time and takes the next from the common list when it is free. An item that lost two
    workers is tried again at the end, when nothing else runs: it may need all the memory there is. So are all that are
    left of a kind of which several workers in a row were lost; and where two of those end their workers even alone,
    the others of that kind are given up.

    Args:
        workers: of one engine; all of them have ended when this returns.
        count: how many work at the same time, as far as there are items.
        items: what they work on; each is made when it is its turn.
        stop: once it is true, no item is begun.
        limits: how long an item may take, and which are of one kind.
    """
    limits = limits or Limits()
    try:
        suspects: list[_Task] = []
        together = _Round(workers, count, items, stop, limits, TRIES, _IN_A_ROW)
        yield from together.work(deque(_Task(number) for number in range(len(items))), suspects)
        workers.stop_all()
        lost: list[_Task] = []
        alone = _Round(workers, 1, items, stop, limits, 2 * TRIES, TRIES * _HOPELESS)
        yield from alone.work(deque(suspects), lost)
        for task in lost:
            yield items[task.number], WorkerDied() if task.deaths == 2 * TRIES else WorkerDied(_NOT_TRIED)
    finally:
        workers.stop_all()


class _Round(Generic[Worker]):
    """One pass over items."""

    def __init__(
        self,
        workers: Workers[Worker],
        count: int,
        items: Sequence[Any],
        stop: Callable[[], bool],
        limits: Limits[Any],
        tries: int,
        in_a_row: int,
    ) -> None:
        self._workers, self._count, self._items, self._stop, self._limits = workers, count, items, stop, limits
        self._tries = tries
        """Workers that an item may lose, those of an earlier round included."""
        self._in_a_row = in_a_row
        """Workers that a kind may lose without a result between them."""
        self._losses: Counter[Hashable] = Counter()
        self._starting: set[Worker] = set()
        self._idle: list[Worker] = []
        self._busy: dict[Worker, _Held] = {}
        self._false_starts = 0

    def work(self, waiting: deque[_Task], lost: list[_Task]) -> Generator[tuple[Any, Any], None, None]:
        """Do these items; those that lose too many workers join ``lost``."""
        while (waiting and not self._stop()) or self._busy:
            self._give_up(waiting, lost)
            self._start(len(waiting))
            finished: list[tuple[Any, Any]] = []
            if not waiting and not self._busy:
                break
            for worker, event in self._workers.poll_events(self._patience()):
                finished += self._answer(worker, event, waiting, lost)
            finished += self._end_late()
            self._send(waiting)
            yield from finished  # after the next items are out: no worker waits for the driver

    def _give_up(self, waiting: deque[_Task], lost: list[_Task]) -> None:
        """What is next goes to ``lost`` while it is of a kind that ended too many workers in a row."""
        harmful = {kind for kind, losses in self._losses.items() if losses >= self._in_a_row}
        while harmful and waiting and self._limits.kind(self._items[waiting[0].number]) in harmful:
            lost.append(waiting.popleft())

    def _start(self, waiting: int) -> None:
        needed = min(self._count, waiting + len(self._busy))
        while self._worker_count() < needed and not self._stop():
            self._starting.add(self._workers.start_worker())

    def _worker_count(self) -> int:
        return len(self._starting) + len(self._idle) + len(self._busy)

    def _answer(self, worker: Worker, event: Event, waiting: deque[_Task], lost: list[_Task]) -> list[tuple[Any, Any]]:
        """Take note of what a worker said; an item with its result, if that is what it said."""
        self._starting.discard(worker)
        assignment = self._busy.pop(worker, None)
        finished = []
        match event:
            case Ready():
                self._false_starts = 0
            case Done(result) if assignment is not None:
                self._losses.pop(self._limits.kind(assignment.item), None)
                finished.append((assignment.item, result))
            case Failed(error):
                raise error
            case Died() if assignment is not None:
                assignment.task.deaths += 1
                self._losses[self._limits.kind(assignment.item)] += 1
                if assignment.task.deaths < self._tries:
                    waiting.appendleft(assignment.task)
                else:
                    lost.append(assignment.task)
            case Died() if worker in self._idle:
                self._idle.remove(worker)
            case Died(why, killed):
                self._false_starts += 1 if killed else _BY_ITSELF
                if self._false_starts >= _FALSE_STARTS:
                    remedy = (
                        "something kills them: see that there is memory for them" if killed else self._workers.remedy
                    )
                    raise ExecutorError(f"workers end as soon as they start ({why}); {remedy}")
        if not isinstance(event, Died):
            self._idle.append(worker)
        return finished

    def _patience(self) -> float | None:
        """Seconds until somebody has taken too long; None if nobody can."""
        now = time.monotonic()
        nearest = min((assignment.left(now) for assignment in self._busy.values()), default=math.inf)
        return None if nearest == math.inf else max(0.0, nearest)

    def _end_late(self) -> list[tuple[Any, Any]]:
        now = time.monotonic()
        late = [worker for worker, assignment in self._busy.items() if assignment.left(now) <= 0]
        finished = []
        for worker in late:
            assignment = self._busy.pop(worker)
            self._workers.stop(worker)
            finished.append(
                (assignment.item, WorkerDied(f"took longer than {assignment.seconds:g} s; raise 'timeout' or use less"))
            )
        return finished

    def _send(self, waiting: deque[_Task]) -> None:
        while self._idle and waiting and not self._stop():
            task = waiting.popleft()
            item, worker = self._items[task.number], self._idle.pop()
            self._busy[worker] = _Held(task, item, self._limits.seconds(item))
            self._workers.send(worker, item)
