"""Best marks, signs and ranks are of the images and metrics that all compared methods have."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from asasr_bench.bench.analysis.compare import compare_methods
from asasr_bench.bench.analysis.contests import in_common
from asasr_bench.bench.analysis.leaderboard import load_board
from asasr_bench.bench.store.checksums import score_checksum
from asasr_bench.bench.store.store import open_store
from asasr_bench.reports.board import Board
from asasr_bench.reports.grid import Grid, grids
from asasr_bench.reports.page import to_html
from asasr_bench.reports.ranks import rank_grids
from asasr_bench.reports.tables import to_latex, to_markdown

MakeStore = Callable[..., Path]


def put(root: Path, metric: str, values: Mapping[str, Mapping[int, float | None]]) -> None:
    """Write values by method and number of the image; None takes the image's cell away."""
    with sqlite3.connect(root / "store.sqlite") as database:
        for method, images in values.items():
            for number, value in images.items():
                place = (metric, method, f"image{number}")
                cells = "FROM cells JOIN outputs ON output = id WHERE metric = ? AND method = ? AND image = ?"
                if value is None:
                    statement = "UPDATE cells SET status = 'failed', message = 'too hard', score = NULL"
                    done = database.execute(
                        f"{statement} WHERE metric = ? AND output IN (SELECT id FROM outputs WHERE method = ? AND"
                        " image = ?)",
                        place,
                    )
                else:
                    done = database.execute(
                        f"UPDATE scores SET value = ? WHERE key IN (SELECT score {cells})", (value, *place)
                    )
                assert done.rowcount == 1
        database.create_function("score_checksum", 2, score_checksum)
        database.execute("UPDATE scores SET checksum = score_checksum(key, value)")


def board_of(root: Path) -> Board:
    with open_store(root) as store:
        return load_board(store, title="T")


def cells(grid: Grid, metric: str) -> dict[str, tuple[str, str, bool]]:
    """By method: text, mark, and whether it has fewer images."""
    (place,) = (place for place, column in enumerate(grid.columns) if column.metric == metric)
    return {row.method: (row.cells[place].text, row.cells[place].mark, row.cells[place].partial) for row in grid.rows}


def test_a_method_that_lacks_a_hard_image_does_not_win(make_store: MakeStore, tmp_path: Path) -> None:
    """The more faithful B lacks the easy image 1, A the hard image 0: A's mean is higher and B better on each image."""
    root = make_store(tmp_path / "s", images=5, methods=("A", "B"))
    put(
        root,
        "psnr_y",
        {"A": {0: None, 1: 45.0, 2: 36.0, 3: 36.0, 4: 36.0}, "B": {0: 25.0, 1: None, 2: 37.0, 3: 37.0, 4: 37.0}},
    )
    board = board_of(root)
    (grid,) = grids(board)
    assert cells(grid, "psnr_y") == {"A": ("38.25", "second", True), "B": ("34.00", "best", True)}
    message = "PSNR-Y: marks over 3 of 5 images, those that all compared methods have."
    assert any(note == message for note in grid.notes)
    assert message in to_markdown(board)
    assert message in to_latex(board)
    assert message in to_html(board, [])
    (row,) = compare_methods(root, "A", "B", metrics=["psnr_y"])
    assert (row.result.difference, row.wins) == (-1, 0)


def test_a_rank_agrees_with_its_interval(make_store: MakeStore, tmp_path: Path) -> None:
    root = make_store(tmp_path / "s", images=8, methods=("A", "B"))
    lower = {number: 30.0 - number for number in range(8)}
    higher = {number: value + 1 for number, value in lower.items()}
    put(root, "psnr_y", {"A": {**lower, 0: None, 1: 60.0}, "B": {**higher, 1: None}})
    board = board_of(root)
    ranks = board.ranks
    assert (ranks["low"] <= ranks["rank"]).all()
    assert (ranks["rank"] <= ranks["high"]).all()
    rows = board.scores[board.scores["metric"] == "psnr_y"].set_index("method")
    assert rows.loc["A", "value"] > rows.loc["B", "value"]
    assert rows.loc["A", "shared"] == rows.loc["B", "shared"] - 1
    assert set(rows["shared_n"]) == {6}


def test_an_image_that_no_method_can_have_takes_no_mark_from_a_column(make_store: MakeStore, tmp_path: Path) -> None:
    """As MS-SSIM of an image of 120 pixels: the metric is ranked by the others, and the column has its marks."""
    root = make_store(tmp_path / "s", images=6, methods=("A", "B"))
    put(
        root,
        "lsd",
        {"A": {0: None, **dict.fromkeys(range(1, 6), 2.0)}, "B": {0: None, **dict.fromkeys(range(1, 6), 3.0)}},
    )
    (grid,) = grids(board_of(root))
    assert {name: mark for name, (_, mark, _) in cells(grid, "lsd").items()} == {"A": "best", "B": "second"}
    assert any("LSD" in note and "5 of 6 images" in note for note in grid.notes)


