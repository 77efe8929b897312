"""Reasons why an image or a value is missing: a line for reports, and the traceback of the user's code."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType

from ..datasets.errors import BenchError
from ..datasets.names import printable

_OURS = "asasr_bench"
_LONGEST = 10_000
"""Characters of a traceback that are kept, the last ones: endless recursion has a million."""


class CalledExitError(BenchError, RuntimeError):
    """Code of a method or metric called ``sys.exit``, which would have ended the run."""


@dataclass(frozen=True)
class Failure:
    """Why an image or a value is missing."""

    message: str
    detail: str = ""
    """The traceback from the user's code on; '' where none of it ran."""
    error: Exception | None = field(default=None, compare=False, repr=False)
    """What was raised, for whoever ends because of it."""

    @classmethod
    def of(cls, error: Exception) -> Failure:
        """What an exception says."""
        return cls(explain(error), traceback_of(error), error)


@contextmanager
def no_exit() -> Iterator[None]:
    """Code that is not ours runs in the block; ``sys.exit`` in it is an error like any other.

    Raises:
        CalledExitError: it was called.
    """
    try:
        yield
    except SystemExit as error:
        raise called_exit(error) from error


def called_exit(error: SystemExit) -> CalledExitError:
    """The same as an error like any other, for whoever called code that is not ours.

    Raises:
        SystemExit: it is how Ray answers SIGTERM, wherever its worker is.
    """
    if _innermost(error.__traceback__).startswith("ray."):
        raise error
    exit = CalledExitError(f"the code called sys.exit({'' if error.code is None else error.code})")
    exit.__cause__ = error
    return exit


def explain(error: Exception) -> str:
    """One line for a report: the message of an error, with its type unless it is an error of this package."""
    text = printable(" ".join(str(error).split()))  # an external program's last words may command a terminal
    has_own_message = isinstance(error, BenchError) or type(error) is ValueError
    return text if has_own_message and text else f"{type(error).__name__}: {text}"


def traceback_of(error: BaseException) -> str:
    """The traceback without our own frames above the first that is not ours; '' where all are ours."""
    shown = error.__cause__ if isinstance(error, CalledExitError) and error.__cause__ is not None else error
    frames = shown.__traceback__
    while frames is not None and _module(frames).startswith((_OURS, "contextlib")):
        frames = frames.tb_next
    if frames is None:
        return ""
    return "".join(traceback.format_exception(type(shown), shown, frames)).rstrip()[-_LONGEST:]


def _module(frames: TracebackType) -> str:
    return str(frames.tb_frame.f_globals.get("__name__", ""))


def _innermost(frames: TracebackType | None) -> str:
    while frames is not None and frames.tb_next is not None:
        frames = frames.tb_next
    return "" if frames is None else _module(frames)
