"""Forecast of a run, which does nothing: number of cells, unavailable cells with reasons, disk space and time."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ...datasets.errors import BenchError
from ...datasets.images import opened_image
from ..plan.experiment import Experiment, find_everything
from ..plan.missing import Scope, plan
from ..spec import Spec
from ..store.open_database import DATABASE
from ..store.records import OutputRecord
from ..store.store import Store, open_store
from .prepare_inputs import look_at_inputs

_PNG = 0.6
"""Approximate size of a photo as PNG divided by the size of its pixels."""


@dataclass
class MethodForecast:
    """One method on one dataset."""

    dataset: str
    method: str
    images: int = 0
    """Number of outputs, those of all seeds."""
    restore: int = 0
    """Number of outputs that the run would restore."""
    measure: int = 0
    """Number of cells that the run would measure."""
    kept: int = 0
    """Number of cells that the store has."""
    seconds: float | None = None
    """Time to restore the images, from times in the store; None: the store has no times of this method."""


@dataclass(frozen=True)
class Forecast:
    """Work of ``run`` for a spec and a store."""

    rows: tuple[MethodForecast, ...]
    inputs: int
    """Number of images whose LQ and HR are not in the store yet."""
    bytes: int
    """Approximate growth of the store in bytes."""
    unavailable: dict[str, int] = field(default_factory=dict)
    """Reasons why cells would have no value, with their number, the most frequent first."""

    @property
    def seconds(self) -> float | None:
        """Time to restore all images one after the other; None if the store has no times of a method."""
        times = [row.seconds for row in self.rows if row.restore]
        known = [seconds for seconds in times if seconds is not None]
        return sum(known) if len(known) == len(times) else None


def forecast(spec: Spec, store: Path, *, scope: Scope = "all") -> Forecast:
    """Plan a run and write nothing.

    Files of images are digested, as in a run, but no pixel is decoded. The digest of an LQ image that was never made is
    not known: its outputs count as missing, even if the store has them under another name.

    Args:
        spec: spec of the run.
        store: folder of the store; it may not exist yet.
        scope: see ``run``.

    Raises:
        See ``run``.
    """
    experiment = find_everything(spec)
    with _reading(store) as opened:
        inputs, missing = look_at_inputs(experiment, opened)
        rows = _blank(experiment)
        unavailable: Counter[str] = Counter()
        for planned in plan(experiment, opened, inputs, scope):
            if planned.record is not None:
                _count(planned.record, rows, unavailable)
            if planned.job is not None:
                row = rows[planned.job.dataset, planned.job.name]
                row.restore += sum(task.sr is None for task in planned.job.tasks)
                row.measure += sum(len(task.metrics) for task in planned.job.tasks)
        _time(opened, rows)
        sizes = _sizes(experiment)
    restored = sum(row.restore * sizes.get(row.dataset, 0) for row in rows.values())
    prepared = sum(count * sizes.get(name, 0) for name, count in inputs.missing.items())
    return Forecast(
        tuple(rows.values()),
        len(missing),
        int(restored + prepared * (1 + 1 / spec.scale**2)),
        dict(unavailable.most_common()),
    )


@contextmanager
def _reading(root: Path) -> Iterator[Store]:
    """The store, or an empty temporary one if it does not exist."""
    if (root / DATABASE).is_file():
        with open_store(root) as store:
            yield store
    else:
        with tempfile.TemporaryDirectory(prefix="asasr-bench-") as folder, open_store(folder, write=True) as store:
            yield store


def _blank(experiment: Experiment) -> dict[tuple[str, str], MethodForecast]:
    rows = {
        (dataset.name, method.name): MethodForecast(dataset.name, method.name)
        for dataset in experiment.datasets
        for method in experiment.methods
    }
    for method, _, dataset, _ in experiment.outputs():
        rows[dataset.name, method.name].images += 1
    return rows


def _count(record: OutputRecord, rows: dict[tuple[str, str], MethodForecast], unavailable: Counter[str]) -> None:
    for cell in record.cells:
        if cell.status == "done":
            rows[record.dataset, record.method].kept += 1
        else:
            unavailable[record.message or f"{cell.metric}: {cell.message}"] += 1
    if record.status != "done" and not record.cells:
        unavailable[record.message] += 1


def _time(store: Store, rows: dict[tuple[str, str], MethodForecast]) -> None:
    timed: dict[str, list[float]] = {}
    for method, seconds in store.query(
        "SELECT o.method, r.seconds FROM outputs o JOIN restorations r ON r.key = o.restoration"
        " WHERE r.seconds IS NOT NULL"
    ):
        timed.setdefault(method, []).append(seconds)
    for row in rows.values():
        if row.method in timed:
            row.seconds = row.restore * float(np.median(timed[row.method]))


def _sizes(experiment: Experiment) -> dict[str, float]:
    """Approximate bytes of an image of HR size for each dataset, from the headers of its files."""
    scale, crop = experiment.spec.scale, experiment.spec.crop
    sizes = {}
    for dataset in experiment.datasets:
        pixels = []
        for sample in dataset.samples:
            path, factor = (sample.hr, 1) if sample.hr is not None else (sample.lq, scale**2)
            if path is None:
                continue
            try:
                with opened_image(path) as image:
                    pixels.append(image.width * image.height * factor)
            except BenchError:  # the run says so
                continue
        mean = float(np.mean(pixels)) if pixels else 0.0
        sizes[dataset.name] = 3 * _PNG * (mean if crop is None else min(mean, crop**2))
    return sizes
