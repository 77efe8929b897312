"""What can be wrong with a training or its files."""

from __future__ import annotations

from ..datasets.errors import BenchError, UsageError


class TrainingError(BenchError, ValueError):
    """A training that cannot start or go on; the message says where, why and what to do."""


class TrainingConfigError(UsageError, TrainingError):
    """A configuration that makes no sense; the message names the file, the key and the remedy."""


class RunningError(UsageError, ValueError):
    """A way of running a model that this installation or this model does not have; the message says which."""
