"""Methods, metrics and datasets out of a store: what stays is what a store without them has, at any kill."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from asasr_bench.bench.analysis.leaderboard import load_board
from asasr_bench.bench.store import drop as dropping
from asasr_bench.bench.store.drop import Doomed, drop, sweep
from asasr_bench.bench.store.images import StoreError
from asasr_bench.bench.store.store import open_store
from stored import column, named

PLACE = "protocol, scale, dataset, image, seed, lq_rule, lq, reference, restoration, status"


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory, make_store: Callable[..., Path]) -> Path:
    return make_store(tmp_path_factory.mktemp("full") / "store", datasets=("A", "BB"), images=3)


@pytest.fixture
def copy(full: Path, tmp_path: Path) -> Path:
    shutil.copytree(full, tmp_path / "store")
    return tmp_path / "store"


def files(root: Path) -> set[str]:
    return {path.stem for path in (root / "objects").glob("??/*")}


def test_what_stays_is_what_a_store_without_it_has(copy: Path, tmp_path: Path, make_store: Callable[..., Path]) -> None:
    alone = make_store(
        tmp_path / "alone", datasets=("A",), images=3, methods=("bicubic", "net-2"), metrics=("psnr_y", "lsd")
    )
    with open_store(copy, write=True) as store:
        freed = drop(store, Doomed(("net-4",), ("ssim_y", "hf_ratio"), ("BB",)))
    assert freed > 0
    with open_store(copy) as rest, open_store(alone) as expected:
        assert rest.scores().equals(expected.scores())
        assert rest.outputs().equals(expected.outputs())
        assert rest.methods() == expected.methods()
        assert load_board(rest, title="").scores.equals(load_board(expected, title="").scores)
        assert [place for place, _ in rest.payloads("lsd")] == [place for place, _ in expected.payloads("lsd")]
    assert files(copy) == files(alone) == named(copy)
    for table in ("scores", "payloads", "restorations", "cells", "outputs"):
        count = f"SELECT count(*) FROM {table}"
        assert column(copy, count) == column(alone, count)


def test_what_another_output_has_stays(copy: Path) -> None:
    """Two names of one method share restorations, scores and images."""
    with open_store(copy, write=True) as store, store.transaction() as database:
        database.execute(
            f"INSERT INTO outputs ({PLACE}, method) SELECT {PLACE}, 'twin' FROM outputs WHERE method = 'net-4'"
        )
        database.execute(
            "INSERT INTO cells (output, metric, score, status) SELECT t.id, c.metric, c.score, c.status FROM cells c"
            " JOIN outputs o ON o.id = c.output JOIN outputs t ON t.method = 'twin' AND t.image = o.image"
            " AND t.dataset = o.dataset WHERE o.method = 'net-4'"
        )
    with open_store(copy) as store:
        before = store.scores().query("method == 'twin'")
    kept = files(copy)
    with open_store(copy, write=True) as store:
        assert drop(store, Doomed(methods=("net-4",))) == 0
    with open_store(copy) as store:
        assert store.scores().query("method == 'twin'")["value"].tolist() == before["value"].tolist()
    assert files(copy) == kept


def test_a_kill_before_the_files_go_is_made_good(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(store: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(dropping, "sweep", killed)
    with pytest.raises(KeyboardInterrupt), open_store(copy, write=True) as store:
        drop(store, Doomed(methods=("net-4",)))
    with open_store(copy) as store:
        assert "net-4" not in set(store.outputs()["method"])
    assert files(copy) > named(copy)
    with open_store(copy, write=True) as store:
        assert sweep(store) > 0
    assert files(copy) == named(copy)


def test_a_kill_in_the_transaction_changes_nothing(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_store(copy) as store:
        before = store.scores()

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(dropping, "_forget_inputs", killed)  # the last of its statements
    with pytest.raises(KeyboardInterrupt), open_store(copy, write=True) as store:
        drop(store, Doomed(("net-4",), ("lsd",), ("BB",)))
    with open_store(copy) as store:
        assert store.scores().equals(before)


def test_the_command_asks_and_says(copy: Path, session, monkeypatch: pytest.MonkeyPatch) -> None:
    result = session("drop", copy, "--method", "net4")
    assert (result.status, result.err) == (
        3,
        f"error: {copy}: has no method 'net4'; did you mean 'net-4' or 'net-2'?\n",
    )
    kept = files(copy)
    result = session("drop", copy, "--method", "net-4")
    assert (result.status, result.err[:52]) == (2, "error: drop asks before it takes anything out, and n")
    monkeypatch.setattr("asasr_bench.bench.cli.leaderboard._agreed", lambda question: "6 outputs" not in question)
    assert session("drop", copy, "--method", "net-4").out == "nothing was taken out\n"
    assert files(copy) == kept
    result = session("drop", copy, "--method", "net-4", "--metric", "lsd", "--yes")
    assert "6 outputs and 36 values of net-4, lsd are out of" in result.out
    assert "images that nothing needed are free" in session("drop", copy).out
    assert session("report", copy, "--format", "csv", "--out", "r").status == 0


def test_a_store_that_is_written_is_left_alone(copy: Path) -> None:
    with open_store(copy, write=True), pytest.raises(StoreError, match="is writing this store"):
        open_store(copy, write=True)
