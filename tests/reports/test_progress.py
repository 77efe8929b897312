"""Progress where no bar can be drawn: a line every half minute, whatever takes that long."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asasr_bench.datasets.images import write_png
from asasr_bench.reports import progress
from asasr_bench.reports.progress import Lines, stage_progress, training_progress


class Clock:
    """Seconds that a test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_line_comes_every_half_minute_and_no_more_often(clock: Clock) -> None:
    said: list[tuple[float, str]] = []
    lines = Lines(lambda text: said.append((clock.now - 1000, text)), clock)
    lines.beat()  # nothing is known yet
    for second in range(121):  # one image in 20 s
        clock.now = 1000 + second
        lines.tell("measuring", second // 20, 10)
    assert said == [
        (30, "measuring: 1 of 10, 30 s, about 0:04:30 left"),
        (60, "measuring: 3 of 10, 0:01:00, about 0:02:20 left"),
        (90, "measuring: 4 of 10, 0:01:30, about 0:02:15 left"),
        (120, "measuring: 6 of 10, 0:02:00, about 0:01:20 left"),
    ]


def test_a_line_comes_while_nothing_is_told(clock: Clock) -> None:
    said: list[str] = []
    lines = Lines(said.append, clock)
    lines.tell("training full", 0, 0)
    for second in range(1, 70):
        clock.now = 1000 + second
        lines.beat()
    lines.tell("measuring", 0, 4)  # a stage's time is its own
    clock.now += 21
    lines.beat()
    assert said == ["training full: 30 s", "training full: 0:01:00", "measuring: 0 of 4, 21 s"]


def test_commands_without_a_terminal_tell(
    tmp_path: Path, session: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    monkeypatch.setattr(progress, "EVERY", 0.0)
    for name in "ab":
        write_png(tmp_path / "hr" / f"{name}.png", rng.integers(0, 256, (32, 32, 3), np.uint8))
    told = session(
        "run", "classic-x4-float", "--dataset", f"D={tmp_path / 'hr'}", "--method", "bicubic", "--store", "s"
    )
    assert "preparing images: 1 of 2, 0 s" in told.err
    assert "restoring and measuring: 2 of 2, 0 s" in told.err
    told = session("restore", "bicubic", tmp_path / "hr", tmp_path / "out")
    assert "restoring: 1 of 2, 0 s" in told.err
    assert told.out.count(".png") == 2


def test_the_line_of_a_silent_stage_comes_by_itself(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "EVERY", 0.5)
    assert not sys.stderr.isatty()
    with training_progress("prior") as tell:
        tell(3, 9, {"loss": 0.25, "other": 1.0})
        time.sleep(1.6)
    assert "prior: 3 of 9, 1 s, about 2 s left loss 0.25" in capsys.readouterr().err
    with stage_progress():
        pass
    assert capsys.readouterr().err == ""
