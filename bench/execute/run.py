"""Run a spec into a store: prepare the inputs, restore and measure what is missing, commit every result at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ..plan.declare import declare_images, declare_methods, declare_metrics
from ..plan.disk_list import Spool
from ..plan.experiment import Experiment, find_everything
from ..plan.jobs import Job
from ..plan.missing import Scope, plan
from ..spec import Spec
from ..store.provenance import now, provenance
from ..store.records import CellRecord, OutputRecord, Place
from ..store.store import Store, open_store
from .dispatch import dispatch
from .executors.choose import choose
from .executors.executor import Executor, WorkerDied, never
from .library_noise import quiet_libraries
from .prepare_inputs import Progress, StoppedError, prepare_inputs
from .status_file import Watch

_ROWS = 1000
"""Number of planned rows that are stored in one transaction."""


@dataclass(frozen=True)
class Summary:
    """Numbers of cells that a run measured, kept and could not measure, with the reasons."""

    measured: int
    """Number of cells that this run measured."""
    kept: int
    """Number of cells that the store had before."""
    failed: int
    """Number of outputs and cells that failed in this run or before."""
    unavailable: int
    messages: tuple[str, ...]
    """The different reasons for failed and unavailable cells, most frequent first."""
    details: tuple[str, ...]
    """The different tracebacks of users' code."""
    spared: tuple[str, ...] = ()
    """Weights that optional methods and metrics of the spec lack, and how to get them; not counted as unavailable."""

    @property
    def complete(self) -> bool:
        """Whether every cell of the spec has a value, except those of optional methods and metrics without weights."""
        return self.failed == 0 and self.unavailable == 0


@dataclass
class _Tally:
    """Counts of a run so far; the rows themselves are only in the store."""

    measured: int = 0
    bad: Counter[str] = field(default_factory=Counter)
    """Outputs and cells without a value, by status."""
    reasons: Counter[str] = field(default_factory=Counter)
    details: dict[str, None] = field(default_factory=dict)
    spared: dict[str, None] = field(default_factory=dict)
    """Reasons why optional methods and metrics have no value."""
    optional: frozenset[str] = frozenset()
    """Names of optional methods and metrics."""

    def count(self, outputs: Sequence[OutputRecord]) -> None:
        """Count the values and problems of rows, whether the store had them before or not."""
        for output in outputs:
            self.measured += sum(cell.value is not None for cell in output.cells)
            lost = output.method in self.optional and output.status == "unavailable"
            for item in output.cells or (output,):
                metric = item.metric if isinstance(item, CellRecord) else ""
                if lost or (metric in self.optional and item.status == "unavailable" and not output.message):
                    self.spared[output.message or f"{metric}: {item.message}"] = None
                elif item.status != "done":
                    self.bad[item.status] += 1
                    self.reasons[output.message or item.message] += 1
                    self.details |= dict.fromkeys(filter(None, [output.detail, item.detail]))

    def summary(self, kept: int) -> Summary:
        return Summary(
            measured=self.measured,
            kept=kept,
            failed=self.bad["failed"],
            unavailable=self.bad["unavailable"],
            messages=tuple(reason for reason, _ in self.reasons.most_common()),
            details=tuple(self.details),
            spared=tuple(self.spared),
        )


def run(
    spec: Spec,
    store: Path,
    *,
    scope: Scope = "all",
    progress: Progress | None = None,
    stop: Callable[[], bool] = never,
) -> Summary:
    """Restore and measure everything of a spec that a store lacks; it may be stopped at any moment and run again.

    Args:
        spec: the spec.
        store: folder of the store, which is made if it is missing.
        scope: which cells without a value are tried.
        progress: called with the stage, the number of images done and the number of all images.
        stop: asked again and again; once it returns true, no further job is started, and running jobs are finished and
            stored.

    Raises:
        StoppedError: ``stop`` became true before the end.
        StoreError: the store cannot be written, or another process writes it.
        ExecutorError: no workers can be started.
        SpecError, ProtocolError, MetricError, MethodError, DatasetError: see ``find_everything``.
    """
    quiet_libraries()
    experiment = find_everything(spec)
    progress = progress or (lambda stage, done, total: None)
    with choose(spec, store) as executor, open_store(store, write=True) as opened:
        # The finished store of another spec is kept as it is: outputs are added, never removed.
        stored_spec = spec.model_dump(mode="json")
        if experiment.protocol.own:
            stored_spec["conventions"] = asdict(experiment.protocol)
        number = opened.begin_run(now(), stored_spec, provenance(spec.device, spec.threads))
        watch = Watch(store, number)
        try:
            summary = _run(experiment, opened, executor, number, scope, progress, stop, watch)
        except BaseException as error:
            stopped = isinstance(error, StoppedError) or not isinstance(error, Exception)
            watch.end("stopped" if stopped else "failed", str(error))
            raise
        watch.end("finished")
    return summary


def _run(
    experiment: Experiment,
    store: Store,
    executor: Executor,
    number: int,
    scope: Scope,
    progress: Progress,
    stop: Callable[[], bool],
    watch: Watch,
) -> Summary:
    declare_metrics(experiment, store)
    declare_methods(experiment, store)
    tally, jobs = _Tally(optional=frozenset(experiment.spec.optional)), Spool[Job]()
    total = cells = kept = done = 0
    inputs = prepare_inputs(experiment, store, executor, progress, stop, watch)
    declare_images(experiment, store, inputs, number)
    rows: list[OutputRecord] = []
    planned_keys: list[tuple[Place, str]] = []

    def keep() -> None:
        store.want(planned_keys)
        planned_keys.clear()
        store.commit(rows, number)
        watch.planned(rows)
        tally.count(rows)
        rows.clear()

    for planned in plan(experiment, store, inputs, scope):
        kept += planned.done
        if planned.job is not None:
            jobs.append(planned.job)
            planned_keys += [
                (planned.job.place(task), task.restoration) for task in planned.job.tasks if task.sr is None
            ]
            total += len(planned.job.tasks)
            cells += sum(len(task.metrics) for task in planned.job.tasks)
        if planned.record is not None and planned.stored:
            tally.count([planned.record])
        elif planned.record is not None:
            rows.append(planned.record)
        if len(rows) + len(planned_keys) >= _ROWS:
            keep()
    keep()
    stage = "restoring and measuring"
    watch.stage(stage, cells, kept)
    progress(stage, done, total)
    with closing(dispatch(experiment, executor, jobs, store, stop)) as results:
        for job, records in results:
            if isinstance(records, WorkerDied):
                records = [job.failed(task, records.message) for task in job.tasks]
            store.commit(records, number)
            watch.performed(job, records)
            tally.count(records)
            done += len(job.tasks)
            progress(stage, done, total)
    if done < total:
        raise StoppedError(f"stopped with {total - done} of {total} images left to do")
    store.finish_run(number, now())
    return tally.summary(kept)
