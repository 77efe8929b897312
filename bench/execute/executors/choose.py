"""From a spec to the executor that it asks for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ....datasets.strict import validated
from ...spec import Spec, SpecError
from .executor import Executor, InProcess
from .local import LocalProcesses
from .ray_actors import RayActors, RayOptions
from .slurm_jobs import SlurmJobs


@contextmanager
def choose(spec: Spec, store: Path) -> Iterator[Executor]:
    """The executor of a spec, for work on a store.

    Raises:
        SpecError: an option under ``cluster`` that the executor does not have.
    """
    workers = spec.workers or 1
    if spec.executor == "ray":
        with RayActors(spec.workers, spec.device, _ray_options(spec)) as actors:
            yield actors
    elif spec.executor == "slurm":
        yield SlurmJobs(store / "slurm", spec.workers, spec.cluster)
    elif spec.cluster:
        raise SpecError(f"spec '{spec.name}': 'cluster' holds options of the executors ray and slurm; choose one")
    else:
        yield InProcess() if workers == 1 and spec.timeout is None else LocalProcesses(workers, spec.device)


def _ray_options(spec: Spec) -> RayOptions:
    return validated(RayOptions, spec.cluster, f"spec '{spec.name}': cluster", SpecError)
