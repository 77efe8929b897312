"""A store of version 4, made by the program of that time, is read as it is and upgraded where a run goes on with it."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from asasr_bench.bench.analysis.leaderboard import load_board
from asasr_bench.bench.publish.leaderboards import write_reports
from asasr_bench.bench.store.images import StoreError
from asasr_bench.bench.store.store import SCHEMA_VERSION, open_store

OLD = Path(__file__).parent / "stores" / "version4"
# What the report of version 4 said of this store at commit 79a03ea.
SAID = {
    ("bicubic", "psnr_y"): "27.44",
    ("bicubic", "fsim"): "0.8543",
    ("bicubic", "lr_consistency"): "36.68",
    ("lanczos", "psnr_y"): "27.84",
    ("lanczos", "fsim"): "0.8655",
    ("lanczos", "lr_consistency"): "39.07",
}
SAME = ("fsim", "gmsd", "lr_consistency")
"""Metrics whose versions have not been raised since."""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A copy of the store of version 4, with the images beside it."""
    shutil.copytree(OLD, tmp_path, dirs_exist_ok=True)
    return tmp_path / "store"


def _digests(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob("*")
        if path.is_file() and not path.name.endswith(("-shm", "-wal"))
    }


def _columns(database: sqlite3.Connection) -> dict[str, list[tuple[object, ...]]]:
    tables = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {table: database.execute(f"PRAGMA table_info({table})").fetchall() for table in sorted(tables)}


def test_an_old_store_is_read_without_being_changed(old: Path, tmp_path: Path) -> None:
    before = _digests(old)
    with open_store(old) as store:
        board = load_board(store, title="old")
        cards = store.metrics()
        assert store.left_out() == []
    write_reports(old, tmp_path / "report", ("md", "csv", "html"))
    shown = board.scores.set_index(["method", "metric"])["value"]
    for (method, metric), text in SAID.items():
        assert f"{shown[method, metric]:.{cards[metric].digits}f}" == text
    assert np.isnan(shown["bicubic", "musiq_koniq"])
    assert (cards["hf_ratio"].direction, cards["hf_ratio"].version) == ("one", "1")  # as its values were meant then
    assert _digests(old) == before


def test_a_run_upgrades_an_old_store_and_measures_nothing_again(old: Path, session: Callable[..., object]) -> None:
    kept = _digests(old)["store.sqlite"]
    metrics = [text for metric in SAME for text in ("--metric", metric)]
    result = session(
        "run",
        "classic-x4",
        "--protocol",
        "asasr",
        "--dataset",
        "S=hr",
        "--method",
        "bicubic",
        "--method",
        "lanczos",
        *metrics,
        "--store",
        "store",
        "--no-report",
    )
    assert "0 cells measured, 12 kept" in result.out  # type: ignore[attr-defined]
    assert "0.8543" in result.out  # type: ignore[attr-defined]
    copy = old / "store.version-4.sqlite"
    with closing(sqlite3.connect(f"{copy.as_uri()}?mode=ro&immutable=1", uri=True)) as database:
        assert database.execute("SELECT value FROM meta").fetchall() == [("4",)]
        assert database.execute("SELECT count(*) FROM scores").fetchall() == [(20,)]
    assert kept != _digests(old)["store.sqlite"]
    with open_store(old) as store:
        assert store.left_out() == []
        assert len(store.scores()) == 24  # the cells of this run and those of before


def test_an_upgraded_store_has_the_schema_of_a_new_one(old: Path, tmp_path: Path) -> None:
    with open_store(old, write=True), open_store(tmp_path / "new", write=True):
        pass
    with (
        closing(sqlite3.connect(old / "store.sqlite")) as upgraded,
        closing(sqlite3.connect(tmp_path / "new" / "store.sqlite")) as new,
    ):
        assert _columns(upgraded) == _columns(new)


def test_an_upgrade_that_fails_leaves_the_store_as_it_was(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asasr_bench.bench.store.upgrade._STEPS", ("CREATE TABLE sets (a)", "no SQL"))
    with pytest.raises(StoreError, match="cannot open the store"):
        open_store(old, write=True)
    monkeypatch.undo()
    with closing(sqlite3.connect(old / "store.sqlite")) as database:
        assert database.execute("SELECT value FROM meta").fetchall() == [("4",)]
        assert "sets" not in _columns(database)
    with open_store(old, write=True) as store:
        assert len(store.scores()) == 24


@pytest.mark.parametrize("write", [False, True])
@pytest.mark.parametrize(("version", "said"), [(str(int(SCHEMA_VERSION) + 1), "newer asasr-bench"), ("3", "version 3")])
def test_other_versions_are_refused(old: Path, version: str, said: str, write: bool) -> None:
    with closing(sqlite3.connect(old / "store.sqlite")) as database, database:
        database.execute("UPDATE meta SET value = ?", (version,))
    with pytest.raises(StoreError, match=said):
        open_store(old, write=write)
