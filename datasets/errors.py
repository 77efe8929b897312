"""Base classes of all errors of the package, and the errors of datasets."""

from __future__ import annotations

from typing import ClassVar


class BenchError(Exception):
    """An error that the user can fix: the message names the file, the cause and the remedy in one line."""

    exit_code: ClassVar[int] = 3
    """Exit code of a command that ends with this error. 3: data, weights, an engine or a store cannot be used."""


class UsageError(BenchError):
    """The command, a spec or a configuration asks for something impossible; nothing was done."""

    exit_code: ClassVar[int] = 2


class DatasetError(BenchError, ValueError):
    """A folder that cannot be used as a dataset; the message names files, cause and remedy."""


class DatasetMissingError(DatasetError):
    """A known dataset that is not on disk; the message says how to get it."""
