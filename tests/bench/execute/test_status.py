"""What a run tells while it goes on and after it, and how its failures are tried again."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asasr_bench.bench.execute.run import run
from asasr_bench.bench.execute.status_file import FILE, Watch, read_progress
from asasr_bench.bench.plan.jobs import Job, Task
from asasr_bench.bench.spec import Spec, parse_spec
from asasr_bench.bench.store.store import open_store
from asasr_bench.methods.reference import MethodReference
from numpy.typing import NDArray
from PIL import Image


@pytest.fixture
def folder(photo: NDArray[np.uint8], tmp_path: Path) -> Path:
    """Three images, of which one is broken."""
    hr = tmp_path / "HR"
    hr.mkdir()
    for name in ("a", "b"):
        Image.fromarray(photo[:64, :64]).save(hr / f"{name}.png")
    (hr / "broken.png").write_bytes(b"no image")
    return hr


def spec_of(hr: Path, metrics: str = "psnr_y") -> Spec:
    return parse_spec(
        f"{{name: s, protocol: classic-x4, datasets: ['D={hr}'], methods: [bicubic], metrics: [{metrics}]}}", origin="s"
    )


def job(image: str, metrics: tuple[str, ...] = ("psnr_y", "ssim_y")) -> Job:
    return Job(
        "D", "net", MethodReference(id="net"), "asasr", 4, 0, "files", (Task(image, "", None, "", None, metrics),)
    )


def test_rate_and_time_left_are_of_the_last_minute_and_the_file_survives(tmp_path: Path) -> None:
    now = [1000.0]
    watch = Watch(tmp_path, 7, clock=lambda: now[0])
    watch.stage("restoring and measuring", 1000, kept=50)
    for second in range(1, 201):  # 100 seconds at 2 cells/s, then 100 at 4
        now[0] = 1000.0 + second
        worker = f"host:{second % 2}"
        for _ in range(1 if second <= 100 else 2):
            one = job(f"i{second}")
            watch.performed(one, [replace(one.record(one.tasks[0]), worker=worker)])
    result = read_progress(tmp_path)  # as after a kill: nothing was closed
    assert result is not None
    assert result.rate == pytest.approx(4.0, rel=0.05)
    assert result.done == pytest.approx(600, abs=4)
    assert result.seconds_left == pytest.approx(100, rel=0.05)
    assert (result.run, result.kept, result.ending, result.alive()) == (7, 50, "running", True)
    assert {name: one.cells for name, one in result.workers.items()} == pytest.approx(
        {"host:0": 300, "host:1": 300}, abs=4
    )
    assert result.workers["host:0"].last == "D/i200, net"


def test_a_clock_that_goes_back_and_a_full_disk_do_not_stop_a_run(tmp_path: Path) -> None:
    now = [1000.0]
    watch = Watch(tmp_path / "nowhere", 1, clock=lambda: now[0])  # cannot be written
    watch.stage("restoring and measuring", 10)
    now[0] = 10.0
    watch.performed(job("a"), [])
    assert watch.progress.done == 2
    assert watch.progress.rate == 0.0
    assert watch.progress.seconds_left is None


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '{"workers": 3}',
        '{"workers": {}, "more": 1}',
        "[" * 100_000,
        '{"run": "x", "process": 1, "host": "h", "started": 1, "heard": 1}',
    ],
)
def test_a_damaged_file_is_no_progress(content: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(content)
    assert read_progress(tmp_path) is None


def test_others_can_read_while_a_run_writes_and_nobody_waits(folder: Path, tmp_path: Path) -> None:
    recorded = []

    def look(stage: str, done: int, total: int) -> None:
        progress = read_progress(tmp_path / "s")
        assert progress is not None
        with open_store(tmp_path / "s") as store:
            cells = sum(by_status.get("done", 0) for by_status in store.counts().values())
        recorded.append((progress.ending, progress.stage, cells))

    run(spec_of(folder), tmp_path / "s", progress=look)
    assert recorded[-1] == ("running", "restoring and measuring", 2)
    assert [cells for _, _, cells in recorded] == sorted(cells for _, _, cells in recorded)
    with sqlite3.connect(tmp_path / "s" / "store.sqlite") as writer:
        writer.execute("BEGIN IMMEDIATE")  # in the middle of a commit
        writer.execute("DELETE FROM cells")
        with open_store(tmp_path / "s") as store:
            assert store.counts()["classic-x4", "D", "bicubic"] == {"done": 2, "failed": 1}
        writer.execute("ROLLBACK")


def test_failures_are_listed_logged_and_tried_again_alone(
    folder: Path, photo: NDArray[np.uint8], session: Callable[..., Any], tmp_path: Path
) -> None:
    begin = ("run", "classic-x4", "--dataset", f"D={folder}", "--method", "bicubic", "--store", "s", "--no-report")
    assert session(*begin, "--metric", "psnr_y", "--log", "log/run.jsonl").status == 3
    events = [json.loads(line) for line in (tmp_path / "log" / "run.jsonl").read_text().splitlines()]
    assert [event["event"] for event in events if event["level"] == "info"] == [
        "run started",
        "stage",
        "stage",
        "job done",
        "job done",
        "run finished",
    ]
    failed = [event for event in events if event["event"] == "cell failed"]
    assert [(one["level"], one["image"], one["metric"]) for one in failed] == [("warning", "broken", "psnr_y")]
    assert "not an image" in failed[0]["message"]
    assert all(event["time"].endswith("+00:00") for event in events)

    result = session("status", "s")
    assert "run 1 finished" in result.out
    assert "failed (1): D, bicubic: " in result.out
    listed = session("status", "s", "--failed").out
    assert listed.startswith("D/broken, bicubic, psnr_y (classic-x4): ")
    assert listed.count("\n") == 1

    Image.fromarray(photo[64:128, :64]).save(folder / "broken.png")
    both = (*begin, "--metric", "psnr_y", "--metric", "ssim_y")
    assert "give one of them" in session(*both, "--retry-failed", "--only-missing").err
    result = session(*both, "--retry-failed")
    assert result.status == 0
    assert "1 cells measured" in result.out  # the one that failed; SSIM, never tried, is left alone
    with open_store(tmp_path / "s") as store:
        assert store.counts()["classic-x4", "D", "bicubic"] == {"done": 3}
    assert "3 cells measured, 3 kept" in session(*both).out


def test_a_killed_run_is_told_from_one_that_goes_on(folder: Path, session: Callable[..., Any], tmp_path: Path) -> None:
    run(spec_of(folder), tmp_path / "s")
    content = json.loads((tmp_path / "s" / FILE).read_text())
    ended = subprocess.Popen(["true"])
    ended.wait()
    running = {**content, "ending": "running", "done": 1, "total": 4, "rate": 0.5}
    (tmp_path / "s" / FILE).write_text(json.dumps({**running, "process": ended.pid}))
    assert f"run 1 was killed (process {ended.pid} on" in session("status", "s").out
    (tmp_path / "s" / FILE).write_text(json.dumps({**running, "host": "elsewhere"}))
    result = session("status", "s").out
    assert "run 1 runs since" in result
    assert "on elsewhere, last heard of" in result
    assert "restoring and measuring: 1 of 4 cells (25.0 %), 1 cells failed" in result
    assert "0.5 cells/s, about 6 s left" in result
    assert "D/b, bicubic" in result  # what the worker did last
