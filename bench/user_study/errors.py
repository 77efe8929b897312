"""Errors of user studies."""

from __future__ import annotations

from ...datasets.errors import BenchError, UsageError


class StudyError(UsageError, ValueError):
    """A design that cannot be used, or a store without the images for it; the message says what to change."""


class VotesError(BenchError, ValueError):
    """A key or a file of votes that cannot be used; the message names the file, the cause and the remedy."""
