"""Choose the executor of a spec."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ....datasets.strict import validated
from ...spec import Spec, SpecError
from .executor import Executor, InProcess


@contextmanager
def choose(spec: Spec, store: Path) -> Iterator[Executor]:
    """The executor of a spec, for work on a store.

    Raises:
        SpecError: an option under ``cluster`` that the executor does not have.
    """
    workers = spec.workers or 1
    if spec.executor == "ray":
        from .ray_actors import RayActors, RayOptions

        options = validated(RayOptions, spec.cluster, f"spec '{spec.name}': cluster", SpecError)
        with RayActors(spec.workers, spec.device, options) as actors:
            yield actors
    elif spec.executor == "slurm":
        from .slurm_jobs import SlurmJobs

        yield SlurmJobs(store / "slurm", spec.workers, spec.cluster)
    elif spec.cluster:
        raise SpecError(f"spec '{spec.name}': 'cluster' holds options of the executors ray and slurm; choose one")
    elif workers == 1 and spec.timeout is None:
        yield InProcess()
    else:
        from .local import LocalProcesses

        yield LocalProcesses(workers, spec.device)
