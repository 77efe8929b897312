"""Leaderboards of merged stores: conflicts, ranks, equal bytes, and no torch on the way."""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from asasr_bench.bench.analysis.compare import ComparisonError, compare_methods
from asasr_bench.bench.analysis.contests import contests
from asasr_bench.bench.analysis.leaderboard import load_board
from asasr_bench.bench.analysis.per_image import name_scales
from asasr_bench.bench.analysis.ranks import average_ranks, ranks
from asasr_bench.bench.analysis.spectra import log_profiles, mean_log_ratios
from asasr_bench.bench.metrics.card import MetricCard
from asasr_bench.bench.metrics.shipped import shipped_metrics
from asasr_bench.bench.publish.leaderboards import of_protocol, write_leaderboards, write_reports
from asasr_bench.bench.store.checksums import score_checksum
from asasr_bench.bench.store.merge import MergeError, merge_stores
from asasr_bench.bench.store.store import open_store
from asasr_bench.reports.board import PUBLISHED_COLUMNS
from asasr_bench.reports.grid import grids


def change(root: Path, statement: str) -> None:
    with sqlite3.connect(root / "store.sqlite") as database:
        assert database.execute(statement).rowcount > 0
        if statement.startswith("UPDATE scores"):  # as another machine measured it, not as a damaged disk
            database.create_function("score_checksum", 2, score_checksum)
            database.execute("UPDATE scores SET checksum = score_checksum(key, value)")


def split(store: Path, root: Path) -> tuple[Path, Path]:
    """Two stores that share one method and have one each of their own."""
    parts = []
    for name, without in (("a", "net-4"), ("b", "bicubic")):
        shutil.copytree(store, root / name)
        with sqlite3.connect(root / name / "store.sqlite") as database:
            database.execute("PRAGMA foreign_keys = ON")
            database.execute("DELETE FROM outputs WHERE method = ?", (without,))
            database.execute("DELETE FROM methods WHERE name = ?", (without,))
        parts.append(root / name)
    return parts[0], parts[1]


