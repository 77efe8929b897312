"""Worker processes of this machine; if there are several GPUs, each worker gets one of them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from multiprocessing import connection, get_context, parent_process, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from types import FrameType
from typing import Any

from ...env_vars import environment
from .executor import ExecutorError, Item, Limits, Result, WorkerDied, entered, never
from .worker_pool import Died, Event, Failed, Ready, attempt, hand_out

_LAST_SECONDS = 2.0
"""What a worker gets to end the programs it started and remove its temporary files."""
_END = signal.SIGUSR1
_TO_GROUPS = (signal.SIGINT, signal.SIGTERM)
"""Terminals and batch systems send these to all processes; the driver alone decides."""


class LocalProcesses:
    """Runs items in processes of this machine, which load a model once and take the next item when they are free."""

    shares_files = True

    def __init__(self, workers: int, device: str = "cpu") -> None:
        self.workers = workers
        self._device = device

    def map(
        self,
        function: Callable[[Item], Result],
        items: Sequence[Item],
        stop: Callable[[], bool] = never,
        limits: Limits[Item] | None = None,
    ) -> Generator[tuple[Item, Result | WorkerDied], None, None]:
        """See ``Executor.map``."""
        gpus = gpus_to_share(self._device) if self.workers > 1 else ()
        yield from hand_out(_Processes(function, gpus), self.workers, items, stop, limits)


def gpus_to_share(device: str) -> tuple[str, ...]:
    """Names of the GPUs that workers divide among them; none where the user chose one, or where there is only one."""
    if device not in ("auto", "cuda"):
        return ()
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        names = [name.strip() for name in chosen.split(",") if name.strip()]
    else:
        try:
            listed = subprocess.run(
                ["nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader"],
                capture_output=True,
                text=True,
                timeout=30,
                check=True,
            ).stdout
        except (OSError, subprocess.SubprocessError):
            return ()
        names = listed.split()
    return tuple(names) if len(names) > 1 else ()


class _Processes:
    """Workers that are processes; each is known by our end of its pipe."""

    remedy = (
        "a script of your own needs the line \"if __name__ == '__main__':\" before what it runs; else try one worker"
    )

    def __init__(self, function: Callable[[Any], Any], gpus: Sequence[str]) -> None:
        self._function = function
        self._gpus = gpus
        self._processes: dict[Connection, tuple[SpawnProcess, str]] = {}

    def start_worker(self) -> Connection:
        """See ``Workers``; of several GPUs the worker gets the one with the fewest workers."""
        context = get_context("spawn")
        parent_end, worker_end = context.Pipe()
        variables: dict[str, str] = {}
        gpu = ""
        if self._gpus:
            used_gpus = [name for _, name in self._processes.values()]
            gpu = min(self._gpus, key=used_gpus.count)
            variables["CUDA_VISIBLE_DEVICES"] = gpu
        process = context.Process(target=_serve, args=(worker_end, self._function), daemon=False)
        with environment(variables), _asking_later():  # libraries read them before any line of ours runs
            process.start()
            worker_end.close()  # so that the pipe ends with the worker
            self._processes[parent_end] = process, gpu
        return parent_end

    def send(self, worker: Connection, item: object) -> None:
        """See ``Workers``."""
        with contextlib.suppress(OSError):  # it died; its pipe tells
            worker.send(item)

    def poll_events(self, seconds: float | None) -> Iterator[tuple[Connection, Event]]:
        """See ``Workers``."""
        for pipe in connection.wait(list(self._processes), seconds):
            assert isinstance(pipe, Connection)
            try:
                event = pipe.recv()
            except (EOFError, OSError):
                event = self._reap(pipe)
            yield pipe, event

    def stop(self, worker: Connection) -> None:
        """See ``Workers``."""
        process, _ = self._processes.pop(worker)
        process.kill()
        process.join()
        worker.close()

    def stop_all(self) -> None:
        """See ``Workers``."""
        processes = [process for process, _ in self._processes.values()]
        for process in processes:
            if process.pid is not None and process.is_alive():
                os.kill(process.pid, _END)
        deadline = time.monotonic() + _LAST_SECONDS
        for process in processes:
            process.join(max(0.0, deadline - time.monotonic()))
            process.kill()
            process.join()
        for pipe in self._processes:
            pipe.close()
        self._processes.clear()

    def _reap(self, pipe: Connection) -> Died:
        process, _ = self._processes.pop(pipe)
        pipe.close()
        process.join()
        code = process.exitcode or 0
        return Died(f"signal {-code}", killed=True) if code < 0 else Died(f"exit status {code}")


@contextlib.contextmanager
def _asking_later() -> Iterator[None]:
    """Let requests to end wait, for us until the block's end, and for processes begun in it until they can answer:
    Ctrl-C would end a worker that still imports with a traceback."""
    resource_tracker.ensure_running()  # it is begun with a process, and lets these signals through when it is
    came: list[tuple[int, FrameType | None]] = []
    handlers = {}
    if threading.current_thread() is threading.main_thread():  # a signal may reach us through any other thread
        handlers = {number: signal.signal(number, lambda *arguments: came.append(arguments)) for number in _TO_GROUPS}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _TO_GROUPS)
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        for received, frame in came:
            answer = handlers[signal.Signals(received)]
            if callable(answer):
                answer(received, frame)


def _serve(pipe: Connection, function: Callable[[Any], Any]) -> None:
    """Main function of a worker process, which ends on request or when the driver is gone."""
    try:
        _work(pipe, function)
    except _Leaving:
        sys.exit(1)


def _work(pipe: Connection, function: Callable[[Any], Any]) -> None:
    for signal_number in _TO_GROUPS:
        signal.signal(signal_number, _ignore)
    signal.signal(_END, _leave)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _TO_GROUPS)  # else programs that the worker starts could not be asked
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with contextlib.suppress(EOFError, OSError), entered(function) as ready:  # until the driver is gone
        pipe.send(Ready())
        while True:
            event = attempt(ready, pipe.recv())
            try:
                pipe.send(event)
            except (TypeError, AttributeError, ValueError) as error:  # cannot be pickled
                pipe.send(Failed(ExecutorError(f"the result of a worker cannot be sent ({error})")))


def _ignore(*_: object) -> None:
    """A function, since programs that the worker starts would inherit SIG_IGN."""


class _Leaving(BaseException):
    """Unwinds: external programs are ended, temporary files removed. No SystemExit, which code of methods may raise."""


def _leave(*_: object) -> None:
    raise _Leaving


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is None:
        return
    connection.wait([parent.sentinel])
    os.kill(os.getpid(), _END)
    time.sleep(_LAST_SECONDS)
    os._exit(1)
