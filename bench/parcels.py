"""Jobs for workers that do not see the store's folder: stored images travel with the job, and new ones come back."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import overload

from .halves import Begun, begin, finish
from .objects import Objects
from .rows import OutputRecord
from .worker import Job, perform

Files = dict[str, bytes]
"""Names of stored images to their contents."""


@dataclass(frozen=True)
class Parcel:
    """A job with the images that it needs."""

    job: Job
    files: Files


class Parcels(Sequence[Parcel]):
    """The parcels of jobs, each packed when it is asked for."""

    def __init__(self, jobs: Sequence[Job], objects: Objects) -> None:
        self._jobs = jobs
        self._objects = objects

    def __len__(self) -> int:
        return len(self._jobs)

    @overload
    def __getitem__(self, index: int) -> Parcel: ...

    @overload
    def __getitem__(self, index: slice) -> Parcels: ...

    def __getitem__(self, index: int | slice) -> Parcel | Parcels:
        if isinstance(index, slice):
            return Parcels(self._jobs[index], self._objects)
        job = self._jobs[index]
        digests = {digest for task in job.tasks for digest in (task.lq, task.reference, task.sr) if digest}
        return Parcel(job, self._objects.read_files(digests))


def perform_parcel(parcel: Parcel, *, device: str, threads: int) -> tuple[list[OutputRecord], Files]:
    """Do the job of a parcel in a folder of the worker's own.

    Returns:
        The rows, and the images that they refer to and the parcel did not hold.
    """
    with _unpacked(parcel) as objects:
        records = perform(parcel.job, objects=objects, device=device, threads=threads)
        return records, _new_files(records, parcel, objects)


@dataclass(frozen=True)
class BegunParcel:
    """A parcel between its halves."""

    begun: Begun
    new: Files
    files: Files


def begin_parcel(parcel: Parcel, *, device: str, threads: int) -> BegunParcel:
    """The first half of ``perform_parcel``."""
    with _unpacked(parcel) as objects:
        begun = begin(parcel.job, objects=objects, device=device, threads=threads)
        new = _new_files(begun.records, parcel, objects)
    return BegunParcel(begun, new, parcel.files | new)


def finish_parcel(half: BegunParcel, *, threads: int) -> tuple[list[OutputRecord], Files]:
    """The second half of ``perform_parcel``."""
    with _unpacked(Parcel(half.begun.rest, half.files)) as objects:
        return finish(half.begun, objects=objects, threads=threads), half.new


@contextmanager
def _unpacked(parcel: Parcel) -> Iterator[Objects]:
    with tempfile.TemporaryDirectory(prefix="asasr-bench-") as folder:
        objects = Objects(Path(folder))
        objects.write_files(parcel.files)
        yield objects


def _new_files(records: Sequence[OutputRecord], parcel: Parcel, objects: Objects) -> Files:
    made = objects.read_files({record.sr for record in records if record.sr})
    return {name: content for name, content in made.items() if name not in parcel.files}
