"""Tables for papers: LaTeX that fits its columns, CSV and JSON with the numbers of the board, spread over seeds."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from asasr_bench.bench.analysis.leaderboard import load_board
from asasr_bench.bench.publish.leaderboards import write_reports
from asasr_bench.bench.store.store import open_store
from asasr_bench.reports.board import METHOD_COLUMNS, PUBLISHED_COLUMNS, SCORE_COLUMNS, SEED_COLUMNS, Board
from asasr_bench.reports.paper_tables.flat import to_json, to_wide_csv
from asasr_bench.reports.paper_tables.wide import wide_tables
from asasr_bench.reports.tables import to_csv, to_latex, to_wide_latex
from hypothesis import given, settings
from hypothesis import strategies as st

METHODS = ("bicubic", "SwinIR-light", "[ours] net", "a_b & 50% #1 {x} ~ ^ $ \\ <y>", "WWWMMM-Transformer-Large")
METRICS = (
    ("psnr_y", "PSNR-Y", "dB", 2, "higher"),
    ("ssim_y", "SSIM-Y", "", 4, "higher"),
    ("lpips", "LPIPS", "", 4, "lower"),
    ("hf", "HF ratio", "dB", 2, "zero"),
    ("m", "MANIQA", "", 4, "none"),
)


def board(datasets: int, metrics: int, methods: int, *, seeds: bool = False, published: bool = False) -> Board:
    """A board of any shape; the last method has half of the images."""
    rng = np.random.default_rng([datasets, metrics, methods])
    names = [METHODS[number % len(METHODS)] + "′" * (number // len(METHODS)) for number in range(methods)]
    rows, spreads, claims = [], [], []
    for dataset in (f"Urban{100 + number}" for number in range(datasets)):
        for metric, _, _, digits, direction in METRICS[:metrics]:
            for place, name in enumerate(names):
                value = float(rng.uniform(10, 40) if digits == 2 else rng.uniform(0, 1))
                half = place == len(names) - 1 > 0
                numbers = (value, value * 0.9, value * 1.1, 50 if half else 100)
                shared = np.nan if half else value
                rows.append(("p_1", dataset, metric, name, *numbers, direction, shared, 100, place == 1, 0))
                spreads.append(("p_1", dataset, name, metric, 3, value / 100, value))
            claims.append((dataset, "p_1", "Theirs & others", metric, 0.5, "s", True))
    return Board(
        title="T", scores=pd.DataFrame(rows, columns=SCORE_COLUMNS), rules={}, untested=frozenset(),
        methods=pd.DataFrame([(name, "gan", 1_200_000, 28, "") for name in names], columns=METHOD_COLUMNS),
        problems=pd.DataFrame(columns=["protocol", "dataset", "method", "metric", "status", "message", "count"]),
        metrics=pd.DataFrame([(*metric, "", False) for metric in METRICS],
                             columns=["metric", "title", "unit", "digits", "direction", "note", "of_sets"]),
        provenance=[], seeds=pd.DataFrame(spreads if seeds else [], columns=SEED_COLUMNS),
        published=pd.DataFrame(claims if published else [], columns=PUBLISHED_COLUMNS),
        sources={"s": "A paper, table 1_2"},
    )  # fmt: skip


@given(st.integers(1, 9), st.integers(1, 5), st.integers(1, 7), st.booleans(), st.booleans())
@settings(max_examples=30)
def test_every_value_stands_once_in_a_wide_table(
    datasets: int, metrics: int, methods: int, seeds: bool, published: bool
) -> None:
    whole = board(datasets, metrics, methods, seeds=seeds, published=published)
    (table,) = wide_tables(whole)
    assert [group.dataset for group in table.groups] == [f"Urban{100 + number}" for number in range(datasets)]
    values = whole.scores.set_index(["dataset", "metric", "method"])["value"]
    places = [(group.dataset, column.metric) for group in table.groups for column in group.columns]
    for row in table.rows:
        assert len(row.cells) == len(places)
        for (dataset, metric), cell in zip(places, row.cells, strict=True):
            assert cell.value == (0.5 if row.source else values[dataset, metric, row.method])
    for block in table.blocks:
        firsts = [2 + sum(len(group.columns) for group in block.groups[:at]) for at in range(len(block.groups))]
        assert [group.first for group in block.groups] == firsts
    assert len(table.rows) == methods + published


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX on this machine")
def test_tables_fit_the_columns_of_an_article(tmp_path: Path) -> None:
    """The packages are those that the files' first lines name; no line of a table leaves its column."""
    shapes = [(1, 1, 3), (1, 3, 5), (2, 2, 4), (3, 2, 5), (5, 2, 5), (6, 1, 4), (4, 5, 5), (1, 5, 3)]
    boards = [board(*shape, seeds=number % 2 == 1, published=number % 3 == 1) for number, shape in enumerate(shapes)]
    written = [render(one) for one in boards for render in (to_wide_latex, to_latex)]
    packages = sorted({name for text in written for name in re.findall(r"^%   (\\usepackage.*)$", text, re.MULTILINE)})
    lines = [r"\documentclass[10pt,twocolumn,letterpaper]{article}", *packages, r"\begin{document}", "Text."]
    for number, text in enumerate(written):
        (tmp_path / f"table-{number}.tex").write_text(text)
        lines += [rf"\input{{table-{number}}}", r"\clearpage"]
    (tmp_path / "paper.tex").write_text("\n".join([*lines, r"\end{document}"]))
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"], cwd=tmp_path, capture_output=True
    )
    told = done.stdout.decode(errors="replace")
    assert done.returncode == 0, told[-2000:]
    wide = [float(points) for points in re.findall(r"Overfull \\hbox \((\d+\.?\d*)pt too wide\)", told)]
    assert max(wide, default=0) < 1, told
    assert "undefined" not in told


