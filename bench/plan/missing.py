"""From a spec to the jobs that are missing. Planning reads file digests and keys; it loads no image and no network."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from math import ceil
from pathlib import Path
from typing import Any, Literal, Protocol

from ...datasets.dataset import Dataset, Sample, folder_dataset
from ...datasets.find import parse_dataset_option
from ...datasets.ground_truth.attach import KINDS, parse_truth_option, with_truth
from ...datasets.names import name_problem
from ...methods import hr as ceiling
from ...methods.entry import MethodEntry
from ...methods.errors import MethodError, MissingWeightsError
from ...methods.interface import MethodCard
from ...methods.reference import anchored
from ...methods.registry import resolve
from ..metrics.measure import grouped, images_together
from ..metrics.metric import Metric
from ..metrics.registry import get_metric
from ..protocols import Protocol as Conventions
from ..protocols import get_protocol
from ..spec import DatasetEntry, Spec, SpecError
from ..store.records import CellRecord, OutputRecord, PlaceState
from ..store.store import Store
from .inputs import Input
from .jobs import Job, MetricCode, Task, key_of, restoration_of


@dataclass(frozen=True)
class PlannedMethod:
    """A method of the experiment under its name."""

    name: str
    reference: str
    """JSON of the reference, for workers."""
    card: MethodCard | None
    entry: MethodEntry | None
    unavailable: str = ""
    """Why there is no entry, and what to do."""

    def seeds(self, spec: Spec) -> tuple[int, ...]:
        """Seeds to run: the spec's for seeded methods, 0 alone for deterministic ones."""
        return spec.seeds if self.entry is not None and not self.entry.card.deterministic else (0,)


@dataclass(frozen=True)
class Experiment:
    """A spec with everything in it found: nothing of it is unknown, though weights may be missing."""

    spec: Spec
    protocol: Conventions
    metrics: tuple[Metric, ...]
    datasets: tuple[Dataset, ...]
    methods: tuple[PlannedMethod, ...]

    def inputs(self) -> Iterator[tuple[Dataset, Input]]:
        """Every image once for each way in which the methods take it."""
        luma = {self._on_luma(method) for method in self.methods}
        for dataset in self.datasets:
            for sample in dataset.samples:
                views = {self._input(sample, dataset, on_luma=on_luma) for on_luma in sorted(luma)}
                yield from ((dataset, view) for view in sorted(views, key=lambda view: view.on_luma))

    def outputs(self) -> Iterator[tuple[PlannedMethod, int, Dataset, Input]]:
        """Every (method, seed, dataset, input), method by method, so that a worker loads each model once."""
        for method in self.methods:
            for seed in method.seeds(self.spec):
                for dataset in self.datasets:
                    for sample in dataset.samples:
                        view = self._input(sample, dataset, on_luma=self._on_luma(method))
                        yield method, seed, dataset, view

    def _input(self, sample: Sample, dataset: Dataset, *, on_luma: bool) -> Input:
        return Input.of(sample, dataset.lq_rule, self.spec.scale, on_luma=on_luma, crop=self.spec.crop)

    def _on_luma(self, method: PlannedMethod) -> bool:
        return self.protocol.on_luma and method.entry is not None and method.entry.interface == "pixels"


def find_everything(spec: Spec) -> Experiment:
    """Resolve the names of a spec.

    Raises:
        SpecError, ProtocolError, MetricError, MethodError, DatasetError, LqRuleError: a name that is unknown or used
            twice, or a folder that cannot be used. Missing weights are no error here: their cells become
            ``unavailable``.
    """
    protocol = get_protocol(spec.protocol, spec.scale)
    metrics = tuple(get_metric(id) for id in spec.metrics)
    repeated = [id for id, count in Counter(metric.id for metric in metrics).items() if count > 1]
    if repeated:
        raise SpecError(f"metric '{repeated[0]}' is there twice")
    methods = _with_bounds(tuple(_planned(reference) for reference in spec.methods), metrics)
    datasets = _with_truth(tuple(_dataset(entry, spec) for entry in spec.datasets), spec)
    for kind, names in (("method", [m.name for m in methods]), ("dataset", [d.name for d in datasets])):
        if not names:
            raise SpecError(f"spec '{spec.name}' has no {kind}s; add some or give --{kind}")
        for name in names:
            if problem := name_problem(name):
                raise SpecError(f"{kind} '{ascii(name)[1:-1]}': its name {problem}; give it another one (NAME=...)")
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise SpecError(f"{kind} '{repeated[0]}' is there twice; give one of them another name (NAME=...)")
    for method in methods:
        scales = method.entry.card.scales if method.entry else ()
        if scales and spec.scale not in scales:
            raise SpecError(
                f"method '{method.name}' is made for scale {', '.join(map(str, scales))}, not {spec.scale};"
                " give --scale or leave it out"
            )
    _require_truth(metrics, datasets, spec)
    return Experiment(spec, protocol, metrics, datasets, methods)


