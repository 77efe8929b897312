"""Jobs for workers that do not see the store's folder: stored images are sent with the job, and new ones sent back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import overload

from ..plan.jobs import Job
from ..store.images import Objects
from ..store.records import OutputRecord
from .scratch_folders import scratch_folder
from .worker import Worker

Files = dict[str, bytes]
"""Names of stored images to their contents."""


@dataclass(frozen=True)
class ShippedJob:
    """A job with the images that it needs."""

    job: Job
    files: Files


class ShippedJobs(Sequence[ShippedJob]):
    """Jobs with their images, each read when it is asked for."""

    def __init__(self, jobs: Sequence[Job], objects: Objects) -> None:
        self._jobs = jobs
        self._objects = objects

    def __len__(self) -> int:
        return len(self._jobs)

    @overload
    def __getitem__(self, index: int) -> ShippedJob: ...

    @overload
    def __getitem__(self, index: slice) -> ShippedJobs: ...

    def __getitem__(self, index: int | slice) -> ShippedJob | ShippedJobs:
        if isinstance(index, slice):
            return ShippedJobs(self._jobs[index], self._objects)
        job = self._jobs[index]
        digests = {digest for task in job.tasks for digest in (task.lq, task.reference, task.sr) if digest}
        return ShippedJob(job, self._objects.read_files(digests))


@dataclass(frozen=True)
class Answer:
    """What comes back from a worker."""

    records: list[OutputRecord]
    new: Files
    """The images that rows refer to and the job did not bring."""
    damaged: frozenset[str]
    """Digests of images that the job brought and that had other pixels."""


class ShippingWorker(Worker):
    """Does jobs that bring their images, each in a folder of its own."""

    def __call__(self, shipped: ShippedJob) -> Answer:
        """Do one; see ``Worker.perform``."""
        with _unpacked(shipped.files) as objects:
            records = self.perform(shipped.job, objects)
            return Answer(records, _new_files(records, shipped.files, objects), _damaged(shipped.files, objects))


@contextmanager
def _unpacked(files: Files) -> Iterator[Objects]:
    with scratch_folder() as folder:
        objects = Objects(folder)
        objects.write_files(files)
        yield objects


def _new_files(records: Sequence[OutputRecord], shipped: Files, objects: Objects) -> Files:
    named = objects.read_files({record.sr for record in records if record.sr})
    return {name: content for name, content in named.items() if shipped.get(name) != content}


def _damaged(files: Files, objects: Objects) -> frozenset[str]:
    """What ``Objects.get_or_remove`` removed and nothing replaced."""
    digests = {name.partition(".")[0] for name in files}
    return frozenset(digest for digest in digests if objects.path(digest) is None)
