"""Functions for workers of executors: a worker imports them by name, so they cannot stand in a test's own file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path


def square(number: int) -> int:
    return number * number


def slow_square(number: int) -> int:
    time.sleep(0.05)
    return number * number


def killed_by_13(number: int) -> int:
    if number == 13:
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number


def hangs_at_3(number: int) -> int:
    if number == 3:
        time.sleep(600)
    return number * number


@dataclass(frozen=True)
class Harmful:
    """Ends its worker for every odd number, which a folder remembers."""

    folder: Path

    def __call__(self, number: int) -> int:
        if number % 2:
            (self.folder / f"{number}-{os.getpid()}").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return number * number


def parity(number: int) -> int:
    return number % 2


def refuse_13(number: int) -> int:
    if number == 13:
        raise ValueError("13 is refused")
    return number * number


def with_lock(number: int) -> object:
    """A result that cannot be sent."""
    return (part for part in range(number))


@dataclass(frozen=True)
class Killed:
    """Ends its worker the first ``times`` times that an item is begun, which a folder remembers."""

    folder: Path
    times: int

    def __call__(self, number: int) -> int:
        before = len(list(self.folder.glob(f"{number}-*")))
        (self.folder / f"{number}-{before}-{os.getpid()}").touch()
        if before < self.times:
            os.kill(os.getpid(), signal.SIGKILL)
        return number * number


def surroundings(number: int) -> tuple[int, str]:
    """Process and GPU of the worker."""
    time.sleep(0.2)
    return os.getpid(), os.environ.get("CUDA_VISIBLE_DEVICES", "")


def external(folder: Path) -> None:
    """Starts a program, leaves its process number, and waits for it."""
    from asasr_bench.methods.programs.command import run_program

    script = (
        f"import os, pathlib, time; pathlib.Path({str(folder / 'pid')!r}).write_text(str(os.getpid())); time.sleep(60)"
    )
    run_program("sleeper", [sys.executable, "-c", script], 60)


def large(number: int) -> bytes:
    """More than a pipe holds: a kill may come when half of it is sent."""
    return bytes([number % 256]) * 3_000_000


def children(pid: int) -> list[int]:
    """Processes that a process started (Linux)."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def workers_of(pid: int) -> list[int]:
    """Worker processes of a driver; the resource tracker of multiprocessing is none."""

    def line(child: int) -> str:
        try:
            return Path(f"/proc/{child}/cmdline").read_text()
        except OSError:
            return ""

    return [child for child in children(pid) if "spawn_main" in line(child)]


def is_alive(pid: int) -> bool:
    """The process is there and no zombie."""
    done = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout.strip()
    return bool(done) and not done.startswith("Z")


@dataclass(frozen=True)
class Noted:
    """Takes a second and leaves a file for every time that an item is begun."""

    folder: Path

    def __call__(self, number: int) -> int:
        before = len(list(self.folder.glob(f"{number}-*")))
        (self.folder / f"{number}-{before}-{os.getpid()}").touch()
        time.sleep(1)
        return number * number
