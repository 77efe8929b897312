"""What the scripts of a page are given."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asasr_bench.bench.analysis.leaderboard import load_board, scores_of
from asasr_bench.bench.publish.image_values import image_values
from asasr_bench.bench.store.store import open_store
from asasr_bench.reports.board import Background, Board, Example, ImageValues
from asasr_bench.reports.page import to_html
from asasr_bench.reports.page_data import links_of


def content_of(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    return dict(json.loads(found[1]))


@pytest.fixture
def board(make_store: Callable[..., Path], tmp_path: Path) -> Board:
    with open_store(make_store(tmp_path / "s", seeds=(0, 1))) as store:
        return load_board(store, title="T")


def test_values_of_images_are_means_over_seeds_and_their_mean_is_the_tables(board: Board, tmp_path: Path) -> None:
    with open_store(tmp_path / "s") as store:
        (values,) = image_values(scores_of(store), board)
        scores = store.scores()
    assert values.images == tuple(f"image{number}" for number in range(6))
    for metric, columns in values.values.items():
        own = scores[scores["metric"] == metric]
        own = own.assign(value=own["value"].abs() if metric == "hf_ratio" else own["value"])
        expected = own.pivot_table(index="image", columns="method", values="value")
        for method, column in columns.items():
            np.testing.assert_allclose(column, expected[method].to_numpy(), rtol=1e-12)
            row = board.scores[(board.scores["metric"] == metric) & (board.scores["method"] == method)]
            assert column.mean() == pytest.approx(row["value"].item(), rel=1e-9)
    table = content_of(to_html(board, [], values=[values]))["tables"][0]
    assert table["whole"] == 6
    assert table["values"]["psnr_y"]["bicubic"] == pytest.approx(values.values["psnr_y"]["bicubic"], abs=1e-4)
    assert [table["means"]["psnr_y"]["bicubic"][place] for place in (0, 3)] == [
        pytest.approx(values.values["psnr_y"]["bicubic"].mean(), abs=1e-4), 6,
    ]  # fmt: skip


def test_a_page_that_cannot_tell_all_values_tells_those_of_its_pictures(board: Board, tmp_path: Path) -> None:
    pixels = np.zeros((8, 8, 3), np.uint8)
    shown = [Example("D", name, pixels, pixels, {"bicubic": pixels}, protocol="asasr") for name in ("image4", "image5")]
    with open_store(tmp_path / "s") as store:
        (values,) = image_values(scores_of(store), board, shown, most=3 * 4 * 2)
    assert values.images == ("image4", "image5")
    assert values.whole == 6
    assert all(len(column) == 2 for columns in values.values.values() for column in columns.values())


def test_json_has_words_for_what_is_no_number(board: Board) -> None:
    columns = {"bicubic": np.array([np.nan, np.inf, -np.inf, 1e30, 1.23456789])}
    values = ImageValues("asasr", "D", tuple("abcde"), {"psnr_y": columns}, 5)
    table = content_of(to_html(board, [], values=[values]))["tables"][0]
    assert table["values"]["psnr_y"]["bicubic"] == [None, "inf", "-inf", 1e30, 1.2346]


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "data:text/html,x", "https://a.org/x y", "file:///etc/passwd", "SMITH 2020"]
)
def test_links_lead_to_pages_of_the_web_alone(board: Board, address: str) -> None:
    background = Background(paper=address, code='https://a.org/net?a=1&b="><script>', licence="Apache-2.0 <b>")
    linked = replace(board, background={"bicubic": background})
    assert links_of(linked, "bicubic") == [("code", background.code)]
    page = to_html(linked, [])
    assert f'href="{address}' not in page
    assert 'href="https://a.org/net?a=1&amp;b=&#34;&gt;&lt;script&gt;"' in page
    assert 'data-tip="Apache-2.0 &lt;b&gt;"' in page


def test_the_card_in_a_store_tells_paper_and_licence(make_store: Callable[..., Path], tmp_path: Path) -> None:
    root = make_store(tmp_path / "other")
    with open_store(root, write=True) as store:
        card = {"family": "gan", "version": "1", "paper": "https://a.org/paper", "licence": "MIT"}
        store.add_method("net-2", card, "w1")
    with open_store(root) as store:
        board = load_board(store, title="T")
    assert links_of(board, "net-2") == [("paper", "https://a.org/paper")]
    assert board.background["net-2"].licence == "MIT"
    assert board.background["bicubic"] == Background()
