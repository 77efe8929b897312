"""Errors of methods: unknown, unusable, or without their weights."""

from __future__ import annotations

from ..datasets.errors import BenchError, UsageError


class MethodError(BenchError, ValueError):
    """A method that cannot be used; the message names it, the cause and the remedy."""


class UnknownMethodError(UsageError, MethodError):
    """No method has this name."""


class MethodReferenceError(UsageError, MethodError):
    """A malformed reference to a method on the command line or in YAML."""


class MissingWeightsError(MethodError):
    """A weight file that a method needs is missing."""

    def __init__(self, method: str, message: str) -> None:
        super().__init__(message)
        self.method = method
        """The name under which the method was asked for."""
