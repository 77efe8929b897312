"""Arrays of Slurm jobs, submitted with submitit; each job does a part of the items."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .executor import TRIES, ExecutorError, Item, Limits, Result, WorkerDied, entered, never
from .worker_pool import Done, Failed, attempt

JOBS_AT_ONCE = 8
"""Jobs that run at the same time unless the user says otherwise."""
_PARTS_EACH = 4
"""Jobs for each that runs at the same time: nobody waits long for the last, and models are loaded seldom."""
_LARGEST_ARRAY = 1000
"""Slurm's own limit, unless a site raises it."""
_SECONDS_BETWEEN_LOOKS = 0.5


class SlurmJobs:
    """Runs items in jobs of a batch system. The folder must be one that all nodes see.

    A preempted job is requeued and goes on with what it has left. One that is lost (memory, time, its node) is
    submitted again in halves, so that an item that ends its job ends no other's.
    """

    shares_files = True

    def __init__(self, folder: Path, workers: int | None, options: Mapping[str, Any]) -> None:
        self._folder = folder
        self._workers = workers or JOBS_AT_ONCE
        self._engine = options.get("engine", "slurm")
        self._parameters = {name: value for name, value in options.items() if name != "engine"}

    def map(
        self,
        function: Callable[[Item], Result],
        items: Sequence[Item],
        stop: Callable[[], bool] = never,
        limits: Limits[Item] | None = None,
    ) -> Generator[tuple[Item, Result | WorkerDied], None, None]:
        """See ``Executor.map``; Slurm limits the time of whole jobs alone (``timeout_min``).

        Once ``stop`` is true, jobs are cancelled: parts take longer than anybody waits.
        """
        if not items:
            return
        submitter = self._submitter()
        room = _LARGEST_ARRAY if self._engine == "slurm" else self._workers  # Slurm queues, this machine does not
        size = -(-len(items) // (self._workers * _PARTS_EACH))
        waiting = deque(_Part(items[first : first + size]) for first in range(0, len(items), size))
        running: dict[Any, _Part] = {}
        try:
            while (waiting or running) and not stop():
                new = [waiting.popleft() for _ in range(min(room - len(running), len(waiting)))]
                running |= self._submit(submitter, function, new)
                ended = [job for job in running if job.done()]
                for job in ended:
                    part = running.pop(job)
                    lost = _lost(job)
                    if not lost:
                        yield from _results(part, job)
                    elif len(part.items) > 1:
                        waiting.extendleft(part.halves())
                    elif part.losses + 1 < 2 * TRIES:
                        waiting.appendleft(_Part(part.items, part.losses + 1))
                    else:
                        yield part.items[0], WorkerDied(f"its job was lost {2 * TRIES} times; the last time: {lost}")
                if not ended:
                    time.sleep(_SECONDS_BETWEEN_LOOKS)
        finally:
            for job in running:
                job.cancel(check=False)

    def _submitter(self) -> Any:
        try:
            import submitit
        except ImportError:
            raise ExecutorError("executor 'slurm' needs a package: pip install 'asasr-bench[cluster]'") from None
        try:
            submitter = submitit.AutoExecutor(folder=self._folder, cluster=self._engine)
            submitter.update_parameters(name="asasr-bench")
            if self._engine == "slurm":
                submitter.update_parameters(slurm_array_parallelism=self._workers)
            submitter.update_parameters(**self._parameters)
        except (RuntimeError, ValueError, NameError, AssertionError) as error:
            raise ExecutorError(f"Slurm jobs cannot be submitted: {' '.join(str(error).split())}") from error
        return submitter

    def _submit(self, submitter: Any, function: Callable[[Any], Any], parts: list[_Part]) -> dict[Any, _Part]:
        import submitit

        if not parts:
            return {}
        try:
            with submitter.batch():
                jobs = [submitter.submit(PartOfWork(function, list(part.items))) for part in parts]
        except submitit.core.utils.FailedJobError as error:
            raise ExecutorError(f"Slurm refuses the jobs: {' '.join(str(error).split())}") from error
        return dict(zip(jobs, parts, strict=True))


@dataclass
class PartOfWork:
    """What one job does; submitit stores it when Slurm preempts the job, and the requeued job goes on with it."""

    function: Callable[[Any], Any]
    items: list[Any]
    events: list[Done | Failed] = field(default_factory=list)

    def __call__(self) -> list[Done | Failed]:
        """Do what is left."""
        with entered(self.function) as ready:
            while len(self.events) < len(self.items):
                self.events.append(attempt(ready, self.items[len(self.events)]))
        return self.events

    def checkpoint(self) -> Any:
        """Called by submitit."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


@dataclass(frozen=True)
class _Part:
    items: Sequence[Any]
    losses: int = 0
    """Jobs that this one item alone has lost."""

    def halves(self) -> tuple[_Part, _Part]:
        middle = len(self.items) // 2
        return _Part(self.items[middle:]), _Part(self.items[:middle])


def _lost(job: Any) -> str:
    """Why a job has no result; '' if it has one.

    Raises:
        ExecutorError: the job could not begin: no other would.
    """
    error = job.exception()
    if error is None:
        return ""
    text = str(error).strip()
    if "failed during processing" in text and "UncompletedJobError" not in text:
        last_lines = [
            line for line in text.splitlines() if line.strip() and not line.startswith(("-", "  -", "You can"))
        ]
        raise ExecutorError(f"jobs end as soon as they start: {last_lines[-1].strip()}; logs: {job.paths.stderr}")
    return text.splitlines()[0]


def _results(part: _Part, job: Any) -> Generator[tuple[Any, Any], None, None]:
    for item, event in zip(part.items, job.result(), strict=True):
        if isinstance(event, Failed):
            raise event.error
        yield item, event.result
    for path in job.paths.folder.glob(f"{job.job_id}_*"):  # thousands of them would stay; those of lost jobs do
        path.unlink(missing_ok=True)
