"""The method that a worker has at hand: found and loaded once for all jobs of it that follow each other."""

from __future__ import annotations

import platform
from dataclasses import dataclass

from ...methods.entry import MethodEntry
from ...methods.interface import AnyMethod
from ...methods.reference import MethodReference
from ...methods.registry import resolve
from ..plan.jobs import Job, Task, restoration_of
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


class LoadedMethods:
    """Holds one method at a time: jobs come method by method, and two networks may not fit into memory.

    It lives as long as the worker of one run. So code and weights that change between two runs are seen, and within a
    run nothing is read twice. A copy that travels to another process begins empty.
    """

    def __init__(self) -> None:
        self._loaded: Loaded | None = None

    def __reduce__(self) -> tuple[type[LoadedMethods], tuple[()]]:
        return LoadedMethods, ()

    def of(self, job: Job, task: Task, device: str) -> Loaded:
        """The method of a job.

        Args:
            task: one that it is to restore.
            device: of the run: ``auto``, ``cpu``, ``cuda:1``.

        Raises:
            MethodError: it cannot be found or loaded.
            ValueError: it is another than the run was planned with, or the device is not there.
        """
        if self._loaded is None or self._loaded.reference != job.method:
            self._loaded = None  # its memory is free before another is loaded
            entry = resolve(job.method)
            if not entry.is_finished and not entry.is_hr:  # what identifies those differs from image to image
                require_planned(entry, job, task)
            place = torch_device(device) if entry.takes_tensors else "cpu"
            self._loaded = Loaded(job.method, entry, None if entry.is_hr else entry.load(place), place)
        return self._loaded


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
