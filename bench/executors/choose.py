"""From a spec to the executor that it asks for."""

from __future__ import annotations

from ..spec import Spec
from .executor import Executor, InProcess
from .local import LocalProcesses


def choose(spec: Spec) -> Executor:
    """The executor of a spec."""
    workers = spec.workers or 1
    return InProcess() if workers == 1 else LocalProcesses(workers, spec.device)
