"""Every number, word and cost of a table belongs to the dataset, protocol, method and metric under which it stands."""

from __future__ import annotations

import io
import re
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from asasr_bench.bench.analysis import leaderboard
from asasr_bench.bench.analysis.leaderboard import load_board
from asasr_bench.bench.drift.baseline import write_baseline
from asasr_bench.bench.publish.figures.comparisons import cost, sensitivity
from asasr_bench.bench.publish.figures.data import FigureData
from asasr_bench.bench.publish.figures.options import parse_options
from asasr_bench.bench.publish.leaderboards import of_protocol, write_leaderboards, write_reports
from asasr_bench.bench.store.checksums import score_checksum
from asasr_bench.bench.store.merge import merge_stores
from asasr_bench.bench.store.records import SetImage
from asasr_bench.bench.store.store import open_store
from asasr_bench.datasets.images import write_png
from asasr_bench.reports.board import Board
from asasr_bench.reports.grid import grids
from asasr_bench.reports.page import to_html
from asasr_bench.reports.provenance import provenance_lines
from asasr_bench.reports.tables import to_csv, to_latex, to_markdown
from asasr_bench.reports.terminal import to_terminal
from numpy.typing import NDArray
from rich.console import Console

Session = Callable[..., Any]


def change(root: Path, statement: str) -> None:
    with sqlite3.connect(root / "store.sqlite") as database:
        database.create_function("score_checksum", 2, score_checksum)
        assert database.execute(statement).rowcount > 0


def board_of(root: Path) -> Board:
    with open_store(root) as store:
        return load_board(store, title="T")


OF_METHOD = "output IN (SELECT id FROM outputs WHERE method = '{}')"


def lose(root: Path, method: str, metric: str, status: str, message: str) -> None:
    change(
        root,
        f"UPDATE cells SET status = '{status}', message = '{message}', score = NULL"
        f" WHERE metric = '{metric}' AND {OF_METHOD.format(method)}",
    )


def words(board: Board) -> dict[tuple[str, str, str], str]:
    """Protocol, method and metric to the word in place of a number."""
    return {
        (grid.protocol, row.method, column.metric): cell.text
        for grid in grids(board)
        for row in grid.rows
        for column, cell in zip(grid.columns, row.cells, strict=True)
        if not re.match(r"[-\d]", cell.text)
    }


@pytest.fixture
def both(tmp_path: Path, make_store) -> Path:  # type: ignore[no-untyped-def]
    """The same methods on a dataset of the same name under two protocols; they lack different metrics there."""
    make_store(tmp_path / "a", methods=("bicubic", "net"))
    make_store(tmp_path / "b", methods=("bicubic", "net"), protocol="osediff-512", size=64)
    lose(tmp_path / "a", "net", "ssim_y", "failed", "out of memory")
    lose(tmp_path / "a", "net", "lsd", "unavailable", "lsd needs weights")
    lose(tmp_path / "b", "net", "ssim_y", "unavailable", "ssim needs a library")
    merge_stores([tmp_path / "a", tmp_path / "b"], tmp_path / "both")
    return tmp_path / "both"


def test_a_word_is_that_of_its_own_metric_and_protocol(both: Path) -> None:
    assert words(board_of(both)) == {
        ("asasr", "net", "ssim_y"): "failed",
        ("asasr", "net", "lsd"): "unavailable",
        ("osediff-512", "net", "ssim_y"): "unavailable",
    }


def test_a_page_names_the_problems_of_its_own_protocol_alone(both: Path) -> None:
    board = board_of(both)
    ours, theirs = (to_markdown(of_protocol(board, name)) for name in ("asasr", "osediff-512"))
    assert "- failed, 6 of D, net, SSIM-Y: out of memory" in ours
    assert "lsd needs weights" in ours
    assert "ssim needs a library" not in ours
    assert "ssim needs a library" in theirs
    assert "out of memory" not in theirs


@pytest.fixture
def priced(tmp_path: Path, make_store) -> Path:  # type: ignore[no-untyped-def]
    """One method of two is slow and greedy on the second dataset."""
    root: Path = make_store(tmp_path / "s", methods=("bicubic", "net"), datasets=("D", "Large"))
    change(
        root,
        "UPDATE restorations SET seconds = 7.5, memory = 3 * 1048576 * 1024 WHERE key IN"
        " (SELECT restoration FROM outputs WHERE method = 'net' AND dataset = 'Large')",
    )
    return root