def _require_truth(metrics: tuple[Metric, ...], datasets: tuple[Dataset, ...], spec: Spec) -> None:
    there = {source.kind for dataset in datasets for sample in dataset.samples for source in sample.truths}
    for metric in metrics:
        if metric.needs in KINDS and spec.crop is not None:
            raise SpecError(
                f"metric '{metric.id}' needs whole images: ground truth does not follow a crop; leave it out"
            )
        if metric.needs in KINDS and metric.needs not in there:
            raise SpecError(
                f"metric '{metric.id}' needs {metric.needs} truth, and no dataset here has any; give --truth"
                f" DATASET={metric.needs}:PATH, or compare with HR: '{metric.id}:hr'"
            )


def _planned(reference: str | Mapping[str, Any]) -> PlannedMethod:
    text = json.dumps(anchored(reference, Path.cwd()), sort_keys=True)
    try:
        entry = resolve(reference)
    except MissingWeightsError as error:
        return PlannedMethod(error.method, text, None, None, unavailable=str(error))
    return PlannedMethod(entry.card.id, text, entry.card, entry)


def _with_bounds(methods: tuple[PlannedMethod, ...], metrics: tuple[Metric, ...]) -> tuple[PlannedMethod, ...]:
    """HR and bicubic join wherever a metric needs its ceiling and its floor."""
    names = {method.entry.origin or method.entry.card.id for method in methods if method.entry is not None}
    added = [id for id in (ceiling.CARD.id, ceiling.FLOOR) if id not in names]
    if not methods or not any(metric.bounded for metric in metrics):
        return methods
    return (*(_planned(id) for id in added), *methods)


def _dataset(entry: str | DatasetEntry, spec: Spec) -> Dataset:
    dataset = _whole(entry, spec)
    return dataset if spec.crop is None else replace(dataset, name=f"{dataset.name} (crop {spec.crop})")


def _whole(entry: str | DatasetEntry, spec: Spec) -> Dataset:
    if isinstance(entry, str):
        return parse_dataset_option(entry, spec.scale, spec.lq_rule)
    hr, lq = (Path(folder) if folder else None for folder in (entry.hr, entry.lq))
    dataset = folder_dataset(
        entry.name, hr=hr, lq=lq, scale=spec.scale, lq_rule=None if lq else entry.lq_rule or spec.lq_rule
    )
    for kind in KINDS:
        path: str | None = getattr(entry, kind)
        if path is not None:
            dataset = with_truth(dataset, kind, Path(path), void=entry.void, zero_is_void=entry.zero_is_void)
    return dataset


def _with_truth(datasets: tuple[Dataset, ...], spec: Spec) -> tuple[Dataset, ...]:
    by_name = {dataset.name: dataset for dataset in datasets}
    for text in spec.truth:
        name, kind, path, void = parse_truth_option(text)
        if name not in by_name:
            raise SpecError(f"truth '{text}': no dataset '{name}' here (there are: {', '.join(by_name)})")
        by_name[name] = with_truth(by_name[name], kind, path, void=void)
    return tuple(by_name[dataset.name] for dataset in datasets)


InputPlace = tuple[str, str, bool]
"""Dataset, image, and whether it is taken as a Y plane."""


def input_place(dataset: Dataset, item: Input) -> InputPlace:
    """Where an input belongs."""
    return dataset.name, item.image, item.on_luma


_STRETCH = 1024
"""Outputs that are planned together, so that neighbours can share a job."""
Scope = Literal["all", "untried", "failed"]
"""Cells without a value that a run tries: all, those that never failed, or only those that failed."""


@dataclass(frozen=True)
class Planned:
    """Something that planning found."""

    job: Job | None = None
    record: OutputRecord | None = None
    """A row that needs no work: results known under another name, or an output that cannot be made."""
    stored: bool = False
    """The store has this row already: it is counted alone."""
    done: int = 0
    """Cells that were there already."""


class Inputs(Protocol):
    """What is known of inputs when planning begins."""

    def key(self, place: InputPlace) -> str:
        """Input key; '' where the files cannot be read."""

    def error(self, place: InputPlace) -> str:
        """Why an input could not be prepared; '' if it could."""


