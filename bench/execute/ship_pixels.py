"""Jobs for workers that do not see the store's folder: stored images travel with the job, and new ones come back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import overload

from ..plan.jobs import Job
from ..store.images import Objects
from ..store.records import OutputRecord
from .restore_then_measure import Begun, begin, finish
from .scratch_folders import scratch_folder
from .worker import perform

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


@dataclass(frozen=True)
class Answer:
    """What comes back from a worker."""

    records: list[OutputRecord]
    new: Files
    """The images that rows refer to and the parcel did not hold."""
    damaged: frozenset[str]
    """Digests of images that the parcel held and that had other pixels."""


def perform_parcel(parcel: Parcel, *, device: str, threads: int) -> Answer:
    """Do the job of a parcel in a folder of the worker's own."""
    with _unpacked(parcel) as objects:
        records = perform(parcel.job, objects=objects, device=device, threads=threads)
        return Answer(records, _new_files(records, parcel, objects), _damaged(parcel.files, objects))


@dataclass(frozen=True)
class BegunParcel:
    """A parcel between its halves."""

    begun: Begun
    new: Files
    files: Files
    damaged: frozenset[str]


def begin_parcel(parcel: Parcel, *, device: str, threads: int) -> BegunParcel:
    """The first half of ``perform_parcel``."""
    with _unpacked(parcel) as objects:
        begun = begin(parcel.job, objects=objects, device=device, threads=threads)
        new = _new_files(begun.records, parcel, objects)
        damaged = _damaged(parcel.files, objects)
    return BegunParcel(begun, new, parcel.files | new, damaged)


def finish_parcel(half: BegunParcel, *, threads: int) -> Answer:
    """The second half of ``perform_parcel``."""
    with _unpacked(Parcel(half.begun.rest, half.files)) as objects:
        records = finish(half.begun, objects=objects, threads=threads)
        return Answer(records, half.new, half.damaged | _damaged(half.files, objects))


@contextmanager
def _unpacked(parcel: Parcel) -> Iterator[Objects]:
    with scratch_folder() as folder:
        objects = Objects(folder)
        objects.write_files(parcel.files)
        yield objects


def _new_files(records: Sequence[OutputRecord], parcel: Parcel, objects: Objects) -> Files:
    made = objects.read_files({record.sr for record in records if record.sr})
    return {name: content for name, content in made.items() if parcel.files.get(name) != content}


def _damaged(files: Files, objects: Objects) -> frozenset[str]:
    """What ``Objects.get_or_remove`` removed and nothing replaced."""
    digests = {name.partition(".")[0] for name in files}
    return frozenset(digest for digest in digests if objects.path(digest) is None)
