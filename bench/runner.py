"""Run a spec into a store: prepare the inputs, restore and measure what is missing, commit every result at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

from .executors.choose import choose
from .executors.executor import Executor, InProcess, TwoHalves, WorkerDied, never
from .halves import begin, finish
from .inputs import Input
from .parcels import Parcels, begin_parcel, finish_parcel, perform_parcel
from .plan import Experiment, Known, Plan, Scope, find_everything, plan, read_keys
from .provenance import now, provenance
from .spec import Spec
from .store import OutputRecord, Store, open_store
from .watch import Watch
from .worker import Job, perform, prepare

Progress = Callable[[str, int, int], None]
"""Called with (stage, done, total)."""


class StoppedError(RuntimeError):
    """The run was asked to stop before its end; what is finished is stored."""


@dataclass(frozen=True)
class Summary:
    """What a run did."""

    measured: int
    """Cells measured by this run."""
    kept: int
    """Cells that the store had before."""
    failed: int
    """Outputs and cells that failed in this run or before."""
    unavailable: int
    messages: tuple[str, ...]
    """The different reasons for failed and unavailable cells, most frequent first."""

    changed: bool
    """The store has rows that it had not before."""

    @property
    def complete(self) -> bool:
        """Every cell of the spec has a value."""
        return self.failed == 0 and self.unavailable == 0


@dataclass
class _Tally:
    """What a run did so far; the rows themselves are in the store alone."""

    measured: int = 0
    outputs: int = 0
    bad: Counter[str] = field(default_factory=Counter)
    """Outputs and cells without a value, by status."""
    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, outputs: Sequence[OutputRecord]) -> None:
        self.outputs += len(outputs)
        for output in outputs:
            self.measured += sum(cell.value is not None for cell in output.cells)
            for item in output.cells or (output,):
                if item.status != "done":
                    self.bad[item.status] += 1
                    self.reasons[output.message or item.message] += 1

    def summary(self, kept: int) -> Summary:
        return Summary(
            measured=self.measured,
            kept=kept,
            failed=self.bad["failed"],
            unavailable=self.bad["unavailable"],
            messages=tuple(reason for reason, _ in self.reasons.most_common()),
            changed=self.outputs > 0,
        )


def run(
    spec: Spec,
    store: Path,
    *,
    scope: Scope = "all",
    progress: Progress | None = None,
    stop: Callable[[], bool] = never,
) -> Summary:
    """Do what a store lacks of a spec.

    Args:
        store: folder of the store; made if missing. It may be stopped at any moment and run again.
        scope: which cells without a value are tried.
        stop: once it is true, nothing more is begun; what is in flight is finished and stored.

    Raises:
        StoppedError: ``stop`` became true before the end.
        StoreError: the store cannot be written, or another process writes it.
        ExecutorError: there are no workers to be had.
        SpecError, ProtocolError, MetricError, MethodError, DatasetError: see ``find_everything``.
    """
    experiment = find_everything(spec)
    tell = progress or (lambda stage, done, total: None)
    with choose(spec, store) as executor, open_store(store, write=True) as opened:
        # The finished store of another spec is kept as it is: outputs are added, never removed.
        number = opened.begin_run(now(), spec.model_dump(mode="json"), provenance(spec.device))
        watch = Watch(store, number)
        try:
            summary = _run(experiment, opened, executor, number, scope, tell, stop, watch)
        except BaseException as error:
            stopped = isinstance(error, StoppedError) or not isinstance(error, Exception)
            watch.end("stopped" if stopped else "failed", str(error))
            raise
        watch.end("finished")
    return summary


def _run(
    experiment: Experiment, store: Store, executor: Executor, number: int, scope: Scope, tell: Progress,
    stop: Callable[[], bool], watch: Watch,
) -> Summary:  # fmt: skip
    for method in experiment.methods:
        if method.entry is not None:
            store.add_method(method.name, asdict(method.entry.card), method.entry.weights_digest)
    work = _plan(experiment, store, executor, scope, tell, stop, watch)
    store.commit(work.records, number)
    watch.planned(work.records)
    tally = _Tally()
    tally.add(work.records)
    total, done = sum(len(job.tasks) for job in work.jobs), 0
    stage = "restoring and measuring"
    watch.stage(stage, work.cells, work.done)
    tell(stage, done, total)
    with closing(_results(executor, work.jobs, store, experiment.spec.device, stop)) as results:
        for job, records in results:
            if isinstance(records, WorkerDied):
                records = [job.failed(task, records.message) for task in job.tasks]
            store.commit(records, number)
            watch.performed(job, records)
            tally.add(records)
            done += len(job.tasks)
            tell(stage, done, total)
    if done < total:
        raise StoppedError(f"stopped with {total - done} of {total} images left to do")
    store.finish_run(number, now())
    return tally.summary(work.done)


def _results(
    executor: Executor, jobs: list[Job], store: Store, device: str, stop: Callable[[], bool]
) -> Generator[tuple[Job, list[OutputRecord] | WorkerDied], None, None]:
    """Jobs with their rows, in any order; the images that rows refer to are in the store before them."""
    if executor.shares_files:
        objects = store.objects
        yield from executor.map(
            TwoHalves(
                partial(perform, objects=objects, device=device),
                partial(begin, objects=objects, device=device),
                partial(finish, objects=objects),
            ),
            jobs,
            stop,
        )
        return
    parcelled = TwoHalves(partial(perform_parcel, device=device), partial(begin_parcel, device=device), finish_parcel)
    with closing(executor.map(parcelled, Parcels(jobs, store.objects), stop)) as results:
        for parcel, result in results:
            if isinstance(result, WorkerDied):
                yield parcel.job, result
            else:
                records, files = result
                store.objects.write_files(files)
                yield parcel.job, records


def _plan(
    experiment: Experiment,
    store: Store,
    executor: Executor,
    scope: Scope,
    tell: Progress,
    stop: Callable[[], bool],
    watch: Watch,
) -> Plan:
    """Bring every input into the store, then find the jobs."""
    keys, errors = read_keys(experiment)
    known = Known(
        store.inputs(), store.restorations(), store.score_keys(), store.places(), objects=store.objects.known()
    )
    missing = {key: item for item, key in keys.items() if not _has_input(known, key)}
    done = 0
    watch.stage("preparing images", len(missing))
    maker = executor if executor.shares_files else InProcess()  # the files are here
    with closing(maker.map(partial(prepare, objects=store.objects), list(missing.items()), stop)) as work:
        for (key, item), result in work:
            error = ""
            if isinstance(result, WorkerDied) or result.lq is None:
                error = result.message if isinstance(result, WorkerDied) else result.error
                errors |= _same_key(keys, key, error)
            else:
                store.add_inputs([(key, result.lq, result.reference)])
                known.inputs[key] = (result.lq, result.reference)
            done += 1
            watch.prepared(error, item.image)
            tell("preparing images", done, len(missing))
    if done < len(missing):
        raise StoppedError(f"stopped with {len(missing) - done} of {len(missing)} images left to prepare")
    return plan(experiment, known, keys, errors, scope=scope)


def _has_input(known: Known, key: str) -> bool:
    lq, reference = known.inputs.get(key, ("", None))
    return lq in known.objects and (reference is None or reference in known.objects)


def _same_key(keys: dict[Input, str], key: str, error: str) -> dict[Input, str]:
    return {item: error for item, other in keys.items() if other == key}
