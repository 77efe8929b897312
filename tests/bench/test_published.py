"""Published values beside measured ones, through the command line."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from asasr_bench.bench.published import with_published
from asasr_bench.datasets.images import write_png
from asasr_bench.reports.board import METHOD_COLUMNS, Board
from asasr_bench.reports.grid import grids
from asasr_bench.reports.page import to_html
from asasr_bench.reports.tables import to_csv, to_latex, to_markdown


def board(protocol: str = "osediff-512", dataset: str = "RealSR-512") -> Board:
    columns = ["dataset", "method", "metric", "protocol", "value", "ci_low", "ci_high", "n", "direction", "tied"]
    rows = [
        (dataset, "ours", metric, protocol, value, value, value, 100, "higher", False)
        for metric, value in (("psnr_y", 25.0), ("ssim_y", 0.7))
    ]
    return Board(
        title="T",
        scores=pd.DataFrame(rows, columns=columns),
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
    return pd.DataFrame([{**place, "image": str(n), "scale": scale, "lq_rule": rule} for n in range(images)])


def test_rows_stand_apart_with_their_sources() -> None:
    one = with_published(board(), outputs())
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
    one = with_published(board(), outputs())
    text = to_markdown(one)
    assert "*TSD-SR* <sup>2</sup> | published | 24.81≠ | 0.7172≠" in text
    assert "*TSD-SR* <sup>3</sup> | published | 23.41≠ | 0.6886≠" in text
    assert (
        text.index("*TSD-SR* <sup>2</sup>") < text.index("*TSD-SR* <sup>3</sup>") < text.index("*InvSR* <sup>2</sup>")
    )
    assert "≠" in to_html(one, [])
    assert r"24.81$^{\neq}$" in to_latex(one)


def test_csv_names_the_source_of_each_claim() -> None:
    rows = list(csv.DictReader(to_csv(with_published(board(), outputs())).splitlines()))
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
    assert with_published(board(), frame).published.empty


def test_the_command_line_says_which_sets_have_rows(tmp_path: Path, command, rng: np.random.Generator) -> None:
    for number in range(5):
        write_png(tmp_path / "hr" / f"{number}.png", rng.integers(0, 256, (48, 48, 3), dtype=np.uint8))
    command("run", "classic-x4", "--dataset", f"Set5={tmp_path / 'hr'}", "--method", "bicubic", "--store", "s",
            "--no-report")  # fmt: skip
    command("report", "s", "--published", "--format", "md")
    text = (tmp_path / "s" / "report" / "leaderboard.md").read_text()
    assert "*Bicubic* <sup>1</sup> | published | 28.42 |" in text
    command("run", "classic-x4", "--dataset", f"Mine={tmp_path / 'hr'}", "--method", "bicubic", "--store", "t",
            "--no-report")  # fmt: skip
    assert "Set5 (classic-x4)" in command("report", "t", "--published", status=3).stderr
    assert "osediff-table-1" in command("list", "published").stdout
    assert "NeurIPS 2024" in command("show", "osediff-table-1").stdout