def test_a_table_needs_no_more_columns_than_it_fills() -> None:
    assert next(wide_tables(board(1, 2, 3))).environment == "table"
    classic = next(wide_tables(board(5, 2, 1)))
    assert (classic.environment, len(classic.blocks), classic.scaled) == ("table*", 1, False)
    large = next(wide_tables(board(6, 5, 5, seeds=True)))
    assert len(large.blocks) > 1
    assert r"\usepackage{graphicx}" not in to_wide_latex(board(5, 2, 2))


def test_wide_csv_and_json_have_the_numbers_of_the_long_table() -> None:
    whole = board(2, 3, 4, seeds=True, published=True)
    values = pd.read_csv(io.StringIO(to_csv(whole))).query("source.isna()")
    wide = pd.read_csv(io.StringIO(to_wide_csv(whole))).set_index("method")
    read = json.loads(to_json(whole))
    assert list(wide.index) == list(METHODS[:4])
    tables = {table["dataset"]: {one["method"]: one for one in table["methods"]} for table in read["tables"]}
    for row in values.to_dict("records"):
        name = row["method"]
        assert wide.loc[name, f"{row['dataset']}/{row['metric']}"] == row["value"]
        shown = tables[row["dataset"]][name]["values"][row["metric"]]
        assert (shown["value"], shown["ci_low"], shown["n"]) == (row["value"], row["ci_low"], row["n"])
        assert wide.loc[name, f"{row['dataset']}/{row['metric']}/std"] == shown["seeds"]["std"]
    theirs = tables["Urban100"]["Theirs & others"]
    assert (theirs["source"], theirs["values"]["psnr_y"]) == ("A paper, table 1_2", {"value": 0.5})


def test_what_was_not_measured_is_null_in_json() -> None:
    whole = board(1, 1, 2)
    whole.scores.loc[0, ["value", "ci_low", "ci_high"]] = np.nan
    whole.scores.loc[1, "value"] = np.inf
    first, second = json.loads(to_json(whole))["tables"][0]["methods"]
    assert first["values"]["psnr_y"] == {"value": None, "status": "not measured"}
    assert second["values"]["psnr_y"]["value"] == "inf"


def test_spread_over_seeds_is_that_of_the_means_of_each_seed(make_store: Callable[..., Path], tmp_path: Path) -> None:
    root = make_store(tmp_path / "s", seeds=(0, 1, 2), images=5)
    with open_store(root) as store:
        spread = load_board(store, title="t").seeds.set_index(["method", "metric"])
        scores = store.scores()
    means = scores[scores["metric"] == "psnr_y"].groupby(["method", "seed"])["value"].mean().unstack()
    for method, of_seeds in means.iterrows():
        row = spread.loc[(method, "psnr_y")]
        assert row["seeds"] == 3
        assert row["std"] == pytest.approx(np.std(of_seeds.to_numpy(), ddof=1))
        assert row["best"] == pytest.approx(of_seeds.max())
    ratios = scores[scores["metric"] == "hf_ratio"]  # 0 is best, of the size of each image's
    sizes = ratios.assign(value=ratios["value"].abs()).groupby(["method", "seed"])["value"].mean().unstack()
    assert spread.loc[("net-2", "hf_ratio"), "best"] == pytest.approx(sizes.loc["net-2"].min())
    (path,) = write_reports(root, tmp_path / "out", ("wide-tex",))
    assert re.search(r"\$_\{\\pm \d+\.\d\d\}\$", path.read_text())


def test_methods_of_one_seed_have_no_spread(store: Path) -> None:
    with open_store(store) as opened:
        board = load_board(opened, title="t")
    assert board.seeds.empty
    assert "std" not in to_wide_csv(board)


def test_formats_of_papers_are_written_by_name(store: Path, tmp_path: Path, command) -> None:
    done = command("report", store, "--format", "wide-tex,wide-csv,json", "--name", "net-4=Ours", "--out", "out")
    names = [Path(line).name for line in done.stdout.split()]
    assert names == ["leaderboard-wide.tex", "leaderboard-wide.csv", "leaderboard.json"]
    tex = (tmp_path / "out" / names[0]).read_text()
    assert tex.startswith("% For the preamble:\n%   \\usepackage{booktabs}\n")
    assert "\nOurs & " in tex
    assert "\\label{tab:asasr}" in tex
    refused = command("report", store, "--format", "wide-md", status=2)
    assert "unknown report format 'wide-md' (known: md, csv, tex, html, wide-tex, wide-csv, json)" in refused.stderr
