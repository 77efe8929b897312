"""Workers on a Ray cluster: one that is there already, or one that is started on this machine."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from itertools import count
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from ..threads import cores
from .executor import ExecutorError, Item, Limits, Result, WorkerDied, entered, never
from .worker_pool import Died, Event, Ready, attempt, hand_out


class RayOptions(BaseModel):
    """What a spec says under ``cluster``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    address: str | None = None
    """Of the cluster; default: ``RAY_ADDRESS``, else the one running on this machine, else a new one."""
    shared: bool = False
    """All nodes see the store, the datasets and the weights under the paths that the driver uses. Otherwise pixels
    travel through Ray."""
    cpus: Annotated[float, Field(gt=0)] = 1
    """Of each worker."""
    gpus: Annotated[float, Field(ge=0)] | None = None
    """Of each worker; a part of one lets several share a GPU. Default: one, where the cluster has any."""


class RayActors:
    """Runs items in Ray actors, which load a model once. What a lost node worked on is done again elsewhere.

    The first map connects; leaving a ``with`` block disconnects.
    """

    def __init__(self, workers: int | None, device: str, options: RayOptions) -> None:
        self.shares_files = options.shared
        self._workers = workers
        self._device = device
        self._options = options
        self._connection = contextlib.ExitStack()
        self._ray: Any = None

    def __enter__(self) -> RayActors:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()
        self._ray = None

    def map(
        self,
        function: Callable[[Item], Result],
        items: Sequence[Item],
        stop: Callable[[], bool] = never,
        limits: Limits[Item] | None = None,
    ) -> Generator[tuple[Item, Result | WorkerDied], None, None]:
        """See ``Executor.map``."""
        if not items:
            return
        self._ray = ray = self._ray or self._connection.enter_context(_cluster(self._options.address))
        resources = ray.cluster_resources()
        gpus = self._options.gpus
        if gpus is None:
            gpus = 1.0 if self._device != "cpu" and resources.get("GPU", 0) else 0.0
        room = resources.get("GPU", 0) / gpus if gpus else resources.get("CPU", 0) / self._options.cpus
        workers = self._workers or max(1, int(room))
        actors = _Actors(ray, function, num_cpus=self._options.cpus, num_gpus=gpus)
        yield from hand_out(actors, workers, items, stop, limits)


class _Worker:
    """What runs in an actor."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        # Left open: an actor ends by being killed.
        self._function = contextlib.ExitStack().enter_context(entered(function))

    def ready(self) -> Event:
        return Ready()

    def work(self, item: Any) -> Event:
        return attempt(self._function, item)


class _Actors:
    """Workers that are actors, known by their numbers."""

    remedy = "see that the cluster runs and that every node has this version of asasr-bench installed"

    def __init__(self, ray: Any, function: Callable[[Any], Any], **resources: float) -> None:
        self._ray = ray
        # Ray would restart an actor and wait for room to do so; the common list lets any other take over at once.
        self._class = ray.remote(_Worker).options(max_restarts=0, max_task_retries=0, **resources)
        self._function = ray.put(function)
        self._actors: dict[int, Any] = {}
        self._said: dict[Future[Event], int] = {}
        self._numbers = count()

    def start_worker(self) -> int:
        """See ``Workers``; an actor that finds no room now waits for it."""
        worker = next(self._numbers)
        self._actors[worker] = self._class.remote(self._function)
        self._said[self._actors[worker].ready.remote().future()] = worker
        return worker

    def send(self, worker: int, item: object) -> None:
        """See ``Workers``."""
        self._said[self._actors[worker].work.remote(item).future()] = worker

    def poll_events(self, seconds: float | None) -> Iterator[tuple[int, Event]]:
        """See ``Workers``; futures, since ``ray.wait`` would turn every signal into KeyboardInterrupt."""
        for future in wait(self._said, seconds, FIRST_COMPLETED).done:
            worker = self._said.pop(future)
            error = future.exception()
            if error is None:
                yield worker, future.result()
                continue
            # Ray's own: what the function raises comes as an event.
            if worker in self._actors:
                self._ray.kill(self._actors.pop(worker))
            yield worker, Died((str(error).strip() or type(error).__name__).splitlines()[-1])

    def stop(self, worker: int) -> None:
        """See ``Workers``."""
        self._said = {future: number for future, number in self._said.items() if number != worker}
        self._ray.kill(self._actors.pop(worker))

    def stop_all(self) -> None:
        """See ``Workers``."""
        for actor in self._actors.values():
            self._ray.kill(actor)
        self._actors.clear()
        self._said.clear()


@contextlib.contextmanager
def _cluster(address: str | None) -> Iterator[Any]:
    """Ray, connected; a connection that was there before is used and left."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError:
        raise ExecutorError("executor 'ray' needs a package: pip install 'asasr-bench[cluster]'") from None
    if ray.is_initialized():
        yield ray
        return
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    handler = signal.getsignal(signal.SIGTERM)
    try:
        _connect(ray, address, quiet)
    except SystemExit:  # Ray's own answer to SIGTERM
        raise ExecutorError("asked to end while Ray was starting") from None
    except Exception as error:  # Ray raises Exception itself where it starts too slowly
        raise ExecutorError(_why_no_ray(address or os.environ.get("RAY_ADDRESS", ""), error)) from error
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)
    try:
        yield ray
    finally:
        ray.shutdown()


def _why_no_ray(address: str, error: Exception) -> str:
    reason = " ".join(str(error).split()) or type(error).__name__
    if address:
        return (
            f"Ray cluster {address} cannot be reached ({reason}); start it with 'ray start --head', or leave the"
            " address out for one on this machine"
        )
    return (
        f"Ray does not start on this machine ({reason}); run again when the machine is less busy, start it with 'ray"
        " start --head' first, or use --workers without Ray"
    )


def _connect(ray: Any, address: str | None, quiet: dict[str, Any]) -> None:
    if address is None:
        try:
            ray.init(address="auto", **quiet)
        except ConnectionError:
            if "RAY_ADDRESS" in os.environ:
                raise
        else:
            return
        os.environ.setdefault("RAY_worker_niceness", "0")  # Ray's own 15 starves workers beside anything else
        ray.init(address="local", num_cpus=cores(), include_dashboard=False, **quiet)
    else:
        ray.init(address=address, **quiet)
