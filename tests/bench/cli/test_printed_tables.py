"""A finished store prints the tables it printed before, and makes them anew as soon as anything in it differs."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asasr_bench.bench.cli.running.printed_tables import read_printed
from asasr_bench.bench.store.fingerprint import fingerprint
from asasr_bench.bench.store.store import open_store
from asasr_bench.datasets.images import write_png

Run = Callable[..., Any]


@pytest.fixture
def run(session: Callable[..., Any], tmp_path: Path) -> Run:
    rng = np.random.default_rng(0)
    for number in range(2):
        write_png(tmp_path / "hr" / f"{number}.png", rng.integers(0, 256, (48, 48, 3), dtype=np.uint8))

    def call(*more: object) -> Any:
        result = session(
            "run",
            "classic-x4",
            "--dataset",
            f"D={tmp_path / 'hr'}",
            "--method",
            "bicubic",
            "--metric",
            "psnr_y",
            "--store",
            tmp_path / "s",
            *more,
        )
        assert result.status == 0
        return result

    return call


def tables(told: Any) -> str:
    """What stands above the counts."""
    return told.out[: told.out.index(" cells measured")].rsplit("\n", 1)[0]


def state(tmp_path: Path) -> str:
    with open_store(tmp_path / "s") as store:
        return fingerprint(store)


def test_a_finished_store_prints_the_same_and_makes_nothing(run: Run, tmp_path: Path) -> None:
    first = run()
    page = tmp_path / "s" / "report" / "leaderboard.html"
    before = page.stat().st_mtime_ns, state(tmp_path)
    arguments = [
        "run",
        "classic-x4",
        "--dataset",
        f"D={tmp_path / 'hr'}",
        "--method",
        "bicubic",
        "--metric",
        "psnr_y",
        "--store",
        str(tmp_path / "s"),
    ]
    code = (
        f"import sys; sys.argv = ['asasr-bench', *{arguments!r}]\n"
        "from asasr_bench.bench.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(sorted({'pandas', 'jinja2', 'scipy', 'torch'} & set(sys.modules)))"
    )
    again = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert again.splitlines()[-1] == "[]"
    assert again.startswith(tables(first))
    assert "PSNR-Y" in tables(first)
    assert (page.stat().st_mtime_ns, state(tmp_path)) == before


def test_other_values_are_shown(run: Run, tmp_path: Path) -> None:
    first, before = run(), state(tmp_path)
    page = tmp_path / "s" / "report" / "leaderboard.html"
    old = page.read_text()
    run("--method", "nearest", "--no-report")  # tables are new, and the page is not
    assert page.read_text() == old
    assert state(tmp_path) != before
    again = run()
    assert "nearest" in tables(again)
    assert tables(again) != tables(first)
    assert page.read_text() != old


CHANGES = (
    "UPDATE scores SET checksum = checksum + 1",
    "UPDATE cells SET status = 'failed'",
    "UPDATE outputs SET wanted = 'x'",
    "UPDATE restorations SET seconds = 99",
    "UPDATE methods SET card = card || ' '",
    "UPDATE metrics SET version = version || ' '",
    "DELETE FROM sets",
    "UPDATE runs SET spec = spec || ' '",
)


def test_every_change_of_what_is_shown_counts(run: Run, tmp_path: Path) -> None:
    run("--no-report")
    states = [state(tmp_path)]
    for change in CHANGES:
        with sqlite3.connect(tmp_path / "s" / "store.sqlite") as database:
            database.execute(change)
        states.append(state(tmp_path))
    assert len(set(states)) == 1 + len(CHANGES)


def test_a_damaged_file_costs_time_alone(run: Run, tmp_path: Path) -> None:
    first = run("--no-report")
    kept = tmp_path / "s" / "printed.json"
    assert json.loads(kept.read_text())["text"] == tables(first) + "\n"
    for damage in ("", "[]", '{"state": 1}', '{"other": ""}', "\x00"):
        kept.write_text(damage)
        assert tables(run("--no-report")) == tables(first)
        assert json.loads(kept.read_text())["text"] == tables(first) + "\n"


@pytest.mark.parametrize("command", ["\x1b]0;title\x07", "\x1b[2J", "\x9b2J", "\r", "\x08"])
def test_what_a_store_says_was_printed_commands_no_terminal(run: Run, tmp_path: Path, command: str) -> None:
    first = run("--no-report")
    kept = tmp_path / "s" / "printed.json"
    content = json.loads(kept.read_text())
    kept.write_text(json.dumps({**content, "text": f"\x1b[1mbold\x1b[0m\n{command}"}))
    assert tables(run("--no-report")) == tables(first)
    kept.write_text(json.dumps({**content, "text": "\x1b[1mkept as it is\x1b[0m\n"}))
    with open_store(tmp_path / "s") as store:
        assert read_printed(tmp_path / "s").fits(fingerprint(store), content["terminal"])


def test_other_code_makes_the_tables_anew(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("--no-report")
    (tmp_path / "rooms" / "inner").mkdir(parents=True)
    code = tmp_path / "rooms" / "inner" / "grid.py"
    code.write_text("1")
    monkeypatch.setattr("asasr_bench.bench.store.fingerprint._MAKERS", (str(tmp_path / "rooms"),))
    before = state(tmp_path)
    assert state(tmp_path) == before
    code.write_text("22")
    assert state(tmp_path) != before


def test_another_width_arranges_them_anew(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    wide = run()
    monkeypatch.setenv("COLUMNS", "30")
    narrow = run()
    assert max(map(len, tables(narrow).splitlines())) <= 30 < max(map(len, tables(wide).splitlines()))
