"""Every number, word and cost of a table belongs to the dataset, protocol, method and metric under which it stands."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest
from asasr_bench.bench.figures.comparisons import cost, sensitivity
from asasr_bench.bench.figures.material import Material
from asasr_bench.bench.figures.options import parse_options
from asasr_bench.bench.leaderboard import load_board, write_reports
from asasr_bench.bench.merging import merge_stores
from asasr_bench.bench.pages import of_protocol, write_leaderboards
from asasr_bench.bench.store import open_store
from asasr_bench.reports.board import Board
from asasr_bench.reports.grid import grids
from asasr_bench.reports.provenance import provenance_lines
from asasr_bench.reports.tables import to_latex, to_markdown


def change(root: Path, statement: str) -> None:
    with sqlite3.connect(root / "store.sqlite") as database:
        assert database.execute(statement).rowcount > 0


def board_of(root: Path) -> Board:
    with open_store(root) as store:
        return load_board(store, title="T")


OF_METHOD = "output IN (SELECT id FROM outputs WHERE method = '{}')"


def lose(root: Path, method: str, metric: str, status: str, message: str) -> None:
    change(root, f"UPDATE cells SET status = '{status}', message = '{message}', score = NULL"
                 f" WHERE metric = '{metric}' AND {OF_METHOD.format(method)}")  # fmt: skip


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
    change(root, "UPDATE restorations SET seconds = 7.5, memory = 3 * 1048576 * 1024 WHERE key IN"
                 " (SELECT restoration FROM outputs WHERE method = 'net' AND dataset = 'Large')")  # fmt: skip
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


@pytest.mark.parametrize(("x", "small", "large"), [("seconds", 0.2, 7.5), ("memory", 2.0, 3072.0)])
def test_the_figure_of_costs_has_those_of_its_dataset(priced: Path, x: str, small: float, large: float) -> None:
    with open_store(priced) as store:
        figures = dict(cost(Material(store), parse_options({"kind": "cost", "x": x}, "t")))
    for dataset, expected in (("D", small), ("Large", large)):
        drawn = [float(line.get_xdata()[0]) for line in figures[f"cost-{dataset}-asasr"].axes[0].lines]
        assert max(drawn) == expected


def test_no_line_of_sensitivity_joins_two_models(tmp_path: Path, make_store) -> None:  # type: ignore[no-untyped-def]
    names = ("bicubic", "full-2", "full-4", "full-8", "plain-2", "plain-4", "plain-8")
    root = make_store(tmp_path / "s", methods=names)
    values = {name: int(name[-1]) for name in names if name[-1].isdigit()}
    with open_store(root) as store:
        options = parse_options({"kind": "sensitivity", "values": values, "y": ["psnr_y"]}, "t")
        ((_, figure),) = sensitivity(Material(store), options)
        means = store.scores().query("metric == 'psnr_y'").groupby("method")["value"].mean()
    lines = {line.get_label(): line for line in figure.axes[0].lines}
    assert list(lines) == ["full", "plain"]
    for model, line in lines.items():
        assert list(line.get_xdata()) == [2, 4, 8]
        assert list(line.get_ydata()) == pytest.approx([means[f"{model}-{steps}"] for steps in (2, 4, 8)])


def begin(root: Path, command: str, spec: str, **made: object) -> None:
    """A run that did nothing."""
    with open_store(root, write=True) as store:
        provenance = {**store.runs()[0]["provenance"], "command": command, **made}
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
    told = terms(board_of(store))
    assert told["run 1"].endswith("18 images restored, 54 values measured; packages torch 2.11")
    assert told["run 2"].startswith("spec again; run again; 2024-06-01")
    assert told["run 2"].endswith("0 images restored, 18 values measured; packages torch 2.12")
    assert told["packages"] == "numpy 2.0"
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
    for path in paths:
        assert "zoe-lee" not in path.read_text(), path
        assert str(tmp_path) not in path.read_text(), path
    assert "asasr-bench run spec.yaml --dataset D=HR" in (tmp_path / "report" / "leaderboard.md").read_text()
