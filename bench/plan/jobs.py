"""Jobs, the units of work: images of one dataset for one method and seed, and the keys of their results."""

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
    """One image of a job: its digests, and the metrics to measure."""

    image: str
    lq: str
    reference: str | None
    restoration: str
    sr: str | None
    """Digest of the SR pixels if the store has them."""
    metrics: tuple[str, ...]
    truths: tuple[TruthSource, ...] = ()
    """Ground truth of the image, each kind at most once."""
    count: bool = False
    """Count its operations while it is restored: those of the method on this dataset are not known yet."""


@dataclass(frozen=True)
class MetricCode:
    """A user's own metric, with the version of its code when the run was planned."""

    id: str
    place: ObjectReference
    """Reference of its code."""
    implementation: str


@dataclass(frozen=True)
class Job:
    """Images of one dataset for one method and seed.

    A job has all images for an external program, several images for networks that take batches, else one image.
    """

    dataset: str
    name: str
    """Name of the method in tables."""
    method: MethodReference
    """Reference with which a worker loads the method."""
    protocol: str
    scale: float
    seed: int
    lq_rule: str
    tasks: tuple[Task, ...]
    code: tuple[MetricCode, ...] = ()
    """Users' own metrics in its tasks."""
    conventions: Protocol | None = None
    """A user's own protocol with its values; None: a protocol of the package, by its name."""

    def metric(self, id: str) -> Metric:
        """The metric of an id in its tasks.

        Raises:
            MetricError: its code is missing, or has changed since the run was planned.
        """
        user_code = next((code for code in self.code if code.id == id), None)
        return get_metric(id) if user_code is None else _metric_of(user_code)

    def place(self, task: Task) -> Place:
        """Place of the output of one of the tasks in the store."""
        return Place(self.protocol, self.scale, self.dataset, task.image, self.name, self.seed)

    def record(self, task: Task) -> OutputRecord:
        """The row of one of the tasks with the status ``done``."""
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
        """The row of one of the tasks if the image could not be restored."""
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
        metric: the metric.
        task: the image, with the digest of its SR pixels.
        protocol: the protocol.
        implementation: version of the metric with its weights, if they are missing on this machine; None: that of the
            metric on this machine.
    """
    assert task.sr is not None
    compared: dict[str, str | None] = {
        "reference": task.reference,
        "lq": task.lq,
        "pair": f"{task.reference} {task.lq}",
        "nothing": None,
    }
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
    """Key of the SR image that a method restores for a task.

    Raises:
        MethodError, OSError: a file that determines the key cannot be read.
    """
    identity = entry.identity(task.image, job.scale)
    if entry.interface == Interface.HR:
        identity["reference"] = task.reference
    seeded = entry.interface == Interface.TENSOR and not entry.card.deterministic
    return restoration_key(
        lq=task.lq, identity=identity, scale=job.scale, seed=job.seed, seeding=SEEDING if seeded else None
    )
