"""Progress bars on a terminal; nothing elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..preparing import Progress


@contextmanager
def stage_progress() -> Iterator[Progress | None]:
    """A bar for each stage, with rate and time left."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"),
               TimeRemainingColumn())  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, Any] = {}

        def tell(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total, rate="")
            rate = _rate(bars.tasks[tasks[stage]].speed)
            bars.update(tasks[stage], completed=done, total=total, rate=rate)

        yield tell


@contextmanager
def download_progress() -> Iterator[Callable[[str, int, int], None] | None]:
    """A bar for the file on its way, with speed and time left."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(),
               TimeRemainingColumn())  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("", total=None)
        yield lambda name, done, total: bars.update(task, description=name, completed=done, total=total or None)


@contextmanager
def training_progress(stage: str) -> Iterator[Callable[[int, int, dict[str, float]], None] | None]:
    """A bar with rate, time left and the latest logged means."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"),
               TimeRemainingColumn(), TextColumn("{task.fields[means]}"))  # fmt: skip
    shown = ("loss", "accuracy", "margin", "energy_winner")
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(stage, total=None, rate="", means="")

        def tell(step: int, steps: int, means: dict[str, float]) -> None:
            text = " ".join(f"{name} {value:.3g}" for name, value in means.items() if name.startswith(shown))
            bars.update(task, completed=step, total=steps, rate=_rate(bars.tasks[task].speed), means=text)

        yield tell


def _rate(speed: float | None) -> str:
    if not speed:
        return ""
    return f"{speed:.1f}/s" if speed >= 1 else f"{1 / speed:.1f} s each"
