"""What fuzzing asks of a reader."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def read_or_refused(error: type[Exception], naming: str) -> Iterator[None]:
    """Whatever is inside succeeds, or raises this error with a message that names the file; nothing else comes out."""
    try:
        yield
    except error as refusal:
        if naming not in str(refusal):
            raise AssertionError(f"the message does not name {naming}: {refusal}") from refusal
