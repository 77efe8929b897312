"""Published values beside measured ones, through the command line."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from asasr_bench.bench.analysis.published import with_published
from asasr_bench.bench.store.keys import input_key
from asasr_bench.datasets.card import listed_files
from asasr_bench.datasets.images import write_png
from asasr_bench.reports.board import METHOD_COLUMNS, SCORE_COLUMNS, Board
from asasr_bench.reports.grid import grids
from asasr_bench.reports.page import to_html
from asasr_bench.reports.tables import to_csv, to_latex, to_markdown
from PIL import Image

Session = Callable[..., Any]


def board(protocol: str = "osediff-512", dataset: str = "RealSR-512") -> Board:
    rows = [
        (protocol, dataset, metric, "ours", value, value, value, 100, "higher", value, 100, False, 0)
        for metric, value in (("psnr_y", 25.0), ("ssim_y", 0.7))
    ]
    return Board(
        title="T",
        scores=pd.DataFrame(rows, columns=SCORE_COLUMNS),
        rules={(protocol, dataset): "files"},
        untested=frozenset(),
        methods=pd.DataFrame([("ours", "gan", 1_000, None, "")], columns=METHOD_COLUMNS),
        problems=pd.DataFrame(columns=["protocol", "dataset", "method", "metric", "status", "message", "count"]),
        metrics=pd.DataFrame(
            [("psnr_y", "PSNR-Y", "dB", 2, "higher"), ("ssim_y", "SSIM-Y", "", 4, "higher")],
            columns=["metric", "title", "unit", "digits", "direction"],
        ),
        provenance=[],
    )


def outputs(images: int = 100, scale: int = 4, rule: str = "files", **board_place: str) -> pd.DataFrame:
    place = {"protocol": "osediff-512", "dataset": "RealSR-512", **board_place}
    rows = [
        {**place, "image": str(n), "scale": scale, "lq_rule": rule, "lq": f"lq{n}", "reference": f"hr{n}"}
        for n in range(images)
    ]
    return pd.DataFrame(rows)


@cache
def keys_of_card() -> dict[str, int]:
    """Input keys of RealSR-512's files, numbered."""
    files = [(digest, place) for digest, _, place in listed_files("RealSR-512")]
    hr, lq = (
        sorted((place, digest) for digest, place in files if place.startswith(side)) for side in ("test_HR", "test_LR")
    )
    pairs = ((first, second) for (_, first), (_, second) in zip(hr, lq, strict=True))
    return {
        input_key(hr_file=first, lq_file=second, lq_rule="files", rule_version=1, scale=4, on_luma=False): number
        for number, (first, second) in enumerate(pairs)
    }


def of_card(key: str) -> tuple[str, str] | None:
    """A store that has the pixels of RealSR-512's files."""
    number = keys_of_card().get(key)
    return None if number is None else (f"lq{number}", f"hr{number}")


def test_rows_stand_apart_with_their_sources() -> None:
    one = with_published(board(), outputs(), of_card)
    (grid,) = grids(one)
    claims = [row for row in grid.rows if row.source]
    assert grid.rows[0].method == "ours"
    assert {row.family for row in claims} == {"published"}
    assert not any(cell.mark or cell.tied for row in claims for cell in row.cells)
    (best,) = [row for row in grid.rows if not row.source]
    assert best.cells[0].mark == "best"  # although published values are higher: nobody measured them here
    assert len(grid.sources) == 3
    text = to_markdown(one)
    assert "*SeeSR* <sup>2</sup> | published | 25.18 | 0.7216" in text
    assert "\n2. OSEDiff (NeurIPS 2024), table 1" in text
    assert r"\textit{SeeSR}$^{2}$ & 25.18 & 0.7216" in to_latex(one)
    page = to_html(one, [])
    assert page.count('class="published"') == len(claims)
    assert "OSEDiff (NeurIPS 2024), table 1" in page


def test_contradictions_are_shown_and_not_averaged() -> None:
    one = with_published(board(), outputs(), of_card)
    text = to_markdown(one)
    assert "*TSD-SR* <sup>2</sup> | published | 24.81≠ | 0.7172≠" in text
    assert "*TSD-SR* <sup>3</sup> | published | 23.41≠ | 0.6886≠" in text
    assert (
        text.index("*TSD-SR* <sup>2</sup>") < text.index("*TSD-SR* <sup>3</sup>") < text.index("*InvSR* <sup>2</sup>")
    )
    assert "≠" in to_html(one, [])
    assert r"24.81$^{\neq}$" in to_latex(one)


