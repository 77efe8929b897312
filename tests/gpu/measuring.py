"""What the steps share: where numbers go, how time and memory are taken."""

from __future__ import annotations

import argparse
import gc
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch


def device() -> str:
    """The first GPU; without one ``cpu:0``, for which the package takes the branch that it takes for a GPU."""
    return "cuda:0" if torch.cuda.is_available() else "cpu:0"


class Results:
    """Numbers of a step, written after each, so that a step that is stopped loses none."""

    def __init__(self, path: Path, seconds: float) -> None:
        self._path, self._end = path, time.monotonic() + seconds
        self._values: dict[str, Any] = {}
        name = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
        self.add("device", f"{name}, torch {torch.__version__}")

    def add(self, name: str, value: Any) -> None:
        """Keep a number, a text or a table of them."""
        self._values[name] = value
        self._path.write_text(json.dumps(self._values, indent=1) + "\n")
        print(f"{name}: {value}", flush=True)

    @property
    def seconds_left(self) -> float:
        """Until the step is stopped."""
        return self._end - time.monotonic()


def arguments(*more: Callable[[argparse.ArgumentParser], Any]) -> argparse.Namespace:
    """Options that the runner gives to every step, and a step's own."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--tiny", action="store_true")
    for add in more:
        add(parser)
    return parser.parse_args()


def finish() -> None:
    """Wait for what the GPU still computes."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def seconds_of(work: Callable[[], Any], rounds: int = 1, *, warm: bool = True) -> float:
    """The median time of some rounds, after one that is not counted."""
    if warm:
        work()
    times = []
    for _ in range(rounds):
        finish()
        begun = time.perf_counter()
        work()
        finish()
        times.append(time.perf_counter() - begun)
    return sorted(times)[len(times) // 2]


def rate_of(work: Callable[[], Any], seconds: float) -> float:
    """Calls a second, over about that time, or over the second call where that takes longer."""
    work()
    once = seconds_of(work, warm=False)
    if once >= seconds:
        return 1 / once
    count = max(1, round(seconds / max(once, 1e-6)))

    def many() -> None:
        for _ in range(count):
            work()

    return count / seconds_of(many, warm=False)


def forget_memory() -> None:
    """Begin a new peak."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def peak_gib() -> float:
    """GiB of tensors at the highest since ``forget_memory``; 0 on a CPU."""
    return torch.cuda.max_memory_allocated() / 2**30 if torch.cuda.is_available() else 0.0


def reserved_gib() -> float:
    """The same with what the allocator keeps between tensors: what other programs cannot have."""
    return torch.cuda.max_memory_reserved() / 2**30 if torch.cuda.is_available() else 0.0
