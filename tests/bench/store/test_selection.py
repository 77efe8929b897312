"""Part of a store, in the order and under the names of its readers: every reader sees the same part."""

from __future__ import annotations

import io
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from asasr_bench.bench.analysis.leaderboard import load_board
from asasr_bench.bench.store.images import StoreError
from asasr_bench.bench.store.selection import Selection
from asasr_bench.bench.store.store import open_store
from hypothesis import given, settings
from hypothesis import strategies as st

METHODS = ("bicubic", "net-2", "net-4")
METRICS = ("psnr_y", "ssim_y", "lsd", "hf_ratio")
DATASETS = ("A", "BB")


@pytest.fixture(scope="module")
def two_sets(tmp_path_factory: pytest.TempPathFactory, make_store: Callable[..., Path]) -> Path:
    return make_store(tmp_path_factory.mktemp("two") / "store", datasets=DATASETS)


def without(root: Path, into: Path, *statements: str) -> Path:
    """A copy of a store from which rows were deleted."""
    shutil.copytree(root, into)
    with sqlite3.connect(into / "store.sqlite") as database:
        database.execute("PRAGMA foreign_keys = ON")
        for statement in statements:
            assert database.execute(statement).rowcount > 0
    return into


def test_a_part_is_what_a_store_of_that_part_alone_gives(two_sets: Path, tmp_path: Path) -> None:
    """Ranks, marks and intervals too: whoever was not chosen competes with nobody."""
    alone = without(
        two_sets,
        tmp_path / "alone",
        "DELETE FROM outputs WHERE method = 'net-2' OR dataset = 'BB'",
        "DELETE FROM methods WHERE name = 'net-2'",
        "DELETE FROM cells WHERE metric IN ('lsd', 'hf_ratio')",
    )
    part = Selection(methods=("net-4", "bicubic"), metrics=("psnr_y", "ssim_y"), datasets=("A",))
    with open_store(alone) as whole, open_store(two_sets, selection=part) as chosen:
        assert chosen.scores().equals(whole.scores())
        assert chosen.outputs().equals(whole.outputs())
        assert chosen.counts() == whole.counts()
        assert chosen.methods() == whole.methods()
        expected, board = load_board(whole, title=""), load_board(chosen, title="")
    for name in ("scores", "methods", "metrics", "ranks", "costs", "problems"):
        pd.testing.assert_frame_equal(getattr(board, name), getattr(expected, name))
    assert not board.ranks.empty


names = st.permutations(METHODS).flatmap(lambda all: st.integers(1, 3).map(lambda n: tuple(all[:n])))
ids = st.permutations(METRICS).flatmap(lambda all: st.integers(1, 4).map(lambda n: tuple(all[:n])))
sets = st.permutations(DATASETS).flatmap(lambda all: st.integers(1, 2).map(lambda n: tuple(all[:n])))


@settings(max_examples=15)
@given(names, ids, sets)
def test_rows_columns_and_tables_stand_as_given(
    two_sets: Path, methods: tuple[str, ...], metrics: tuple[str, ...], datasets: tuple[str, ...]
) -> None:
    with open_store(two_sets, selection=Selection(methods, metrics, datasets, as_given=True)) as store:
        board = load_board(store, title="")
    assert tuple(board.methods["method"]) == methods
    assert tuple(board.metrics["metric"]) == metrics
    assert tuple(dict.fromkeys(board.scores["dataset"])) == datasets
    assert tuple(dict.fromkeys(board.scores["method"])) == methods
    assert tuple(dict.fromkeys(board.scores["metric"])) == metrics


def test_a_name_changes_names_alone(two_sets: Path) -> None:
    with open_store(two_sets) as plain, open_store(two_sets, selection=Selection(names={"net-4": "Ours"})) as named:
        before, after = load_board(plain, title=""), load_board(named, title="")
        assert set(named.methods()) == {"bicubic", "net-2", "Ours"}
    assert list(after.methods["method"]) == ["bicubic", "net-2", "Ours"]  # the place of net-4 in the spec
    pd.testing.assert_frame_equal(after.scores.replace({"method": {"Ours": "net-4"}}), before.scores)
    ranks = after.ranks.replace({"method": {"Ours": "net-4"}})
    place = ["dataset", "method"]
    assert ranks.set_index(place).sort_index().equals(before.ranks.set_index(place).sort_index())


@pytest.mark.parametrize(
    ("selection", "said"),
    [
        (Selection(methods=("net2",)), "has no method 'net2'; did you mean 'net-2'"),
        (Selection(metrics=("psnr",)), "has no metric 'psnr'; did you mean 'psnr_y'"),
        (Selection(datasets=("a",)), "has no dataset 'a'; did you mean 'A'"),
        (Selection(names={"net": "Ours"}), "has no method 'net'; did you mean 'net-4' or 'net-2'"),
        (Selection(names={"net-4": "bicubic"}), "'bicubic' and 'net-4' would both be called 'bicubic'"),
        (Selection(names={"net-4": "a\nb"}), "the name of 'net-4' has signs that cannot be printed"),
    ],
)
def test_what_cannot_be_chosen_is_said(two_sets: Path, selection: Selection, said: str) -> None:
    with pytest.raises(StoreError, match=said.replace("?", r"\?")):
        open_store(two_sets, selection=selection)


def test_tables_export_and_figures_take_the_same_options(two_sets: Path, tmp_path: Path, session) -> None:
    chosen = [
        "--method",
        "net-4",
        "--method",
        "bicubic",
        "--dataset",
        "BB",
        "--order",
        "as-given",
        "--name",
        "net-4=Ours",
    ]
    metrics = ["--metric", "lsd", "--metric", "psnr_y"]
    assert session("report", two_sets, "--format", "csv,md", "--out", "r", *chosen, *metrics).status == 0
    table = pd.read_csv(tmp_path / "r" / "leaderboard.csv")
    assert list(dict.fromkeys(table["method"])) == ["Ours", "bicubic"]
    assert list(dict.fromkeys(table["metric"])) == ["lsd", "psnr_y"]
    assert set(table["dataset"]) == {"BB"}
    assert "net-4" not in (tmp_path / "r" / "leaderboard.md").read_text().partition("command")[0]
    assert session("leaderboard", two_sets, "--out", "l", "--format", "csv,html", *chosen, *metrics).status == 0
    assert (tmp_path / "l" / "asasr.csv").read_text() == (tmp_path / "r" / "leaderboard.csv").read_text()
    assert "Ours" in (tmp_path / "l" / "asasr.html").read_text()
    assert session("export", two_sets, "--per-image", "e.csv", *chosen, *metrics).status == 0
    cells = pd.read_csv(io.StringIO((tmp_path / "e.csv").read_text()))
    assert list(dict.fromkeys(cells["method"])) == ["Ours", "bicubic"]
    assert list(cells["metric"][:2]) == ["lsd", "psnr_y"]
    assert len(cells) == 2 * 2 * 6
    drawn = session("figures", two_sets, "--kind", "bars", "--out", "f", *chosen, *metrics)
    assert drawn.status == 0
    assert "f/bars" in drawn.out
    refused = session("figures", two_sets, "--kind", "spectrum", "--out", "f", *metrics)
    assert (refused.status, refused.err) == (
        2,
        "error: figure 'spectrum': shows no metrics that can be chosen; leave --metric away\n",
    )
    assert "write METHOD=NAME" in session("report", two_sets, "--name", "Ours").err