def test_time_and_memory_are_those_of_the_dataset(priced: Path) -> None:
    board = board_of(priced)
    shown = {(grid.dataset, row.method): (row.seconds, row.memory) for grid in grids(board) for row in grid.rows}
    assert shown == {
        ("D", "bicubic"): ("100.0 ms", "1 MiB"),
        ("D", "net"): ("200.0 ms", "2 MiB"),
        ("Large", "bicubic"): ("100.0 ms", "1 MiB"),
        ("Large", "net"): ("7.50 s", "3.00 GiB"),
    }
    for text in (to_markdown(board), to_latex(board)):
        small, large = re.split(r"(?=## Large|\\caption\{Large)", text)[-2:]
        assert "7.50 s" not in small
        assert "7.50 s" in large


def test_times_of_different_devices_are_told_as_no_comparison(priced: Path) -> None:
    assert "different devices" not in to_markdown(board_of(priced))
    change(
        priced,
        "UPDATE restorations SET device = 'cuda' WHERE key IN"
        " (SELECT restoration FROM outputs WHERE method = 'net' AND dataset = 'Large')",
    )
    small, large = re.split(r"(?=## Large)", to_markdown(board_of(priced)))
    assert "different devices" not in small
    assert "Time and memory were taken on different devices (cpu: bicubic; cuda: net)." in large


@pytest.mark.parametrize(("x", "small", "large"), [("seconds", 0.2, 7.5), ("memory", 2.0, 3072.0)])
def test_the_figure_of_costs_has_those_of_its_dataset(priced: Path, x: str, small: float, large: float) -> None:
    with open_store(priced) as store:
        figures = dict(cost(FigureData(store), parse_options({"kind": "cost", "x": x}, "t")))
    for dataset, expected in (("D", small), ("Large", large)):
        drawn = [float(line.get_xdata()[0]) for line in figures[f"cost-{dataset}-asasr"].axes[0].lines]
        assert max(drawn) == expected


def test_no_line_of_sensitivity_joins_two_models(tmp_path: Path, make_store) -> None:  # type: ignore[no-untyped-def]
    names = ("bicubic", "full-2", "full-4", "full-8", "plain-2", "plain-4", "plain-8")
    root = make_store(tmp_path / "s", methods=names)
    values = {name: int(name[-1]) for name in names if name[-1].isdigit()}
    with open_store(root) as store:
        options = parse_options({"kind": "sensitivity", "values": values, "y": ["psnr_y"]}, "t")
        ((_, figure),) = sensitivity(FigureData(store), options)
        means = store.scores().query("metric == 'psnr_y'").groupby("method")["value"].mean()
    lines = {line.get_label(): line for line in figure.axes[0].lines}
    assert list(lines) == ["full", "plain"]
    for model, line in lines.items():
        assert list(line.get_xdata()) == [2, 4, 8]
        assert list(line.get_ydata()) == pytest.approx([means[f"{model}-{steps}"] for steps in (2, 4, 8)])


def begin(root: Path, command: str, spec: str, **made: Any) -> None:
    """A run that did nothing."""
    with open_store(root, write=True) as store:
        provenance = replace(store.runs()[0].provenance, command=command, **made)
        store.finish_run(
            store.begin_run("2024-06-01T00:00:00+00:00", {"name": spec}, provenance), "2024-06-01T00:01:00"
        )


def terms(board: Board) -> dict[str, str]:
    return dict(provenance_lines(board))


def test_a_run_that_did_nothing_hides_no_other(store: Path) -> None:
    before = terms(board_of(store))
    begin(store, "-c", "noop")
    assert terms(board_of(store)) == before
    assert "spec test; test; 2024-05-01" in before["run"]
    assert "18 images restored, 72 values measured" in before["run"]


def test_a_page_names_the_run_that_made_it(tmp_path: Path, make_store) -> None:  # type: ignore[no-untyped-def]
    for name, protocol, command in (("a", "asasr", "run first"), ("b", "osediff-512", "run realsr")):
        make_store(tmp_path / name, protocol=protocol, size=48 if name == "a" else 64, methods=("bicubic",))
        change(tmp_path / name, f"UPDATE runs SET provenance = json_set(provenance, '$.command', '{command}')")
    merge_stores([tmp_path / "a", tmp_path / "b"], tmp_path / "both")
    board = board_of(tmp_path / "both")
    assert "run first" in terms(board)["run 1"]
    assert "run realsr" in terms(board)["run 2"]
    assert "run first" in terms(of_protocol(board, "asasr"))["run"]
    assert "run realsr" in terms(of_protocol(board, "osediff-512"))["run"]


