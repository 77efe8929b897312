"""SIGTERM: a batch system or a container asks for an end, and gives some seconds until it kills."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

GRACE_SECONDS = 8
"""For what is in flight; docker and Kubernetes kill after 10 and 30 seconds, Slurm after 30."""


class Terminated(BaseException):
    """SIGTERM, under a name that nobody swallows."""


@contextmanager
def graceful() -> Iterator[Callable[[], bool]]:
    """Give a function that says whether SIGTERM came.

    The block then has ``GRACE_SECONDS`` to end. Past them, or at a second SIGTERM, ``Terminated`` is raised in it. A
    second one within a second is the first again: ``timeout`` sends its own twice.
    """
    asked = False
    since = 0.0

    def at_once(*_: object) -> None:
        raise Terminated

    def ask(*_: object) -> None:
        nonlocal asked, since
        if asked:
            if time.monotonic() - since >= 1.0:
                raise Terminated
            return
        asked, since = True, time.monotonic()
        signal.alarm(GRACE_SECONDS)
        print(f"asked to end: finishing what is in flight, {GRACE_SECONDS} s at most", file=sys.stderr)

    before = signal.signal(signal.SIGTERM, ask), signal.signal(signal.SIGALRM, at_once)
    try:
        yield lambda: asked
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGALRM, before[1])
