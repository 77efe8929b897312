"""Prepare the inputs of a run: read or make LQ and HR of every image and store them, before jobs are planned."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

from ...datasets.errors import BenchError
from ..plan.disk_list import Spool
from ..plan.experiment import Experiment
from ..plan.inputs import Input, InputError, InputPlace, PreparedInput
from ..store.store import Store
from .executors.executor import Executor, InProcess, WorkerDied
from .status_file import Watch
from .worker import InputWorker

Progress = Callable[[str, int, int], None]
"""Called with (stage, done, total)."""
STAGE = "preparing images"
_LATEST = 0.5
"""Seconds between two commits of prepared inputs; a kill loses the preparation since the last commit at most."""


class StoppedError(BenchError, RuntimeError):
    """The run was asked to stop; everything that is finished is stored."""


@dataclass
class Prepared:
    """The stored pixels of each input, or the reason why there are none."""

    store: Store
    keys: dict[InputPlace, bytes] = field(default_factory=dict)
    """Input keys of files that could be read."""
    unreadable: dict[InputPlace, str] = field(default_factory=dict)
    failed: dict[bytes, str] = field(default_factory=dict)
    """Reasons why the pixels of a key could not be made."""
    missing: Counter[str] = field(default_factory=Counter)
    """By dataset, inputs whose pixels the store lacked when it was looked at."""

    def find(self, place: InputPlace) -> PreparedInput:
        """See ``Inputs``."""
        key = self.keys.get(place, b"")
        error = self.unreadable.get(place) or self.failed.get(key, "")
        lq, reference = self.store.input_of(key.hex()) or ("", None)
        return PreparedInput(lq, reference, error)


def prepare_inputs(
    experiment: Experiment, store: Store, executor: Executor, progress: Progress, stop: Callable[[], bool], watch: Watch
) -> Prepared:
    """Make and store the pixels of all inputs that the store lacks.

    Args:
        experiment: the experiment with the datasets.
        store: store for the pixels.
        executor: executor that makes the pixels, if its workers see the files; else they are made in this process.
        progress: called after every input.
        stop: asked again and again; once it returns true, no further input is started.
        watch: writes the status file.

    Raises:
        StoppedError: ``stop`` became true before the end.
    """
    prepared, missing = look_at_inputs(experiment, store)
    done, total = 0, len(missing)
    watch.stage(STAGE, total)
    maker = executor if executor.shares_files else InProcess()  # the files are here
    rows: list[tuple[str, str, str | None]] = []
    last_commit = time.monotonic()
    with closing(maker.map(InputWorker(store.objects), missing, stop)) as work, ExitStack() as stack:
        stack.callback(lambda: store.add_inputs(rows))  # an error or a stop loses no image either
        for (key, item), result in work:
            error = ""
            if isinstance(result, WorkerDied) or result.lq is None:
                error = result.message if isinstance(result, WorkerDied) else result.error
                prepared.failed[bytes.fromhex(key)] = error
            else:
                rows.append((key, result.lq, result.reference))
                if time.monotonic() - last_commit > _LATEST:
                    store.add_inputs(rows)
                    rows.clear()
                    last_commit = time.monotonic()
            done += 1
            watch.prepared(error, item.image)
            progress(STAGE, done, total)
    if done < total:
        raise StoppedError(f"stopped with {total - done} of {total} images left to prepare")
    return prepared


def look_at_inputs(experiment: Experiment, store: Store) -> tuple[Prepared, Spool[tuple[str, Input]]]:
    """Keys of all inputs, and those whose pixels are missing, each once."""
    prepared, missing = Prepared(store), Spool[tuple[str, Input]]()
    spooled: set[bytes] = set()
    digests: dict[Path, str] = {}
    for dataset, item in experiment.inputs():
        place = dataset.name, item.image, item.on_luma
        if {item.hr, item.lq}.isdisjoint(digests):
            digests.clear()  # the views of one image follow each other: its files are read once
        try:
            key = item.key(digests)
        except InputError as error:
            prepared.unreadable[place] = str(error)
            continue
        short = bytes.fromhex(key)
        prepared.keys[place] = short
        if short not in spooled and not _is_there(store, key):
            spooled.add(short)
            missing.append((key, item))
            prepared.missing[dataset.name] += 1
    return prepared, missing


def _is_there(store: Store, key: str) -> bool:
    lq, reference = store.input_of(key) or (None, None)
    digests = [digest for digest in (lq, reference) if digest is not None]
    return lq is not None and all(store.objects.path(digest) is not None for digest in digests)
