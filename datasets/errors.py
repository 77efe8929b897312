"""What can be wrong with a dataset."""

from __future__ import annotations


class DatasetError(ValueError):
    """A folder that cannot be used as a dataset; the message names files, cause and remedy."""


class DatasetMissingError(DatasetError):
    """A known dataset that is not on disk; the message says how to get it."""