def test_csv_names_the_source_of_each_claim() -> None:
    rows = list(csv.DictReader(to_csv(with_published(board(), outputs(), of_card)).splitlines()))
    assert [row["source"] for row in rows if row["method"] == "ours"] == ["", ""]
    (claim,) = [row for row in rows if row["method"] == "SeeSR" and row["metric"] == "psnr_y"]
    assert float(claim["value"]) == 25.18
    assert claim["ci_low"] == claim["n"] == ""
    assert claim["source"].startswith("OSEDiff")
    assert "source" not in to_csv(board()).splitlines()[0]


@pytest.mark.parametrize(
    "frame",
    [
        outputs(images=99),
        outputs(scale=2),
        outputs(rule="matlab-bicubic"),
        outputs(protocol="asasr"),
        outputs(dataset="RealSR"),
    ],
)
def test_another_set_scale_or_protocol_gets_no_rows(frame: pd.DataFrame) -> None:
    assert with_published(board(), frame, of_card).published.empty


def test_every_metric_of_a_row_stands_in_its_column() -> None:
    """LPIPS and MUSIQ of OSEDiff's table, as it prints them."""
    one = board()
    names = ("lpips_alex", "musiq_koniq", "maniqa_pipal", "clipiqa", "dists", "niqe", "fid")
    metrics = pd.DataFrame([(id, id, "", 4, "lower") for id in names], columns=one.metrics.columns)
    scores = pd.concat([one.scores.assign(metric=id) for id in names], ignore_index=True)
    filled = with_published(replace(one, metrics=metrics, scores=scores), outputs(), of_card)
    (row,) = [line for line in to_markdown(filled).splitlines() if line.startswith("| *SeeSR* <sup>2</sup>")]
    assert [cell.strip() for cell in row.split("|")[3:10]] == [
        "0.3009",
        "69.7700",
        "0.6442",
        "0.6612",
        "0.2223",
        "5.4081",
        "125.5500",
    ]


def run_on(folder: Path, name: str, store: str, session: Session) -> None:
    result = session(
        "run",
        "classic-x4",
        "--dataset",
        f"{name}={folder}",
        "--method",
        "bicubic",
        "--metric",
        "psnr_y",
        "--store",
        store,
        "--no-report",
    )
    assert result.status == 0


def test_pictures_are_compared_with_the_card(tmp_path: Path, shared: Path, session: Session) -> None:
    """The five photos of Set5 have its rows; five others of that name have none, and four of them have none."""
    photos = sorted((shared / "data" / "Set5" / "HR").iterdir())
    for name, chosen in (("whole", photos), ("part", photos[:4]), ("other", photos)):
        for path in chosen:
            (tmp_path / name).mkdir(exist_ok=True)
            shutil.copy(path, tmp_path / name)
    with Image.open(tmp_path / "other" / "head.png") as image:
        image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(tmp_path / "other" / "head.png")
    message = {}
    for name in ("whole", "part", "other"):
        run_on(tmp_path / name, "Set5", f"s-{name}", session)
        message[name] = session("report", f"s-{name}", "--published", "--format", "md")
        assert message[name].status == 0
    text = {name: (tmp_path / f"s-{name}" / "report" / "leaderboard.md").read_text() for name in message}
    assert "*Bicubic* <sup>1</sup> | published | 28.42 |" in text["whole"]
    assert "published" not in text["part"] + text["other"]
    assert message["whole"].err == ""
    assert "Set5 (classic-x4): your set has 4 images, that of the published table 5" in message["part"].err
    assert "of your 5 images 'head' is not from the files of Set5" in message["other"].err
    pages = session("leaderboard", "s-part", "--out", "pages", "--published", "--format", "md")
    assert (pages.status, "the published table 5" in pages.err) == (0, True)


def test_a_card_without_digests_matches_by_name_and_says_so() -> None:
    frame = outputs(93, dataset="DRealSR-512")
    one = with_published(board(dataset="DRealSR-512"), frame, lambda key: None)
    assert "27.92" in to_markdown(one)
    assert "DRealSR-512: same name and number of images, pictures not compared" in to_markdown(one)


def test_the_command_line_says_which_sets_have_rows(tmp_path: Path, session: Session, rng: np.random.Generator) -> None:
    write_png(tmp_path / "hr" / "a.png", rng.integers(0, 256, (48, 48, 3), dtype=np.uint8))
    run_on(tmp_path / "hr", "Mine", "t", session)
    assert "Set5 (classic-x4)" in session("report", "t", "--published").err
    assert "osediff-table-1" in session("list", "published").out
    assert "NeurIPS 2024" in session("show", "osediff-table-1").out