def test_merged_parts_are_the_whole(store: Path, tmp_path: Path, command) -> None:
    parts = split(store, tmp_path)
    assert "18 outputs" in command("merge", *parts, "--out", "merged").stdout
    with open_store(store) as whole, open_store(tmp_path / "merged") as merged:
        assert merged.scores().equals(whole.scores())
        assert merged.outputs().equals(whole.outputs())
        assert len(merged.runs()) == 1  # the same run, told twice
        assert [place for place, _ in merged.payloads("lsd")] == [place for place, _ in whole.payloads("lsd")]
        assert all(merged.objects.path(digest) for digest in merged.outputs()["sr"])
    with pytest.raises(MergeError, match="has a store already"):
        merge_stores(parts, tmp_path / "merged")


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE methods SET weights = 'w2' WHERE name = 'net-2'", "method 'net-2': weights w1 in "),
        (
            "UPDATE methods SET card = json_set(card, '$.version', '2') WHERE name = 'net-2'",
            "method 'net-2': version of the code 1 in ",
        ),
        (
            "UPDATE outputs SET lq = 'x' WHERE method = 'net-2' AND image = 'image3'",
            "output asasr, x4, D/image3, net-2, seed 0: LQ ",
        ),
        ("UPDATE outputs SET reference = 'x' WHERE image = 'image1'", "image asasr, x4, D/image1: HR "),
        (
            "UPDATE restorations SET sr = 'x' WHERE key IN (SELECT restoration FROM outputs WHERE method = 'net-2')",
            "output asasr, x4, D/image0, net-2, seed 0: SR pixels of the same work ",
        ),
        (
            "UPDATE scores SET value = value + 0.01 WHERE key IN (SELECT score FROM cells WHERE metric = 'psnr_y')",
            "score asasr, x4, D/image0, net-2, seed 0, psnr_y: value ",
        ),
    ],
)
def test_conflicts_are_refused_by_name(store: Path, tmp_path: Path, statement: str, said: str) -> None:
    first, second = split(store, tmp_path)
    change(second, statement)
    with pytest.raises(MergeError, match=re.escape(said)):
        merge_stores([first, second], tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_a_network_is_what_determines_its_pixels_however_it_was_named(store: Path, tmp_path: Path) -> None:
    """By its path in one store, by its id in the other: the cards differ, and the network is the same."""
    first, second = split(store, tmp_path)
    for root, summary, identity in ((first, "Network from net.pth", "d1"), (second, "A published network", "d1")):
        with open_store(root, write=True) as opened:
            opened.add_method("net-2", {"family": "gan", "version": "1", "summary": summary}, "w1", identity)
    assert merge_stores([first, second], tmp_path / "merged") == 18
    with open_store(tmp_path / "merged") as merged:
        assert merged.methods()["net-2"].identity == "d1"
    with open_store(second, write=True) as opened:
        opened.add_method("net-2", {"family": "gan", "version": "1"}, "w1", "d2")
    with pytest.raises(MergeError, match=r"method 'net-2': settings or code digest d1 in .*/a, digest d2 in .*NAME="):
        merge_stores([first, second], tmp_path / "refused")


def test_what_is_out_of_date_in_a_store_neither_contradicts_nor_is_merged(store: Path, tmp_path: Path) -> None:
    first, second = split(store, tmp_path)
    change(second, "UPDATE outputs SET lq = 'x', wanted = 'another' WHERE method = 'net-2' AND image = 'image3'")
    assert merge_stores([first, second], tmp_path / "merged") == 18  # of the first store
    assert merge_stores([second], tmp_path / "alone") == 11


def test_versions_of_a_metric_that_differ_are_refused_by_name(store: Path, tmp_path: Path) -> None:
    first, second = split(store, tmp_path)
    for root, version in ((first, "1"), (second, "2 abc")):
        with open_store(root, write=True) as opened:
            opened.add_metrics([MetricCard("psnr_y", "PSNR", version=version)])
    with pytest.raises(MergeError, match=r"metric 'psnr_y': version 1 in .*/a, 2 abc in .*/b"):
        merge_stores([first, second], tmp_path / "merged")


def test_a_store_of_version_4_merges_and_its_file_stays_as_it_is(tmp_path: Path) -> None:
    old = Path(__file__).parents[1] / "store" / "stores" / "version4" / "store"
    shutil.copytree(old, tmp_path / "old")
    before = (tmp_path / "old" / "store.sqlite").read_bytes()
    assert merge_stores([tmp_path / "old", tmp_path / "old"], tmp_path / "merged") == 4
    assert (tmp_path / "old" / "store.sqlite").read_bytes() == before
    with open_store(tmp_path / "merged") as merged, open_store(tmp_path / "old") as whole:
        assert merged.scores().equals(whole.scores())
        assert merged.metrics() == whole.metrics()
        assert merged.left_out() == []


def test_last_digits_are_no_conflict(store: Path, tmp_path: Path) -> None:
    first, second = split(store, tmp_path)
    change(second, "UPDATE scores SET value = value * (1 + 1e-14)")
    merge_stores([first, second], tmp_path / "merged")


def test_what_failed_in_one_store_and_is_done_in_another_is_done(store: Path, tmp_path: Path) -> None:
    first, second = split(store, tmp_path)
    change(
        first, "UPDATE outputs SET status = 'failed', message = 'no memory', restoration = NULL WHERE method = 'net-2'"
    )
    change(
        first,
        "UPDATE cells SET status = 'failed', score = NULL"
        " WHERE output IN (SELECT id FROM outputs WHERE method = 'net-2')",
    )
    for order in ([first, second], [second, first]):
        merge_stores(order, tmp_path / order[0].name / "merged")
        with open_store(tmp_path / order[0].name / "merged") as merged, open_store(store) as whole:
            assert merged.scores().equals(whole.scores())


def test_ranks_share_places_and_follow_the_direction() -> None:
    metrics, nan = shipped_metrics(), float("nan")
    np.testing.assert_array_equal(ranks(np.array([30.0, 30.001, 31.0, nan]), metrics["psnr_y"]), [2.5, 2.5, 1, nan])
    np.testing.assert_array_equal(ranks(np.array([3.0, 1.0, 2.0]), metrics["lsd"]), [3, 1, 2])
    np.testing.assert_array_equal(ranks(np.array([-20.0, 6.2, 0.1]), metrics["hf_ratio"]), [3, 2, 1])


def test_average_ranks_are_means_of_ranks_with_their_interval(store: Path) -> None:
    with open_store(store) as opened:
        board = load_board(opened, title="t")
    table = board.scores.pivot(index="method", columns="metric", values="value")
    own = [ranks(table[id].to_numpy(), shipped_metrics()[id]) for id in table.columns]
    expected = dict(zip(table.index, np.mean(own, axis=0), strict=True))
    result = board.ranks.set_index("method")
    assert dict(result["rank"]) == expected
    assert set(result.index[result["low"] > result["rank"]]) == set()
    assert (result["high"] >= result["rank"]).all()


def test_a_page_shows_one_protocol_alone(tmp_path: Path, make_store) -> None:
    make_store(tmp_path / "a")
    make_store(tmp_path / "b", protocol="osediff-512", methods=("bicubic", "other"))
    merge_stores([tmp_path / "a", tmp_path / "b"], tmp_path / "both")
    with open_store(tmp_path / "both") as opened:
        board = load_board(opened, title="t")
    claims = [("D", protocol, "Theirs", "psnr_y", 30.0, "s", False) for protocol in ("asasr", "osediff-512")]
    board = replace(board, published=pd.DataFrame(claims, columns=PUBLISHED_COLUMNS))
    part = of_protocol(board, "osediff-512")
    assert list(part.methods["method"]) == ["bicubic", "other"]
    for frame in (part.scores, part.ranks, part.published):
        assert set(frame["protocol"]) == {"osediff-512"}
    paths = write_leaderboards([tmp_path / "a", tmp_path / "b"], tmp_path / "out", ("md", "html"))
    assert [path.name for path in paths] == [
        "asasr.md",
        "asasr.html",
        "osediff-512.md",
        "osediff-512.html",
        "index.html",
    ]


def test_spectra_of_a_page_are_means_of_the_images_own(tmp_path: Path, make_store) -> None:
    root = make_store(tmp_path / "s", seeds=(0, 1), datasets=("D", "Other"))
    with open_store(root) as opened:
        means, images = mean_log_ratios(opened), log_profiles(opened)
    assert set(means) == {("asasr", "D"), ("asasr", "Other")}
    for place, methods in images.items():
        for name, profiles in methods.items():
            own = [sr - hr for sr, hr in profiles.values()]
            assert len(own) == 6
            np.testing.assert_allclose(means[place][name], np.mean(own, axis=0), rtol=1e-12, atol=1e-12)


def test_leaderboards_repeat_byte_by_byte(store: Path, tmp_path: Path, command) -> None:
    printed = command("leaderboard", store, "--out", "one", "--title", "T").stdout.split()
    assert [Path(name).name for name in printed] == ["asasr.md", "asasr.csv", "asasr.tex", "asasr.html", "index.html"]
    write_leaderboards(split(store, tmp_path), tmp_path / "two", title="T")
    for name in printed:
        one, two = ((tmp_path / folder / Path(name).name).read_bytes() for folder in ("one", "two"))
        assert one == two, name
    assert "## Average rank" in (tmp_path / "one" / "asasr.md").read_text()
    linked = set(re.findall(r"images/[0-9a-f]+\.png", (tmp_path / "one" / "asasr.html").read_text()))
    assert linked == {f"images/{path.name}" for path in (tmp_path / "one" / "images").iterdir()}
    assert not list((tmp_path / "two").glob(".merged-*"))


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX on this machine")
def test_latex_compiles_as_it_is(tmp_path: Path, make_store) -> None:
    """A row that begins with a bracket or an asterisk is no argument of the line break before it."""
    names = ("bicubic", "[ours] net", "*net", "a_b & 50% #1 {x} ~ ^ $ \\ <y>")
    store = make_store(tmp_path / "s", methods=names, datasets=("[D]",))
    write_reports(store, tmp_path, ("tex",))
    lines = [
        r"\documentclass{article}",
        r"\usepackage{booktabs}",
        r"\begin{document}",
        r"\input{leaderboard}",
        r"\end{document}",
    ]
    (tmp_path / "paper.tex").write_text("\n".join(lines))
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"], cwd=tmp_path, capture_output=True
    )
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]
    assert (tmp_path / "paper.pdf").is_file()


