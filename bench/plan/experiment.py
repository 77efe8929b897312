"""Resolve the names in a spec: its metrics, datasets and methods."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from ...datasets.dataset import Dataset, Sample
from ...datasets.ground_truth.attach import KINDS, parse_truth_option, with_truth
from ...datasets.lq import MATLAB_BICUBIC, parse_lq_rule
from ...datasets.names import name_problem
from ...methods import hr as ceiling
from ...methods.entry import MethodEntry
from ...methods.errors import MissingWeightsError
from ...methods.interface import Interface, MethodCard
from ...methods.reference import MethodReference, parse_reference, with_absolute_paths
from ...methods.registry import resolve
from ..metrics.measure import images_together
from ..metrics.metric import Metric
from ..metrics.registry import get_metric
from ..protocols import Protocol as Conventions
from ..protocols import get_protocol
from ..spec import DatasetEntry, Spec, SpecError
from .find_datasets import find_dataset
from .inputs import Input
from .part import parts_of


@dataclass(frozen=True)
class PlannedMethod:
    """A method of the experiment under its name."""

    name: str
    reference: MethodReference
    """Reference that is valid in workers with another working folder."""
    card: MethodCard | None
    entry: MethodEntry | None
    unavailable: str = ""
    """Why there is no entry, and the remedy."""

    @property
    def is_finished(self) -> bool:
        """Whether the method is a folder of finished images, so that nothing is restored."""
        return self.entry is not None and self.entry.interface == Interface.FINISHED

    def seeds(self, spec: Spec) -> tuple[int, ...]:
        """Seeds to run: those of the spec for a seeded method, ``(0,)`` for a deterministic one."""
        return spec.seeds if self.entry is not None and not self.entry.card.deterministic else (0,)


@dataclass(frozen=True)
class Experiment:
    """A spec whose names are resolved; weights of methods and metrics may still be missing."""

    spec: Spec
    protocol: Conventions
    metrics: tuple[Metric, ...]
    datasets: tuple[Dataset, ...]
    methods: tuple[PlannedMethod, ...]

    def inputs(self) -> Iterator[tuple[Dataset, Input]]:
        """Every image once for each form of LQ (colour or Y plane) that a method takes."""
        luma = {self._on_luma(method) for method in self.methods}
        for dataset in self.datasets:
            for sample in dataset.samples:
                views = {self._input(sample, dataset, on_luma=on_luma) for on_luma in sorted(luma)}
                yield from ((dataset, view) for view in sorted(views, key=lambda view: view.on_luma))

    def outputs(self) -> Iterator[tuple[PlannedMethod, int, Dataset, Input]]:
        """Every method, seed, dataset and input, method by method, so that a worker loads each model once.

        Finished images of several methods need no model and come image by image, so that what a metric computes from an
        HR image is used for all of them.
        """
        for methods in self._together():
            for seed in dict.fromkeys(seed for method in methods for seed in method.seeds(self.spec)):
                for dataset in self.datasets:
                    for sample in dataset.samples:
                        for method in methods:
                            if seed in method.seeds(self.spec):
                                view = self._input(sample, dataset, on_luma=self._on_luma(method))
                                yield method, seed, dataset, view

    def _together(self) -> Iterator[tuple[PlannedMethod, ...]]:
        """Groups of methods whose outputs come image by image; single methods if networks take images in batches."""
        several = sum(method.is_finished for method in self.methods) > 1
        one_by_one = several and images_together(self.spec.batch, self.spec.device) == 1
        for finished, group in groupby(self.methods, lambda method: one_by_one and method.is_finished):
            methods = tuple(group)
            yield from (methods,) if finished else ((method,) for method in methods)

    def _input(self, sample: Sample, dataset: Dataset, *, on_luma: bool) -> Input:
        return input_of(sample, dataset.lq_rule, self.spec.scale, on_luma=on_luma, crop=self.spec.crop)

    def _on_luma(self, method: PlannedMethod) -> bool:
        return self.protocol.on_luma and method.entry is not None and method.entry.interface == Interface.PIXELS


def input_of(sample: Sample, lq_rule: str, scale: float, *, on_luma: bool, crop: int | None = None) -> Input:
    """The input that a sample of a dataset gives.

    Args:
        sample: files of one image.
        lq_rule: rule by which LQ is made.
        scale: scale factor of HR to LQ.
        on_luma: whether the method takes the float Y plane, which exists only if LQ is made from HR by bicubic.
        crop: side of a centre crop in HR pixels; None: the whole image.
    """
    y_plane = on_luma and lq_rule == MATLAB_BICUBIC
    truths = sample.truths if crop is None else ()  # boxes and labels belong to the whole image
    return Input(sample.image, sample.hr, sample.lq, lq_rule, scale, y_plane, crop, truths)


def find_everything(spec: Spec) -> Experiment:
    """Resolve the names of a spec.

    Raises:
        SpecError, ProtocolError, MetricError, MethodError, DatasetError, LqRuleError: a name is unknown or used twice,
            or a folder cannot be used. Missing weights are not an error: their cells become ``unavailable``.
    """
    protocol = get_protocol(spec.protocol, spec.scale)
    metrics = tuple(get_metric(id) for id in spec.metrics)
    repeated = [id for id, count in Counter(metric.id for metric in metrics).items() if count > 1]
    if repeated:
        raise SpecError(f"metric '{repeated[0]}' is there twice")
    methods = _with_bounds(tuple(_planned(reference) for reference in spec.methods), metrics)
    datasets = _with_truth(tuple(_dataset(entry, spec) for entry in spec.datasets), spec)
    datasets = parts_of(datasets, spec.images, spec.limit)
    datasets = _at_severities(datasets, spec)
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
                f" give --scale {scales[0]}, or leave the method out"
            )
    _require_truth(metrics, datasets, spec)
    return Experiment(spec, protocol, metrics, datasets, methods)


def _require_truth(metrics: tuple[Metric, ...], datasets: tuple[Dataset, ...], spec: Spec) -> None:
    known_kinds = {source.kind for dataset in datasets for sample in dataset.samples for source in sample.truths}
    for metric in metrics:
        if metric.card.needs in KINDS and spec.crop is not None:
            raise SpecError(
                f"metric '{metric.id}' needs whole images: ground truth does not follow a crop; leave it out"
            )
        if metric.card.needs in KINDS and metric.card.needs not in known_kinds:
            raise SpecError(
                f"metric '{metric.id}' needs {metric.card.needs} truth, and no dataset here has any; give --truth"
                f" DATASET={metric.card.needs}:PATH, or compare with HR: '{metric.id}:hr'"
            )


def _planned(reference: str | Mapping[str, Any]) -> PlannedMethod:
    parsed = parse_reference(reference)
    placed = with_absolute_paths(parsed, Path.cwd())
    try:
        entry = resolve(parsed)
    except MissingWeightsError as error:
        return PlannedMethod(error.method, placed, None, None, unavailable=str(error))
    return PlannedMethod(entry.card.id, placed, entry.card, entry)


def _with_bounds(methods: tuple[PlannedMethod, ...], metrics: tuple[Metric, ...]) -> tuple[PlannedMethod, ...]:
    """Add ``hr`` (upper bound) and ``bicubic`` (lower bound) if any metric is shown between its bounds."""
    names = {method.entry.origin or method.entry.card.id for method in methods if method.entry is not None}
    added = [id for id in (ceiling.CARD.id, ceiling.FLOOR) if id not in names]
    if not methods or not any(metric.card.bounded for metric in metrics):
        return methods
    return (*(_planned(id) for id in added), *methods)


def _dataset(entry: str | DatasetEntry, spec: Spec) -> Dataset:
    dataset = find_dataset(entry, spec.scale, spec.lq_rule)
    return dataset if spec.crop is None else replace(dataset, name=f"{dataset.name} (crop {spec.crop})")


def _with_truth(datasets: tuple[Dataset, ...], spec: Spec) -> tuple[Dataset, ...]:
    by_name = {dataset.name: dataset for dataset in datasets}
    for text in spec.truth:
        name, kind, path, void = parse_truth_option(text)
        if name not in by_name:
            raise SpecError(f"truth '{text}': no dataset '{name}' here (there are: {', '.join(by_name)})")
        by_name[name] = with_truth(by_name[name], kind, path, void=void)
    return tuple(by_name[dataset.name] for dataset in datasets)


def _at_severities(datasets: tuple[Dataset, ...], spec: Spec) -> tuple[Dataset, ...]:
    """Each dataset once for each case of the spec's grid of severities, with LQ made from HR."""
    if spec.severity is None:
        return datasets
    if spec.lq_rule is not None:
        raise SpecError(f"spec '{spec.name}': 'severity' says itself how LQ is made; leave 'lq_rule' out")
    cases, seed = spec.severity.cases(), spec.severity.seed
    for dataset in datasets:
        if any(sample.hr is None for sample in dataset.samples):
            raise SpecError(f"dataset '{dataset.name}' has no HR, from which 'severity' makes LQ; leave it out")
    return tuple(
        replace(
            dataset,
            name=f"{dataset.name}, {case.title}",
            samples=tuple(replace(sample, lq=None) for sample in dataset.samples),
            lq_rule=parse_lq_rule(f"severity:{case.text}:{seed}", spec.scale),
        )
        for dataset in datasets
        for case in cases
    )
