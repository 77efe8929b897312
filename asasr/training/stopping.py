"""Ctrl-C and SIGTERM while a network trains: the step is finished and the state after it saved."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_SAME = 1.0
"""Seconds within which a second signal is the first again: ``timeout`` and launchers of processes send theirs twice."""


class TrainingStopped(BaseException):
    """A training was asked to end, and its state is saved; under a name that no library swallows."""

    def __init__(self, message: str, signal: int) -> None:
        super().__init__(message)
        self.signal = signal
        """What asked for it."""


@contextmanager
def asked_to_stop(announcement: str = "") -> Iterator[Callable[[], int]]:
    """Give a function that says which signal has come, 0 for none; in the block SIGINT and SIGTERM do nothing else.

    A second one, some time after the first, does what it would do outside. Outside of the main thread, where Python
    lets nobody handle signals, none comes.

    Args:
        announcement: line for standard error when the first comes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: 0
        return
    came, since = 0, 0.0
    before = {number: signal.getsignal(number) for number in _SIGNALS}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal came, since
        if came and time.monotonic() - since >= _SAME:
            restore()
            os.kill(os.getpid(), number)
        elif not came:
            came, since = number, time.monotonic()
            with suppress(OSError):  # past Python's buffers, in the middle of whose work a signal may come
                os.write(2, f"{announcement}\n".encode() if announcement else b"")

    for number in _SIGNALS:
        signal.signal(number, ask)
    try:
        yield lambda: came
    finally:
        restore()


@contextmanager
def without_signals() -> Iterator[None]:
    """Processes that are started in the block never receive SIGINT or SIGTERM, which go to whole groups of processes.

    Whoever started them tells them when to end.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
