"""The progress of a run: a small file in the store's folder, which ``status`` reads, and a log.

The file is always replaced as a whole, so that a kill cannot damage it; it is not synchronised with the disk, so that
it does not delay the run.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import platform
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

from ..plan.jobs import Job
from ..store.records import OutputRecord

FILE = "progress.json"
log = logging.getLogger("asasr_bench.run")
log.addHandler(logging.NullHandler())  # else Python prints warnings that nobody asked for
_EVERY = 1.0
"""Seconds between two writings of the file."""
_WINDOW = 60.0
"""Seconds over which the rate is taken."""

Ending = Literal["running", "finished", "stopped", "failed"]


@dataclass(frozen=True)
class WorkerProgress:
    """Progress of one worker in this run."""

    cells: int = 0
    failed: int = 0
    last: str = ""
    """Image and method of its last job."""
    heard: float = 0.0
    """Time at which that job was finished, seconds since 1970."""


@dataclass(frozen=True)
class RunProgress:
    """A run at one moment; times are seconds since 1970."""

    run: int
    process: int
    host: str
    started: float
    heard: float
    ending: Ending = "running"
    stage: str = "planning"
    since: float = 0.0
    """When the stage began."""
    done: int = 0
    """Images prepared, or cells measured, of the stage."""
    total: int = 0
    failed: int = 0
    kept: int = 0
    """Cells that were in the store before."""
    rate: float = 0.0
    """Per second, over the last minute."""
    message: str = ""
    workers: dict[str, WorkerProgress] = field(default_factory=dict)

    @property
    def seconds_left(self) -> float | None:
        """Of this stage at the present rate; None where nothing was done lately."""
        return (self.total - self.done) / self.rate if self.rate > 0 else None

    def alive(self) -> bool | None:
        """Whether the process is there; None where it is on another host."""
        if self.host != platform.node():
            return None
        try:
            os.kill(self.process, 0)
        except (ProcessLookupError, OverflowError):
            return False
        except PermissionError:
            return True
        return True


def read_progress(root: Path) -> RunProgress | None:
    """Progress of the last run of a store; None if there is no status file."""
    from pydantic import TypeAdapter

    try:
        return TypeAdapter(RunProgress).validate_json((root / FILE).read_bytes())
    except (OSError, ValueError):
        return None


class Watch:
    """Writes the status file and the log of one run."""

    def __init__(self, root: Path, run: int, clock: Callable[[], float] = time.time) -> None:
        self._path, self._clock = root / FILE, clock
        self._written = 0.0
        self._steps: deque[tuple[float, int]] = deque()
        self.progress = RunProgress(run, os.getpid(), platform.node(), clock(), clock())
        _tell(logging.INFO, "run started", run=run, store=str(root), process=os.getpid(), host=platform.node())

    def stage(self, stage: str, total: int, kept: int = 0) -> None:
        """A new stage begins."""
        self._steps.clear()
        self.progress = replace(
            self.progress, stage=stage, since=self._clock(), done=0, total=total, kept=kept, rate=0.0
        )
        self._step(0)
        self._write()
        _tell(logging.INFO, "stage", stage=stage, total=total, kept=kept)

    def prepared(self, error: str, image: str) -> None:
        """An image was prepared, or could not be."""
        self._step(1)
        self._write(_EVERY)
        if error:
            _tell(logging.WARNING, "image not prepared", image=image, message=error)

    def performed(self, job: Job, records: Sequence[OutputRecord]) -> None:
        """A job was done, or given up because it kills its workers."""
        cells = sum(len(task.metrics) for task in job.tasks)
        self._step(cells)
        worker = records[0].worker if records else ""
        before = self.progress.workers.get(worker, WorkerProgress())
        last = f"{job.dataset}/{job.tasks[-1].image}, {job.name}"
        now = WorkerProgress(before.cells + cells, before.failed + self._failures(records), last, self._clock())
        self.progress = replace(self.progress, workers={**self.progress.workers, worker: now})
        images, seconds = [task.image for task in job.tasks], sum(record.seconds or 0.0 for record in records)
        _tell(
            logging.INFO,
            "job done",
            dataset=job.dataset,
            images=images,
            method=job.name,
            seed=job.seed,
            worker=worker,
            cells=cells,
            seconds=seconds,
        )
        self._write(_EVERY)

    def end(self, ending: Ending, message: str = "") -> None:
        """The run is over."""
        self.progress = replace(self.progress, ending=ending, message=message)
        self._write()
        level = logging.INFO if ending == "finished" else logging.ERROR
        _tell(
            level,
            f"run {ending}",
            done=self.progress.done,
            total=self.progress.total,
            failed=self.progress.failed,
            message=message,
        )

    def planned(self, records: Sequence[OutputRecord]) -> None:
        """Rows that need no work, those of unreadable files among them."""
        self._failures(records)

    def _failures(self, records: Sequence[OutputRecord]) -> int:
        bad = [(record, cell) for record in records for cell in record.cells if cell.status == "failed"]
        for record, cell in bad:
            detail = record.detail or cell.detail
            _tell(
                logging.WARNING,
                "cell failed",
                dataset=record.dataset,
                image=record.image,
                method=record.method,
                seed=record.seed,
                metric=cell.metric,
                message=record.message or cell.message,
                **({"traceback": detail} if detail else {}),
            )
        self.progress = replace(self.progress, failed=self.progress.failed + len(bad))
        return len(bad)

    def _step(self, amount: int) -> None:
        now, done = self._clock(), self.progress.done + amount
        self._steps.append((now, done))
        while len(self._steps) > 2 and now - self._steps[0][0] > _WINDOW:
            self._steps.popleft()
        then, first = self._steps[0]
        rate = (done - first) / (now - then) if now > then else 0.0
        self.progress = replace(self.progress, done=done, rate=rate, heard=now)

    def _write(self, after: float = 0.0) -> None:
        now = self._clock()
        if after and 0 <= now - self._written < after:
            return
        self._written = now
        temporary = self._path.with_suffix(".tmp")
        with contextlib.suppress(OSError):  # a full disk ends the run by itself, with a better message
            temporary.write_text(json.dumps(asdict(self.progress)), encoding="utf-8")
            temporary.replace(self._path)


def _tell(level: int, event: str, **fields: object) -> None:
    log.log(level, event, extra={"fields": fields})
