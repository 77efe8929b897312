"""Handling of SIGTERM, with which a batch system or a container asks a process to end some seconds before it kills."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

GRACE_SECONDS = 8
"""Seconds to finish running jobs; docker and Kubernetes kill after 10 and 30 seconds, Slurm after 30."""


class Terminated(BaseException):
    """The process received SIGTERM; a BaseException, so that no handler of errors catches it."""


@contextmanager
def graceful() -> Iterator[Callable[[], bool]]:
    """Yield a function that says whether SIGTERM was received.

    From then on, the block has ``GRACE_SECONDS`` to end. After that, or at a second SIGTERM, ``Terminated`` is raised
    in it. A second signal within one second is ignored, since ``timeout`` sends each signal twice.
    """
    stop_requested = False
    since = 0.0

    def at_once(*_: object) -> None:
        raise Terminated

    def ask(*_: object) -> None:
        nonlocal stop_requested, since
        if stop_requested:
            if time.monotonic() - since >= 1.0:
                raise Terminated
            return
        stop_requested, since = True, time.monotonic()
        signal.alarm(GRACE_SECONDS)
        print(f"asked to end: finishing what is in flight, {GRACE_SECONDS} s at most", file=sys.stderr)

    before = signal.signal(signal.SIGTERM, ask), signal.signal(signal.SIGALRM, at_once)
    try:
        yield lambda: stop_requested
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGALRM, before[1])