def plan(experiment: Experiment, store: Store, inputs: Inputs, scope: Scope = "all") -> Iterator[Planned]:
    """Compare what the experiment wants with what the store has, image by image: nothing is held of all of them.

    Args:
        scope: which cells without a value are tried.
    """
    unavailable = {metric.id: metric.missing() for metric in experiment.metrics}
    # Keys hold digests of weights; where weights are missing, those count that the store's values were measured with.
    cards = store.metrics()
    implementations = {
        metric.id: (cards[metric.id].version if metric.id in cards else "")
        if unavailable[metric.id] else metric.implementation
        for metric in experiment.metrics
    }  # fmt: skip
    code = tuple(
        MetricCode(metric.id, metric.code, implementations[metric.id]) for metric in experiment.metrics if metric.code
    )
    folders: dict[tuple[str, str, int], tuple[Job, list[Task]]] = {}
    for stretch in grouped(experiment.outputs(), _STRETCH):
        jobs: list[Job] = []
        for method, seed, dataset, item in stretch:
            blank = Job(
                dataset=dataset.name,
                method=method.name,
                reference=method.reference,
                protocol=experiment.protocol.name,
                scale=experiment.spec.scale,
                seed=seed,
                lq_rule=dataset.lq_rule,
                tasks=(),
                code=code,
            )
            place = (blank.protocol, blank.scale, blank.dataset, item.image, blank.method, blank.seed)
            state = store.state_of(place)
            if scope == "untried" and state is not None and state.status == "failed":
                continue
            if scope == "failed" and (state is None or not state.failed):
                continue
            task = _task(experiment, blank, method, dataset, item, store, inputs)
            if isinstance(task, OutputRecord):
                yield Planned(record=task)
                continue
            if scope != "all" and state is not None:
                wanted = scope == "failed"
                task = replace(task, metrics=tuple(one for one in task.metrics if (one in state.failed) is wanted))
            cells = _known_cells(experiment, task, store, implementations)
            yield Planned(done=len(cells))
            cells |= {
                metric: CellRecord(metric, "unavailable", message=unavailable[metric])
                for metric in task.metrics
                if metric not in cells and unavailable[metric]
            }
            missing = tuple(metric for metric in task.metrics if metric not in cells)
            record = replace(blank.record(task), cells=tuple(cells.values()))
            if task.sr is not None and not missing:
                yield Planned(record=record, stored=_recorded(state, task, cells))
                continue
            if cells:
                yield Planned(record=record)
            task = replace(task, metrics=missing)
            if method.entry is not None and method.entry.interface == "folder":
                folders.setdefault((blank.dataset, blank.method, blank.seed), (blank, []))[1].append(task)
            else:
                jobs.append(replace(blank, tasks=(task,)))
        yield from (Planned(job=job) for job in _joined(jobs, experiment))
    yield from (Planned(job=replace(job, tasks=tuple(tasks))) for job, tasks in folders.values())


def _joined(jobs: list[Job], experiment: Experiment) -> list[Job]:
    """Put neighbouring images of one method into one job where networks measure them together."""
    spec = experiment.spec
    together = images_together(spec.batch, spec.device)
    networks = {metric.id for metric in experiment.metrics if metric.measure_many is not None}
    if together == 1 or not networks:
        return jobs
    joined: list[Job] = []
    for (_, _, _, networks_missing), alike in groupby(
        jobs, key=lambda job: (job.dataset, job.method, job.seed, not networks.isdisjoint(job.tasks[0].metrics))
    ):
        rest = list(alike)
        size = min(together, ceil(len(rest) / (spec.workers or 1)))  # no worker waits while another has several
        joined += [
            replace(part[0], tasks=tuple(task for job in part for task in job.tasks))
            for part in grouped(rest, size if networks_missing else 1)
        ]
    return joined


def _task(
    experiment: Experiment,
    job: Job,
    method: PlannedMethod,
    dataset: Dataset,
    item: Input,
    store: Store,
    inputs: Inputs,
) -> Task | OutputRecord:
    """The task of one output, or the row that says why there can be none."""
    place = input_place(dataset, item)
    lq, reference = store.input_of(inputs.key(place)) or ("", None)
    has_hr, kinds = item.hr is not None, [source.kind for source in item.truths]
    is_hr = method.entry is not None and method.entry.interface == "reference"
    metrics = tuple(
        one.id
        for one in experiment.metrics
        if one.applies(reference=has_hr, lq_rule=job.lq_rule, truths=kinds) and (one.bounded or not is_hr)
    )
    blank = Task(item.image, lq, reference, "", None, metrics, item.truths)
    if error := inputs.error(place):
        return job.failed(blank, error)
    if method.entry is None:
        cells = tuple(CellRecord(metric, "unavailable", message=method.unavailable) for metric in metrics)
        return replace(job.record(blank), status="unavailable", message=method.unavailable, cells=cells)
    try:
        key = restoration_of(method.entry, job, blank)
    except (MethodError, OSError) as problem:
        return job.failed(blank, str(problem))
    sr = store.restoration_of(key)
    if sr is not None and store.objects.path(sr) is None:
        sr = None
    return replace(blank, restoration=key, sr=sr)


def _known_cells(
    experiment: Experiment, task: Task, store: Store, implementations: Mapping[str, str]
) -> dict[str, CellRecord]:
    """Cells of a task whose scores the store has."""
    if task.sr is None:
        return {}
    keys = {
        metric.id: key_of(metric, task, experiment.protocol, implementations[metric.id])
        for metric in experiment.metrics
        if metric.id in task.metrics
    }
    return {id: CellRecord(id, "done", key=key) for id, key in keys.items() if store.has_score(key)}


def _recorded(state: PlaceState | None, task: Task, cells: Mapping[str, CellRecord]) -> bool:
    return (
        state is not None
        and state.status == "done"
        and (state.restoration, state.lq, state.reference) == (task.restoration, task.lq, task.reference)
        and all(state.cells.get(id) == (cell.key, cell.status) for id, cell in cells.items())
    )
