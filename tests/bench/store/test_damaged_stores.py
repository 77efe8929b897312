"""Stores and baselines that are damaged, or of somebody else's making: one line from every command, or results."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import tempfile
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asasr_bench.bench.drift.baseline import BaselineError, read_baseline
from asasr_bench.bench.store.checksums import payload_checksum
from asasr_bench.bench.store.images import StoreError
from asasr_bench.bench.store.store import open_store
from asasr_bench.datasets.images import write_png
from hypothesis import given, settings
from hypothesis import strategies as st
from refusals import read_or_refused

pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")

DAMAGES = (
    "UPDATE runs SET spec = 'no JSON'",
    "UPDATE runs SET spec = '[1]'",
    'UPDATE runs SET spec = \'{"methods": 3, "name": []}\'',
    'UPDATE runs SET spec = \'{"methods": [{"name": 7}, [], null]}\'',
    "UPDATE runs SET spec = replace(hex(zeroblob(50000)), '0', '[')",
    "UPDATE runs SET provenance = '{}'",
    'UPDATE runs SET provenance = \'{"packages": [1], "command": {}, "git": 4}\'',
    "UPDATE runs SET started = x'ff00', finished = x'ff'",
    "UPDATE methods SET card = '[1, 2]'",
    'UPDATE methods SET card = \'{"family": [], "parameters": "many", "steps": {}}\'',
    "UPDATE methods SET weights = x'ff'",
    "UPDATE methods SET name = x'ff00' WHERE name = 'bicubic'",
    "DELETE FROM methods",
    "DELETE FROM runs",
    "UPDATE scores SET value = 'text'",
    "UPDATE scores SET value = x'00ff'",
    "UPDATE scores SET key = x'00'  WHERE key = (SELECT min(key) FROM scores)",
    "UPDATE outputs SET lq_rule = x'ff', message = x'ff'",
    "UPDATE outputs SET image = x'ff00' WHERE image = 'image1'",
    "UPDATE outputs SET dataset = x'ff00'",
    "UPDATE outputs SET seed = 'seed', scale = 'scale'",
    "UPDATE outputs SET lq = '../../x', reference = 'y'",
    "UPDATE cells SET metric = x'ff'  WHERE metric = 'psnr_y'",
    "UPDATE cells SET metric = 'unknown_metric' WHERE metric = 'psnr_y'",
    "UPDATE restorations SET sr = 3, seconds = 'fast', memory = 'much', device = x'ff'",
    "UPDATE restorations SET sr = '../../../etc/passwd'",
    "UPDATE payloads SET dtype = 'object'",
    "UPDATE payloads SET dtype = '<f8', shape = '[1000000, 1000000]'",
    "UPDATE payloads SET shape = '{}'",
    "UPDATE payloads SET content = 'text'",
    "INSERT OR REPLACE INTO metrics VALUES ('psnr_y', '1', '{\"title\": 4, \"digits\": \"x\"}')",
    "INSERT OR REPLACE INTO metrics VALUES ('psnr_y', '1', '{\"title\": \"P\", \"digits\": 100000}')",
    "INSERT OR REPLACE INTO metrics VALUES (x'ff', x'ff', '{}')",
    "CREATE VIEW cellss AS SELECT 1",
    "DROP TABLE cells",
    "ALTER TABLE outputs DROP COLUMN wanted",
    "DELETE FROM meta",
)


def _commands(root: Path) -> list[tuple[object, ...]]:
    return [
        ("status", root),
        ("status", root, "--failed"),
        ("report", root, "--out", "r"),
        ("compare", "net-2", "net-4", "--store", root),
        ("export", root, "--per-image", "x.csv"),
        ("baseline", root, "--out", "b.json"),
        ("stability", root),
        ("history", root, root),
        ("figures", root, "--kind", "spectrum,bars", "--out", "f"),
        ("leaderboard", root, "--out", "l"),
    ]


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_rows_are_told_on_one_line(
    damage: str, make_store: Callable[..., Path], session: Callable[..., Any], tmp_path: Path
) -> None:
    root = make_store(tmp_path / "s", images=3)
    with closing(sqlite3.connect(root / "store.sqlite")) as database, database:
        database.execute(damage)
        database.create_function("payload_checksum", 4, payload_checksum)
        if "payloads" in damage:
            database.execute("UPDATE payloads SET checksum = coalesce(payload_checksum(key, dtype, shape, content), 0)")
    for command in _commands(root):
        result = session(*command)  # an internal error or a traceback fails in it
        assert result.status in (0, 3), (command, result)
        if result.status == 3:
            assert result.err.startswith("error: ")
            assert result.err.count("\n") == 1, result.err


def test_a_payload_takes_no_more_memory_than_it_declares(make_store: Callable[..., Path], tmp_path: Path) -> None:
    """3 MiB of zlib are 3 GB of zeros."""
    root = make_store(tmp_path / "s", images=1)
    bomb = zlib.compress(bytes(2**26), 9)
    for dtype, shape, said in (
        ("<f4", [3], "another size"),
        ("<f8", [2**40], "more than any payload"),
        ("<f8", [2**70, 2**70], "more than"),
        ("<f8", [-1], "no array of numbers"),
        ("O", [1], "no array of numbers"),
        ("<U9", [1], "no array of numbers"),
    ):
        with closing(sqlite3.connect(root / "store.sqlite")) as database, database:
            database.create_function("payload_checksum", 4, payload_checksum)
            database.execute("UPDATE payloads SET dtype = ?, shape = ?, content = ?", (dtype, json.dumps(shape), bomb))
            database.execute("UPDATE payloads SET checksum = payload_checksum(key, dtype, shape, content)")
        tracemalloc.start()
        with open_store(root) as store, pytest.raises(StoreError, match=f"lsd.*{said}.*run again"):
            list(store.payloads("lsd"))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 2**22


def _baseline(root: Path, path: Path, session: Callable[..., Any]) -> dict[str, Any]:
    assert session("baseline", root, "--out", path).status == 0
    content: dict[str, Any] = json.loads(path.read_text())
    return content


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda content: content["outputs"][0][11].update(psnr_y=[float("nan"), "k", 0]), "outputs.0.11.psnr_y"),
        (lambda content: content["tolerances"].update(psnr_y=float("nan")), "finite"),
        (lambda content: content["tolerances"].update(psnr_y=float("inf")), "finite"),
        (lambda content: content["tolerances"].update(psnr_y=-1.0), "greater than or equal to 0"),
        (lambda content: content["outputs"][0].__setitem__(10, 7), "is not among the 1 origins"),
        (lambda content: content["outputs"][0].__setitem__(10, -1), "greater than or equal to 0"),
        (lambda content: content["origins"][0].update(packages=["numpy"]), "an object"),
        (lambda content: content.update(outputs=[]), "has no values"),
        (lambda content: content.update(methods=[]), "an object"),
        (lambda content: content.update(format=2), "format 1"),
    ],
)
def test_a_baseline_that_would_pass_everything_is_refused(
    change: Callable[[dict[str, Any]], object], said: str, store: Path, session: Callable[..., Any], tmp_path: Path
) -> None:
    content = _baseline(store, tmp_path / "b.json", session)
    change(content)
    (tmp_path / "b.json").write_text(json.dumps(content))
    result = session("check", store, "--baseline", "b.json")
    assert (result.status, result.err.count("\n")) == (3, 1)
    assert "b.json" in result.err
    assert said in result.err


def test_a_baseline_nested_without_end_is_refused(store: Path, session: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "b.json").write_text('{"format": 1, "outputs": ' + "[" * 200_000)
    result = session("check", store, "--baseline", "b.json")
    assert (result.status, result.err.count("\n")) == (3, 1)


@pytest.mark.parametrize("value", ["nan", "inf", "-1"])
def test_tolerances_that_check_nothing_are_refused(
    value: str, store: Path, session: Callable[..., Any], tmp_path: Path
) -> None:
    _baseline(store, tmp_path / "b.json", session)
    result = session("check", store, "--baseline", "b.json", "--tolerance", f"psnr_y={value}")
    assert (result.status, "else nothing is checked" in result.err) == (3, True)


@settings(max_examples=100)
@given(
    st.text(max_size=40)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["format", "outputs", "origins", "methods"]), inner, max_size=4)
        ),
    ).map(json.dumps)
)
def test_any_text_is_a_baseline_or_refused_by_name(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "b.json")
        path.write_text(text, encoding="utf-8")
        with read_or_refused(BaselineError, "b.json"):
            read_baseline(path)


def _contents(root: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in root.iterdir()}


def test_a_store_is_read_where_nothing_may_be_written(make_store: Callable[..., Path], tmp_path: Path) -> None:
    """A store after its last writer, in a folder of a read-only disk: SQLite cannot make its -shm there."""
    root = make_store(tmp_path / "s", images=2)
    with open_store(root) as store:
        expected = store.scores()
    database = root / "store.sqlite"
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    for file in ("store.sqlite-wal", "store.sqlite-shm"):
        (root / file).unlink(missing_ok=True)
    before = _contents(root)
    with _unwritable(root), open_store(root) as store:
        assert store.scores().equals(expected)
        assert _contents(root) == before


def test_what_is_in_the_log_of_changes_alone_is_read_where_nothing_may_be_written(
    make_store: Callable[..., Path], tmp_path: Path
) -> None:
    root = make_store(tmp_path / "s", images=2)
    with closing(sqlite3.connect(root / "store.sqlite")) as connection:
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        with connection:
            connection.execute("UPDATE outputs SET method = 'renamed' WHERE method = 'net-2'")
        copy = tmp_path / "copy"
        shutil.copytree(root, copy)
    (copy / "store.sqlite-shm").unlink()
    assert (copy / "store.sqlite-wal").stat().st_size > 0
    with _unwritable(copy), open_store(copy) as store:
        assert "renamed" in set(store.scores()["method"])


@contextlib.contextmanager
def _unwritable(root: Path) -> Iterator[None]:
    """No process may write or make files here: by rights, or, for root, whom they do not stop, by a read-only mount."""
    if os.geteuid() != 0:
        root.chmod(0o555)
        try:
            yield
        finally:
            root.chmod(0o755)
        return
    mount = subprocess.run(["mount", "--bind", "-o", "ro", root, root], capture_output=True, check=False)
    if mount.returncode != 0:
        pytest.skip("root may write everywhere, and cannot mount here")
    subprocess.run(["mount", "-o", "remount,ro,bind", root], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", root], check=True)


def test_every_command_agrees_on_what_is_no_store(session: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "zero").mkdir()
    (tmp_path / "zero" / "store.sqlite").write_bytes(b"")
    with closing(sqlite3.connect(tmp_path / "zero" / "other.sqlite")) as database:
        database.execute("CREATE TABLE t (a)")
    (tmp_path / "foreign").mkdir()
    (tmp_path / "zero" / "other.sqlite").rename(tmp_path / "foreign" / "store.sqlite")
    (tmp_path / "hr").mkdir()
    write_png(tmp_path / "hr" / "a.png", np.zeros((32, 32, 3), np.uint8))
    run = ("run", "classic-x4", "--dataset", "S=hr", "--method", "bicubic", "--metric", "psnr_y", "--store")
    for name in ("empty", "zero", "foreign"):
        for command in _commands(tmp_path / name):
            result = session(*command)
            assert (result.status, result.err.count("\n")) == (3, 1), result
            assert "no store" in result.err
    result = session(*run, "foreign")
    assert (result.status, "is no store" in result.err) == (3, True), result
    with closing(sqlite3.connect(tmp_path / "foreign" / "store.sqlite")) as database:
        assert database.execute("SELECT name FROM sqlite_master").fetchall() == [("t",)]
    assert session(*run, "empty").status == session(*run, "zero").status == 0
