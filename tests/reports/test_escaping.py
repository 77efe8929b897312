"""Names that attack each format of a report: they are shown as they are, and do nothing."""

from __future__ import annotations

import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from asasr_bench.bench.analysis.leaderboard import load_board
from asasr_bench.bench.publish.leaderboards import write_leaderboards
from asasr_bench.bench.store.store import open_store
from asasr_bench.reports.board import Example, Spectrum
from asasr_bench.reports.escaping import csv, markdown, markdown_code, tex, without_folders, xml
from asasr_bench.reports.page import to_html
from asasr_bench.reports.tables import csv_text
from hypothesis import given, settings
from hypothesis import strategies as st

SCRIPT = "</script><script>alert(1)</script>"
HOSTILE = f"""{SCRIPT}<img src=x onerror="alert(2)">'"&|`$x$_{{}}%#~^\\[red]"""


class Page(HTMLParser):
    """Elements and attributes as a browser would see them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def hostile(make_store, tmp_path: Path) -> Path:  # type: ignore[no-untyped-def]
    return make_store(tmp_path / "store", methods=("bicubic", HOSTILE), datasets=(HOSTILE,), images=6)


def test_pages_have_only_their_own_scripts_and_attributes(hostile: Path, tmp_path: Path) -> None:
    with open_store(hostile) as store:
        board = load_board(store, title=HOSTILE)
    pixels = np.zeros((8, 8, 3), np.uint8)
    examples = [Example(HOSTILE, HOSTILE, pixels, pixels, {HOSTILE: pixels}, protocol="asasr")]
    spectra = [Spectrum(HOSTILE, np.linspace(0.01, 1, 20), {HOSTILE: np.zeros(20)})]
    paths = write_leaderboards([hostile], tmp_path / "pages", ("html",), title=HOSTILE)
    for text in (to_html(board, examples, spectra=spectra), *(path.read_text() for path in paths)):
        page = Page(text)
        scripts = [attributes for tag, attributes in page.elements if tag == "script"]
        assert scripts in ([], [{"type": "application/json", "id": "data"}, {}])
        assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
        assert not [tag for tag, attributes in page.elements if tag == "img" and attributes.get("src") == "x"]
        assert HOSTILE in page.text or "index" in text[:2000]
        data = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
        if data:
            content = json.loads(data[1])
            assert content["pictures"][0]["dataset"] == content["tables"][0]["dataset"] == HOSTILE


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_spreadsheets_run_no_formula_from_a_name(text: str) -> None:
    frame = pd.DataFrame({"method": [text, "bicubic"], "value": [-1.5, float("nan")], "n": [5, 6]})
    read = pd.read_csv(io.StringIO(csv_text(frame)))
    assert list(read["method"]) == ["'" + text.replace("\r", " "), "bicubic"]
    assert read["value"][0] == -1.5
    assert list(read["n"]) == [5, 6]
    assert csv(-1.0) == -1.0


def test_tables_for_a_spreadsheet_carry_the_guard(make_store, tmp_path: Path, command) -> None:  # type: ignore[no-untyped-def]
    make_store(tmp_path / "s", methods=("bicubic", "=cmd()"), images=6)
    command("report", "s", "--format", "csv")
    command("export", "s", "--per-image", "all.csv")
    for path in (tmp_path / "s/report/leaderboard.csv", tmp_path / "all.csv"):
        assert "'=cmd()" in path.read_text()
        assert ",=cmd()" not in path.read_text()


@settings(max_examples=200)
@given(st.text(max_size=30))
def test_a_cell_of_markdown_stays_one_cell(text: str) -> None:
    for cell in (markdown(text), markdown_code(text)):
        assert len(cell.splitlines()) <= 1
        assert not re.search(r"(?<!\\)(\\\\)*\|", cell)
    assert "<" not in markdown(text)


def test_code_in_markdown_ends_where_it_should() -> None:
    assert markdown_code("a`b``c") == "```a`b``c```"
    assert markdown_code("`") == "`` ` ``"
    assert markdown_code("plain") == "`plain`"


def test_latex_commands_in_names_are_text() -> None:
    assert tex("\\input{/etc/passwd} 100%\n$x_1$") == (
        r"\textbackslash{}input\{/etc/passwd\} 100\% \$x\_1\$"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("asasr-bench run /home/ann/s.yaml --dataset D=/data/LQ,/data/HR", "asasr-bench run s.yaml --dataset D=LQ,HR"),
        ("--method predictions:/home/ann/out/", "--method predictions:out"),
        ("--method 'Net=/home/ann lee/my nets/a b.pth' -x", "--method 'Net=a b.pth' -x"),
        ("/home/ann/a.png: no such file; see https://ann.org/a/b", "a.png: no such file; see https://ann.org/a/b"),
        ("file:///home/ann/a.png", "a.png"),
        (r"C:\Users\ann\net.pth and D:/sets/HR", "net.pth and HR"),
        ("in /home/ann, /Users/ann or ~ann/x", "in ~, ~ or x"),
        ("runs/a/b ./c/d ../e {lq}/x 3/4 km / h and/or ~/x", "runs/a/b ./c/d ../e {lq}/x 3/4 km / h and/or ~/x"),
        ("it isn't '/a/b' or can't be \"/c/d e\"", "it isn't 'b' or can't be \"d e\""),
    ],
)  # fmt: skip
def test_no_text_tells_the_folders_of_a_machine(text: str, shown: str) -> None:
    assert without_folders(text) == shown


@settings(max_examples=200)
@given(
    st.lists(st.from_regex(r"[a-z][a-z0-9_.-]{0,8}", fullmatch=True), min_size=2, max_size=5), st.sampled_from(" =:,('")
)
def test_an_absolute_path_becomes_its_last_name(names: list[str], before: str) -> None:
    assert without_folders(f"set{before}/srv/{'/'.join(names)} y") == f"set{before}{names[-1]} y"


@settings(max_examples=100)
@given(st.text())
def test_every_text_can_stand_in_xml(text: str) -> None:
    element = ElementTree.Element("a", name=xml(text))
    element.text = xml("\x1b[0m\0" + text)
    ElementTree.fromstring(ElementTree.tostring(element, encoding="utf-8"))
