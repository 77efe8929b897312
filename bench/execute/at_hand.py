"""What a worker has at hand from job to job: the method of the last one, and the metrics of the run."""

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
    """A method, ready to restore."""

    reference: MethodReference
    entry: MethodEntry
    method: AnyMethod | None
    """None for HR itself."""
    device: str
    """Where it was loaded, as torch calls it."""
    check: BatchCheck
    """What is known of it in batches."""
    peaks: Peaks = field(default_factory=dict)
    """Memory that it took so far, by the size of the image."""


class AtHand:
    """What jobs of one run ask for, each found once. It lives as long as a worker of that run.

    So code and weights that change between two runs are seen, and within a run nothing is found twice.
    """

    def __init__(self, device: str) -> None:
        self._device = device
        self._loaded: Loaded | None = None
        self._finished: dict[str, Loaded] = {}
        self._metrics: dict[str, Metric] = {}
        self._protocols: dict[tuple[str, float], Protocol] = {}

    def method(self, job: Job, task: Task) -> Loaded:
        """The method of a job, found and loaded with its first job. One at a time: two networks may not fit in memory.

        Args:
            job: jobs come method by method, those of finished images in any order.
            task: one that it is to restore.

        Raises:
            MethodError: it cannot be found or loaded.
            ValueError: it is another than the run was planned with, or the device is not there.
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
        """One of the metrics in the tasks of a job.

        Raises:
            MetricError: see ``Job.metric``.
        """
        if id not in self._metrics:
            self._metrics[id] = job.metric(id)
        return self._metrics[id]

    def protocol(self, job: Job) -> Protocol:
        """That of a job."""
        key = job.protocol, job.scale
        if key not in self._protocols:
            self._protocols[key] = job.conventions or get_protocol(*key)
        return self._protocols[key]


def require_planned(entry: MethodEntry, job: Job, task: Task) -> None:
    """A worker elsewhere may have other weights or code: its pixels must not get the name of those that were planned.

    Raises:
        ValueError: they differ.
    """
    if restoration_of(entry, job, task) != task.restoration:
        raise ValueError(
            f"{platform.node()} has other weights, code or files of {job.name} than this run was planned with; make"
            " them the same and run again"
        )