def test_runs_that_shared_the_work_are_told_with_what_differs(store: Path) -> None:
    begin(store, "run again", "again", packages={"numpy": "2.0", "torch": "2.12"})
    change(store, "UPDATE scores SET run = 2 WHERE key IN (SELECT score FROM cells WHERE metric = 'lsd')")
    message = terms(board_of(store))
    assert message["run 1"].endswith("18 images restored, 54 values measured; packages torch 2.11")
    assert message["run 2"].startswith("spec again; run again; 2024-06-01")
    assert message["run 2"].endswith("0 images restored, 18 values measured; packages torch 2.12")
    assert message["packages"] == "numpy 2.0"
    change(
        store, 'UPDATE runs SET provenance = (SELECT provenance FROM runs WHERE id = 1), spec = \'{"name": "test"}\''
    )
    together = terms(board_of(store))["run"]  # stopped, and went on
    assert "2024-05-01T10:00:00+00:00 to 2024-06-01T00:01:00 in 2 runs" in together
    assert "18 images restored, 72 values measured" in together


def test_no_file_of_a_report_names_a_folder_of_the_machine(store: Path, tmp_path: Path) -> None:
    command = "asasr-bench run /home/zoe-lee/spec.yaml --dataset D=/home/zoe-lee/HR"
    change(store, f"UPDATE runs SET provenance = json_set(provenance, '$.command', '{command}')")
    lose(store, "net-2", "lsd", "failed", "/home/zoe-lee/HR/a.png: no such file")
    paths = write_reports(store, tmp_path / "report", ("md", "html", "tex", "csv"))
    paths += write_leaderboards([store], tmp_path / "site")
    write_baseline(store, tmp_path / "baseline.json")
    paths.append(tmp_path / "baseline.json")
    for path in paths:
        assert "zoe-lee" not in path.read_text(), path
        assert str(tmp_path) not in path.read_text(), path
    assert "asasr-bench run spec.yaml --dataset D=HR" in (tmp_path / "report" / "leaderboard.md").read_text()


def tables(board: Board) -> dict[str, str]:
    """The board in every form of a table."""
    console = Console(width=300, file=io.StringIO())
    for table in to_terminal(board, 300):
        console.print(table)
    assert isinstance(console.file, io.StringIO)
    return {
        "md": to_markdown(board),
        "tex": to_latex(board),
        "html": to_html(board, []),
        "csv": to_csv(board),
        "terminal": " ".join(console.file.getvalue().split()),
    }


def test_a_part_of_a_set_is_told_in_every_table(tmp_path: Path, make_store) -> None:  # type: ignore[no-untyped-def]
    root = make_store(tmp_path / "s", datasets=("RealSR-512", "Mine"), methods=("bicubic",), images=3)
    change(
        root, "DELETE FROM cells WHERE output IN (SELECT id FROM outputs WHERE dataset = 'Mine' AND image = 'image0')"
    )
    board = board_of(root)
    assert board.whole == {("asasr", "RealSR-512"): 100, ("asasr", "Mine"): 3}
    shown = tables(board)
    for form in ("md", "tex", "html", "terminal"):
        assert "3 of 100 images" in shown[form], form
        assert "2 of 3 images" in shown[form], form
    rows = pd.read_csv(io.StringIO(shown["csv"]))
    assert {*zip(rows["dataset"], rows["n"], rows["set_images"], strict=True)} == {
        ("RealSR-512", 3, 100),
        ("Mine", 2, 3),
    }
    write_leaderboards([root], tmp_path / "site", ("html",))
    assert "5 of 103 images of Mine, RealSR-512" in (tmp_path / "site" / "index.html").read_text()
    with open_store(root) as store:
        assert {part.title for part in FigureData(store).parts(parse_options({"kind": "bars"}, "t"))} == {
            "RealSR-512, 3 of 100 images, asasr",
            "Mine, 2 of 3 images, asasr",
        }


def test_a_run_that_was_stopped_shows_a_part_of_its_set(store: Path) -> None:
    with open_store(store, write=True) as opened:
        rows = (
            opened.outputs().drop_duplicates("image")[["image", "lq", "reference"]].itertuples(index=False, name=None)
        )
        images = [SetImage("D", image, False, "files", lq, reference) for image, lq, reference in rows]
        images += [SetImage("D", f"later{number}", False, "files", "a", "b") for number in range(34)]
        opened.add_set("asasr", 4, images, 1)
    assert "6 of 40 images" in to_markdown(board_of(store))


