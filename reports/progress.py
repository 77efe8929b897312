"""Progress: bars on a terminal, and elsewhere a line every half minute, so that no log looks as if the run hung."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from html import escape
from typing import Any

Progress = Callable[[str, int, int], None]
"""Called with (stage, done, total)."""
EVERY = 30.0
"""Seconds between two lines."""
_REDRAW = 0.2
"""Seconds between two pictures of a notebook's bar."""


class Lines:
    """Progress as lines of text, for outputs on which no bar can be drawn."""

    def __init__(self, write: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._write, self._clock = write, clock
        self._lock = threading.Lock()
        self._said = clock()
        self._stage, self._since, self._done, self._total, self._more = "", clock(), 0, 0, ""

    def tell(self, stage: str, done: int, total: int, more: str = "") -> None:
        """Record a step, and write a line if it is time.

        Args:
            stage: name of the stage.
            done: steps done.
            total: all steps; 0: unknown.
            more: text at the end of the line.
        """
        with self._lock:
            if stage != self._stage:
                self._stage, self._since = stage, self._clock()
            self._done, self._total, self._more = done, total, more
        self.beat()

    def beat(self) -> None:
        """Write a line if the last one is half a minute old."""
        with self._lock:
            now = self._clock()
            if self._stage and now - self._said >= EVERY:
                self._said = now
                self._write(self._line(now - self._since))

    def _line(self, seconds: float) -> str:
        words = [f"{self._stage}:", f"{self._done} of {self._total}," if self._total else "", duration(seconds)]
        if 0 < self._done < self._total and seconds > 0:
            words[-1] += ","
            words.append(f"about {duration(seconds / self._done * (self._total - self._done))} left")
        return " ".join(word for word in (*words, self._more) if word)


@contextmanager
def _lines() -> Iterator[Lines]:
    """Lines on standard error, also while nothing is told."""
    lines, stopped = Lines(lambda text: print(text, file=sys.stderr, flush=True)), threading.Event()

    def beat() -> None:
        while not stopped.wait(1.0):
            lines.beat()

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield lines
    finally:
        stopped.set()
        thread.join()


def duration(seconds: float) -> str:
    """``0:01:05``; seconds alone below a minute."""
    rounded = max(0, round(seconds))
    return f"{rounded} s" if rounded < 60 else str(timedelta(seconds=rounded))


@contextmanager
def stage_progress() -> Iterator[Progress]:
    """A bar for each stage, with rate and time left; a total of 0 is one that nobody knows."""
    if in_notebook():
        yield _notebook_bar()
        return
    if not sys.stderr.isatty():
        with _lines() as lines:
            yield lines.tell
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False) as bars:
        tasks: dict[str, Any] = {}

        def tell(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total or None, rate="")
            rate = _rate(bars.tasks[tasks[stage]].speed)
            bars.update(tasks[stage], completed=done, total=total or None, rate=rate)

        yield tell


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook; IPython in a terminal is none."""
    if "IPython" not in sys.modules:
        return False
    shell = sys.modules["IPython"].get_ipython()
    return shell is not None and hasattr(shell, "kernel")


def _notebook_bar() -> Progress:
    """A bar in the cell's output. It takes no widgets, which many notebooks do not have."""
    from IPython.display import HTML, display

    handle = display(HTML(""), display_id=True)
    drawn = 0.0

    def tell(stage: str, done: int, total: int) -> None:
        nonlocal drawn
        now = time.monotonic()
        if now - drawn < _REDRAW and done < total:
            return
        drawn = now
        bar = f"<progress value={done} max={total}></progress> " if total else ""
        handle.update(HTML(f"{bar}{escape(stage)}: {done}{f' of {total}' if total else ''}"))

    return tell


@contextmanager
def download_progress() -> Iterator[Callable[[str, int, int], None] | None]:
    """A bar for the file on its way, with speed and time left."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("", total=None)
        yield lambda name, done, total: bars.update(task, description=name, completed=done, total=total or None)


@contextmanager
def training_progress(stage: str) -> Iterator[Callable[[int, int, dict[str, float]], None]]:
    """A bar with rate, time left and the latest logged means."""
    if not sys.stderr.isatty():
        with _lines() as lines:
            yield lambda step, steps, means: lines.tell(stage, step, steps, _means(means))
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[means]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(stage, total=None, rate="", means="")

        def tell(step: int, steps: int, means: dict[str, float]) -> None:
            bars.update(task, completed=step, total=steps, rate=_rate(bars.tasks[task].speed), means=_means(means))

        yield tell


def _means(means: dict[str, float]) -> str:
    names = ("loss", "accuracy", "margin", "energy_winner")
    return " ".join(f"{name} {value:.3g}" for name, value in means.items() if name.startswith(names))


def _rate(speed: float | None) -> str:
    if not speed:
        return ""
    return f"{speed:.1f}/s" if speed >= 1 else f"{1 / speed:.1f} s each"
