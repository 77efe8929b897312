"""Errors of trainings and their files."""

from __future__ import annotations

from ..datasets.errors import BenchError, UsageError


class TrainingError(BenchError, ValueError):
    """A training that cannot start or continue; the message says where, why and what to do."""


class TrainingConfigError(UsageError, TrainingError):
    """An invalid configuration; the message names the file, the key and the remedy."""


class RunningError(UsageError, ValueError):
    """An option of running a model that this installation or model does not support; the message names it."""
