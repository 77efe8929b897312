"""Executors alone: every item once, whatever happens to the workers."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import chores
import pytest
from asasr_bench.bench.execute.executors.executor import ExecutorError, InProcess, Limits, WorkerDied
from asasr_bench.bench.execute.executors.local import LocalProcesses

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.mark.parametrize("executor", [InProcess(), LocalProcesses(1), LocalProcesses(3)], ids=["here", "one", "three"])
def test_every_item_comes_back_once(executor: InProcess | LocalProcesses) -> None:
    assert sorted(executor.map(chores.square, range(20))) == [(number, number**2) for number in range(20)]
    assert list(executor.map(chores.square, [])) == []


def test_who_kills_its_worker_is_named_and_the_others_go_on() -> None:
    results = dict(LocalProcesses(2).map(chores.killed_by_13, range(20)))
    assert isinstance(results.pop(13), WorkerDied)
    assert results == {number: number**2 for number in range(20) if number != 13}


@pytest.mark.parametrize("times", [1, 3])
def test_a_killed_workers_item_is_done_again(tmp_path: Path, times: int) -> None:
    """Two kills may be chance; then the item is tried alone, and twice."""
    results = sorted(LocalProcesses(2).map(chores.Killed(tmp_path, times), range(3)))
    assert results == [(number, number**2) for number in range(3)]
    assert len(list(tmp_path.iterdir())) == 3 * (times + 1)


@linux
def test_kills_at_random_moments_lose_and_double_nothing() -> None:
    """Results are larger than a pipe, so that some kills come in the middle of one."""
    moments, over = random.Random(1), threading.Event()
    kills, in_a_row = [], []

    def killer() -> None:
        while not over.wait(moments.uniform(0.05, 0.4)):
            for pid in chores.workers_of(os.getpid())[:1] if len(in_a_row) < 10 else ():  # a busy machine starts slowly
                os.kill(pid, signal.SIGKILL)
                kills.append(pid)
                in_a_row.append(pid)

    thread = threading.Thread(target=killer)
    thread.start()
    results = []
    try:
        for result in LocalProcesses(2).map(chores.large, range(300)):
            results.append(result)
            in_a_row.clear()
    finally:
        over.set()
        thread.join()
    assert [number for number, _ in sorted(results, key=lambda pair: pair[0])] == list(range(300))
    assert all(isinstance(result, bytes) and set(result[:9]) == {number % 256} for number, result in results)
    assert len(set(kills)) >= 3


@pytest.mark.parametrize("workers", [1, 2])
def test_an_item_that_takes_too_long_loses_its_worker_and_no_other_item(workers: int) -> None:
    limits = Limits[int](seconds=lambda number: 5.0 if number == 3 else None)
    results = dict(LocalProcesses(workers).map(chores.hangs_at_3, range(8), limits=limits))
    assert results.pop(3) == WorkerDied("took longer than 5 s; raise 'timeout' or use less")
    assert results == {number: number**2 for number in range(8) if number != 3}


def test_a_kind_that_ends_every_worker_is_given_up(tmp_path: Path) -> None:
    """Four in a row, then two items twice alone: eight starts (with two workers one more), not four for each item."""
    results = dict(LocalProcesses(2).map(chores.Harmful(tmp_path), range(40), limits=Limits(kind=chores.parity)))
    assert {number: results[number] for number in range(0, 40, 2)} == {n: n * n for n in range(0, 40, 2)}
    reasons = [results[number].message.split(":")[0] for number in range(1, 40, 2)]
    assert all(isinstance(results[number], WorkerDied) for number in range(1, 40, 2))
    assert reasons.count("not tried") == 18
    assert 8 <= len(list(tmp_path.iterdir())) <= 9


def test_an_exception_ends_the_map() -> None:
    with pytest.raises(ValueError, match="13 is refused"):
        list(LocalProcesses(2).map(chores.refuse_13, range(20)))
    with pytest.raises(ExecutorError, match="cannot be sent"):
        list(LocalProcesses(1).map(chores.with_lock, [1]))


@pytest.mark.parametrize("executor", [InProcess(), LocalProcesses(2)], ids=["here", "two"])
def test_a_stop_finishes_what_is_in_flight(executor: InProcess | LocalProcesses) -> None:
    results: list[tuple[int, object]] = []
    for result in executor.map(chores.slow_square, range(100), stop=lambda: len(results) >= 5):
        results.append(result)
    assert 5 <= len(results) <= 5 + 2 * 2
    assert all(result == number**2 for number, result in results)


@linux
def test_a_map_that_is_left_ends_its_workers() -> None:
    results = LocalProcesses(2).map(chores.slow_square, range(1000))
    next(results)
    workers = chores.workers_of(os.getpid())
    assert workers
    results.close()
    assert not any(chores.is_alive(worker) for worker in workers)


@linux
def test_external_programs_end_with_their_workers_driver(tmp_path: Path) -> None:
    script = (
        "import chores; from pathlib import Path\n"
        "from asasr_bench.bench.execute.executors.local import LocalProcesses\n"
        f"if __name__ == '__main__': list(LocalProcesses(1).map(chores.external, [Path({str(tmp_path)!r})]))"
    )
    path = os.pathsep.join([str(Path(chores.__file__).parent), os.environ.get("PYTHONPATH", "")])
    (tmp_path / "driver.py").write_text(script)
    with subprocess.Popen([sys.executable, tmp_path / "driver.py"], env={**os.environ, "PYTHONPATH": path}) as driver:
        pid = int(_when_written(tmp_path / "pid"))
        assert chores.is_alive(pid)
        driver.kill()
    deadline = time.monotonic() + 10
    while chores.is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not chores.is_alive(pid)


def _when_written(path: Path) -> str:
    deadline = time.monotonic() + 60
    while not (path.exists() and path.read_text()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return path.read_text()


def test_a_script_without_its_main_line_is_told(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(
        "from asasr_bench.bench.execute.executors.local import LocalProcesses\n"
        "list(LocalProcesses(2).map(abs, [1, 2]))\n"
    )
    result = subprocess.run([sys.executable, tmp_path / "script.py"], capture_output=True, text=True, timeout=60)
    assert result.returncode != 0
    assert "if __name__ == '__main__':" in result.stderr.splitlines()[-1]


def test_workers_share_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a,GPU-b")
    seen = {result for _, result in LocalProcesses(4, "auto").map(chores.surroundings, range(30))}
    assert sorted(gpu for _, gpu in seen) == ["GPU-a", "GPU-a", "GPU-b", "GPU-b"]
    chosen = {gpu for _, (_, gpu) in LocalProcesses(2, "cuda:1").map(chores.surroundings, range(2))}
    assert chosen == {"GPU-a,GPU-b"}  # the user chose one: nothing is divided
