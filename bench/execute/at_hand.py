"""Objects that a worker keeps from job to job: the method of the last job, and the metrics of the run."""

from __future__ import annotations

import platform
from dataclasses import dataclass, field

from ...methods.entry import MethodEntry
from ...methods.interface import AnyMethod, Interface
from ...methods.reference import MethodReference
from ...methods.registry import resolve
from ..failures import no_exit
from ..metrics.metric import Metric
from ..plan.jobs import Job, Task, restoration_of
from ..protocols import Protocol, get_protocol
from .cost import Peaks
from .restore_batches import BatchCheck
from .restore_image import torch_device


@dataclass(frozen=True)
class Loaded:
    """A loaded method."""

    reference: MethodReference
    entry: MethodEntry
    method: AnyMethod | None
    """The method; None for HR itself."""
    device: str
    """Torch device on which it was loaded."""
    check: BatchCheck
    """Whether the method can restore batches, as far as it was tried."""
    peaks: Peaks = field(default_factory=dict)
    """Peak memory of the method by the size of the image, as far as it was measured."""


class AtHand:
    """Methods and metrics that the jobs of one run need, each resolved once; it lives as long as a worker of the run.

    So code and weights that change between two runs are noticed, and within a run nothing is resolved twice.
    """

    def __init__(self, device: str) -> None:
        self._device = device
        self._loaded: Loaded | None = None
        self._finished: dict[str, Loaded] = {}
        self._metrics: dict[str, Metric] = {}
        self._protocols: dict[tuple[str, float], Protocol] = {}

    def method(self, job: Job, task: Task) -> Loaded:
        """The method of a job, loaded with its first job. Only one is kept, since two networks may not fit in memory.

        Args:
            job: the job; jobs come method by method, except those of finished images.
            task: a task of the job.

        Raises:
            MethodError: the method cannot be resolved or loaded.
            ValueError: the method has changed since the run was planned, or the device does not exist.
        """
        if job.name in self._finished:
            return self._finished[job.name]
        if self._loaded is None or self._loaded.reference != job.method:
            self._loaded = None  # its memory is free before another is loaded
            with no_exit():
                self._loaded = self._load(job, task)
        if self._loaded.entry.interface == Interface.FINISHED:  # a folder, which takes no memory
            self._finished[job.name] = self._loaded
        return self._loaded

    def _load(self, job: Job, task: Task) -> Loaded:
        entry = resolve(job.method)
        if entry.interface not in (Interface.FINISHED, Interface.HR):  # those are another for each image
            require_planned(entry, job, task)
        place = torch_device(self._device) if entry.interface == Interface.TENSOR else "cpu"
        return Loaded(
            job.method, entry, None if entry.interface == Interface.HR else entry.load(place), place, BatchCheck()
        )

    def metric(self, job: Job, id: str) -> Metric:
        """A metric in the tasks of a job.

        Raises:
            MetricError: see ``Job.metric``.
        """
        if id not in self._metrics:
            self._metrics[id] = job.metric(id)
        return self._metrics[id]

    def protocol(self, job: Job) -> Protocol:
        """The protocol of a job."""
        key = job.protocol, job.scale
        if key not in self._protocols:
            self._protocols[key] = job.conventions or get_protocol(*key)
        return self._protocols[key]


def require_planned(entry: MethodEntry, job: Job, task: Task) -> None:
    """Check that this worker has the weights and code with which the run was planned, since its pixels get their key.

    Raises:
        ValueError: weights or code differ.
    """
    if restoration_of(entry, job, task) != task.restoration:
        raise ValueError(
            f"{platform.node()} has other weights, code or files of {job.name} than this run was planned with; make"
            " them the same and run again"
        )