def test_a_merged_page_tells_what_each_store_has_out_of_date(tmp_path: Path, make_store) -> None:  # type: ignore[no-untyped-def]
    roots = [make_store(tmp_path / "a"), make_store(tmp_path / "b", methods=("bicubic",), datasets=("Other",))]
    change(roots[0], "UPDATE outputs SET wanted = 'x' WHERE method = 'net-2' AND image = 'image1'")
    write_leaderboards(roots, tmp_path / "site", ("md",))
    message = "1 of 6 images of net-2 are of former weights, code or settings: left out; run again (in a)."
    assert message in (tmp_path / "site" / "asasr.md").read_text()


def test_an_incomplete_identity_is_told_in_every_table(store: Path) -> None:
    why = "identity incomplete: it does not declare its weight files"
    change(store, f"UPDATE methods SET card = json_set(card, '$.incomplete', '{why}') WHERE name = 'net-2'")
    shown = tables(board_of(store))
    shown["html"] = re.sub("<[^>]+>", "", shown["html"].partition("<script")[0])
    for form, sign in (("md", "†"), ("tex", r"\dag{}"), ("html", "†"), ("terminal", "†")):
        assert f"net-2{sign}" in shown[form], form
        assert f"net-4{sign}" not in shown[form], form
        assert f"{sign} net-2: {why}." in shown[form], form
    assert all(shown[form].count("net-2†") == 2 for form in ("md", "html"))  # in the table of ranks, too
    identities = pd.read_csv(io.StringIO(shown["csv"])).fillna("").groupby("method")["identity"].unique()
    assert {name: list(texts) for name, texts in identities.items()} == {"bicubic": [""], "net-2": [why], "net-4": [""]}


def infinite(root: Path, method: str, images: str) -> None:
    condition = f"output IN (SELECT id FROM outputs WHERE method = '{method}' AND image IN ({images}))"
    change(
        root,
        "UPDATE scores SET value = 9e999, checksum = score_checksum(key, 9e999)"
        f" WHERE key IN (SELECT score FROM cells WHERE metric = 'psnr_y' AND {condition})",
    )


def test_images_equal_to_hr_make_no_mean_infinite(store: Path) -> None:
    with open_store(store) as opened:
        values = opened.scores().query("metric == 'psnr_y' and method == 'net-4'").set_index("image")["value"]
    infinite(store, "net-4", "'image0', 'image3'")
    board = board_of(store)
    row = board.scores.query("metric == 'psnr_y' and method == 'net-4'").iloc[0]
    assert row["value"] == pytest.approx(values.drop(["image0", "image3"]).mean(), abs=1e-12)
    assert (row["n"], row["infinite"]) == (4, 2)
    message = "PSNR-Y of net-4: infinite on 2 images equal to HR, left out of the mean."
    shown = tables(board)
    assert all(message in shown[form] for form in ("md", "tex", "html", "terminal"))
    assert "**" not in next(line for line in shown["md"].splitlines() if line.startswith("| net-4 | gan | 2"))
    infinite(store, "net-4", "'image1', 'image2', 'image4', 'image5'")
    shown = tables(board_of(store))
    assert "∞" in shown["md"]
    assert "PSNR-Y of net-4: infinite on 6 images equal to HR, the mean is." in shown["md"]


def test_hr_itself_is_infinite_without_a_word(store: Path) -> None:
    change(store, "UPDATE methods SET card = json_set(card, '$.family', 'reference') WHERE name = 'net-4'")
    infinite(store, "net-4", "'image0', 'image1', 'image2', 'image3', 'image4', 'image5'")
    text = to_markdown(board_of(store))
    assert "∞" in text
    assert "equal to HR" not in text


def test_a_run_computes_its_statistics_once(
    tmp_path: Path, photo: NDArray[np.uint8], session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[Board] = []

    def load(*arguments: Any, **options: Any) -> Board:
        loaded.append(load_board(*arguments, **options))
        return loaded[-1]

    monkeypatch.setattr(leaderboard, "load_board", load)
    write_png(tmp_path / "hr" / "a.png", photo[:64, :64])
    result = session(
        "run", "classic-x4-float", "--dataset", "D=hr", "--method", "bicubic", "--metric", "psnr_y", "--store", "s"
    )
    assert result.status == 0, result.err
    assert "bicubic" in result.out
    assert (tmp_path / "s" / "report" / "leaderboard.tex").is_file()
    assert len(loaded) == 1