def test_a_metric_that_nobody_has_takes_no_rank_from_anybody(make_store: MakeStore, tmp_path: Path) -> None:
    root = make_store(tmp_path / "s", images=6)
    before = board_of(root).ranks
    with sqlite3.connect(root / "store.sqlite") as database:
        lost = "UPDATE cells SET status = 'unavailable', message = 'weights', score = NULL WHERE metric = 'lsd'"
        database.execute(lost)
    board = board_of(root)
    assert list(board.ranks["method"]) == list(before["method"])
    (grid,) = rank_grids(board)
    assert grid.notes == ("D: LSD is not in the ranks; no method has values of it.",)
    assert grid.notes[0] in to_markdown(board)
    assert grid.notes[0] in to_html(board, [])


def test_who_lacks_a_metric_and_who_has_too_little_is_told(make_store: MakeStore, tmp_path: Path) -> None:
    root = make_store(tmp_path / "s", images=6, methods=("A", "B", "C"))
    nothing = dict.fromkeys(range(6))
    put(root, "lsd", {"A": nothing})
    for metric in ("psnr_y", "ssim_y", "hf_ratio"):
        put(root, metric, {"C": {**nothing, 5: 1.0} if metric == "psnr_y" else nothing})
    board = board_of(root)
    assert set(board.ranks["method"]) == {"A", "B"}
    assert board.rank_notes["asasr"] == (
        "D: LSD is not in the ranks; it lacks values of A.",
        "D: C is not ranked; it has 1 of 4 metrics on enough images.",
    )
    (grid,) = grids(board)
    assert cells(grid, "psnr_y")["C"] == ("1.00", "", True)
    assert any(note == "PSNR-Y: too few images to compare C with the others." for note in grid.notes)


def test_no_rank_at_all_is_told_with_its_reason(make_store: MakeStore, tmp_path: Path) -> None:
    root = make_store(tmp_path / "s", images=6, methods=("A", "B"))
    with sqlite3.connect(root / "store.sqlite") as database:
        database.execute("UPDATE cells SET status = 'unavailable', message = 'weights', score = NULL")
    text = to_markdown(board_of(root))
    assert "## Average rank" in text
    assert "D: PSNR-Y is not in the ranks; no method has values of it." in text


def test_images_in_common_keep_half_of_all() -> None:
    full, half, few = (frozenset(map(str, numbers)) for numbers in (range(10), range(5), range(4)))
    assert in_common({"a": full, "b": half}) == (("a", "b"), (), half)
    assert in_common({"few": few, "a": full}) == (("a",), ("few",), full)
    assert in_common({"a": full, "none": frozenset()}) == (("a",), (), full)
    other = frozenset(map(str, range(5, 10)))
    assert in_common({"a": half, "b": other}) == (("a",), ("b",), half)
    assert in_common({}) == ((), (), frozenset())


def test_the_reference_takes_no_part(make_store: MakeStore, tmp_path: Path) -> None:
    """HR itself has infinite PSNR; nobody is told apart from it, and it is not marked."""
    root = make_store(tmp_path / "s", images=8, methods=("A", "B", "HR"), families={"HR": "reference"})
    put(
        root,
        "psnr_y",
        {
            "HR": dict.fromkeys(range(8), float("inf")),
            "A": dict.fromkeys(range(8), 30.0),
            "B": {number: 30.0 + (-1) ** number for number in range(8)},
        },
    )
    board = board_of(root)
    rows = board.scores[board.scores["metric"] == "psnr_y"].set_index("method")
    assert np.isnan(rows.loc["HR", "shared"])
    assert set(rows.index[rows["tied"]]) < {"A", "B"}
    assert rows["tied"].sum() == 1


@pytest.mark.parametrize(("images", "said"), [(3, "no intervals"), (8, "cover about 90 %"), (30, "")])
def test_few_images_are_warned_of(make_store: MakeStore, tmp_path: Path, images: int, said: str) -> None:
    board = board_of(make_store(tmp_path / "s", images=images, size=16, methods=("A", "B")))
    (grid,) = grids(board)
    notes = [note for note in grid.notes if note.startswith("Fewer than")]
    assert (said in notes[0]) if said else not notes
    assert board.scores["ci_low"].isna().all() == (images < 5)
