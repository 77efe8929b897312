"""What can be wrong with a user study."""

from __future__ import annotations

from ...datasets.errors import BenchError, UsageError


class StudyError(UsageError, ValueError):
    """A design that cannot be used, or a store that has not what it asks for; the message says what to change."""


class VotesError(BenchError, ValueError):
    """A key or a file of votes that cannot be used; the message names the file, the cause and the remedy."""