def test_nothing_that_reads_a_store_loads_torch(store: Path, tmp_path: Path) -> None:
    script = f"""
import sys
class Forbidden:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in ('torch', 'pyiqa', 'diffusers', 'transformers', 'spandrel', 'peft'):
            raise AssertionError('imports ' + name)
sys.meta_path.insert(0, Forbidden())
from asasr_bench.bench.cli.main import app
def run(*arguments):
    try:
        app([str(one) for one in arguments])
    except SystemExit as end:
        assert end.code == 0, (arguments, end.code)
run('report', {str(store)!r}, '--out', 'report')
run('leaderboard', {str(store)!r}, '--out', 'board')
run('figures', {str(store)!r}, '--kind', 'curves,crops,ranks', '--out', 'figures')
run('baseline', {str(store)!r}, '--out', 'b.json')
run('check', {str(store)!r}, '--baseline', 'b.json')
run('history', {str(store)!r}, {str(store)!r})
run('merge', {str(store)!r}, '--out', 'merged')
run('compare', 'bicubic', 'net-2', '--store', {str(store)!r})
run('status', {str(store)!r})
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


def test_where_zero_is_best_table_marks_ranks_and_tests_judge_the_same(
    make_store: Callable[..., Path], tmp_path: Path
) -> None:
    """``net-2`` blurs every second image as much as it invents in the others; both count, in one seed or in two."""
    ratios = {"bicubic": (-20.0, -20.0), "net-2": (-7.0, 7.0), "net-4": (6.2, 6.1)}
    root = make_store(tmp_path / "s", images=12, seeds=(0, 1))
    for method, by_seed in ratios.items():
        for seed in (0, 1):
            for number in range(12):
                value = by_seed[(seed + number) % 2]
                change(
                    root,
                    f"UPDATE scores SET value = {value} WHERE key = (SELECT score FROM cells JOIN outputs ON"
                    f" output = id WHERE metric = 'hf_ratio' AND method = '{method}' AND seed = {seed}"
                    f" AND image = 'image{number}')",
                )
    with open_store(root) as opened:
        board = load_board(opened, title="t")
    rows = board.scores[board.scores["metric"] == "hf_ratio"].set_index("method")
    assert rows["value"].to_dict() == pytest.approx({"bicubic": 20, "net-2": 7, "net-4": 6.15})
    assert not rows["tied"].any()
    (grid,) = grids(board)
    (place,) = (place for place, column in enumerate(grid.columns) if column.metric == "hf_ratio")
    assert grid.columns[place].heading == "HF ratio [dB] → 0"
    assert {row.method: row.cells[place].mark for row in grid.rows} == {
        "bicubic": "",
        "net-2": "second",
        "net-4": "best",
    }
    assert all(float(row.cells[place].low) >= 0 for row in grid.rows)
    metric = shipped_metrics()["hf_ratio"]
    scores = opened_scores(root)
    ranking = average_ranks(list(contests(scores[scores["metric"] == metric.id], {metric.id: metric}, {}, ()))).rows
    assert ranking.set_index("method")["rank"].to_dict() == {"bicubic": 3, "net-2": 2, "net-4": 1}
    assert (ranking["low"] == ranking["high"]).all()
    (row,) = compare_methods(root, "net-2", "net-4", metrics=["hf_ratio"])
    assert (row.better, row.result.difference, row.wins) == ("net-4", pytest.approx(0.85), 0)


def opened_scores(root: Path) -> pd.DataFrame:
    with open_store(root) as store:
        return name_scales(store.scores())


def test_wins_follow_the_direction_of_a_metric(store: Path) -> None:
    with open_store(store) as opened:
        table = opened.scores().groupby(["metric", "method", "image"])["value"].mean()
    rows = {row.metric: row for row in compare_methods(store, "net-4", "net-2")}
    for id, better in (("psnr_y", np.greater), ("lsd", np.less)):
        assert rows[id].wins == better(table[id, "net-4"].to_numpy(), table[id, "net-2"].to_numpy()).mean()
    with pytest.raises(ComparisonError, match="with itself"):
        compare_methods(store, "net-2", "net-2")
