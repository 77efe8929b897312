"""The unit of work: images of one dataset for one method and seed, and the keys that name what comes of them."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass, replace
from functools import lru_cache

from ...datasets.ground_truth.kinds import TruthSource
from ...methods.entry import MethodEntry
from ...methods.interface import Interface
from ...methods.reference import MethodReference
from ...methods.user_code.references import ObjectReference
from ..metrics.metric import Metric, MetricError
from ..metrics.registry import get_metric
from ..protocols import Protocol
from ..store.keys import restoration_key, score_key
from ..store.records import CellRecord, OutputRecord, Place
from .image_seed import SEEDING


@dataclass(frozen=True)
class Task:
    """One image of a job: what is known of it, and the metrics that are missing."""

    image: str
    lq: str
    reference: str | None
    restoration: str
    sr: str | None
    """Digest of the SR pixels where the store has them."""
    metrics: tuple[str, ...]
    truths: tuple[TruthSource, ...] = ()
    """Ground truth of the image, each kind at most once."""
    count: bool = False
    """Count its operations while it is restored: those of the method on this dataset are not known yet."""


@dataclass(frozen=True)
class MetricCode:
    """Somebody else's metric, as a run was planned with it."""

    id: str
    place: ObjectReference
    """Where its code is."""
    implementation: str


@dataclass(frozen=True)
class Job:
    """Images of one dataset for one method and seed: all for external programs, a few where networks restore or measure
    together, else one."""

    dataset: str
    name: str
    """What tables call the method."""
    method: MethodReference
    """Which method: the worker finds it itself."""
    protocol: str
    scale: float
    seed: int
    lq_rule: str
    tasks: tuple[Task, ...]
    code: tuple[MetricCode, ...] = ()
    """Metrics of other people in its tasks."""
    conventions: Protocol | None = None
    """Somebody's own protocol, with its values; None: the package's, by its name."""

    def metric(self, id: str) -> Metric:
        """The metric of an id in its tasks.

        Raises:
            MetricError: its code is not here, or is another than when the run was planned.
        """
        own = next((code for code in self.code if code.id == id), None)
        return get_metric(id) if own is None else _metric_of(own)

    def place(self, task: Task) -> Place:
        """Where the output of one of the tasks belongs."""
        return Place(self.protocol, self.scale, self.dataset, task.image, self.name, self.seed)

    def record(self, task: Task) -> OutputRecord:
        """The row of one of the tasks, as if done."""
        return OutputRecord(
            protocol=self.protocol,
            scale=self.scale,
            dataset=self.dataset,
            image=task.image,
            method=self.name,
            seed=self.seed,
            status="done",
            lq_rule=self.lq_rule,
            lq=task.lq,
            reference=task.reference,
            restoration=task.restoration,
            worker=f"{platform.node()}:{os.getpid()}",
        )

    def failed(self, task: Task, message: str, detail: str = "") -> OutputRecord:
        """The row of one of the tasks when the image could not be restored."""
        cells = tuple(CellRecord(metric, "failed", message="not restored") for metric in task.metrics)
        return replace(self.record(task), status="failed", message=message, detail=detail, cells=cells)


@lru_cache(maxsize=32)
def _metric_of(code: MetricCode) -> Metric:
    metric = get_metric(code.place)
    if metric.missing() or metric.implementation != code.implementation:
        raise MetricError(
            f"{platform.node()} has other code or files of metric '{code.id}' than this run was planned with; make them"
            " the same and run again"
        )
    return metric


def key_of(metric: Metric, task: Task, protocol: Protocol, implementation: str | None = None) -> str:
    """Score key of one metric on one SR image.

    Args:
        implementation: that of the metric, where its weights are missing; None: as it is here.
    """
    assert task.sr is not None
    compared: dict[str, str | None] = {
        "reference": task.reference, "lq": task.lq, "pair": f"{task.reference} {task.lq}", "nothing": None,
    }  # fmt: skip
    if metric.card.needs not in compared:
        compared |= {source.kind: source.digest() for source in task.truths}
    return score_key(
        sr=task.sr,
        reference=compared[metric.card.needs],
        metric=metric.card.id,
        metric_version=metric.implementation if implementation is None else implementation,
        protocol=protocol.name,
        version=protocol.version,
    )


def restoration_of(entry: MethodEntry, job: Job, task: Task) -> str:
    """Key of the SR image that a method makes of a task.

    Raises:
        MethodError, OSError: a file that determines it cannot be read.
    """
    identity = entry.identity(task.image, job.scale)
    if entry.interface == Interface.HR:
        identity["reference"] = task.reference
    seeded = entry.interface == Interface.TENSOR and not entry.card.deterministic
    return restoration_key(
        lq=task.lq, identity=identity, scale=job.scale, seed=job.seed, seeding=SEEDING if seeded else None
    )
