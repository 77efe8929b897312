"""What can be wrong with a method, apart from its output."""

from __future__ import annotations

from ..datasets.errors import BenchError, UsageError


class MethodError(BenchError, ValueError):
    """A method that cannot be used; the message names it, the cause and the remedy."""


class UnknownMethodError(UsageError, MethodError):
    """No method of that name."""


class MethodReferenceError(UsageError, MethodError):
    """A reference (command line or YAML) that says nothing sensible."""


class MissingWeightsError(MethodError):
    """A method whose weight file is not there."""

    def __init__(self, method: str, message: str) -> None:
        super().__init__(message)
        self.method = method
        """The name under which the method was asked for."""
