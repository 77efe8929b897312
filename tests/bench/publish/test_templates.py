"""Templates of tables: the shipped ones are what is used, a user's own take their place, wrong ones are refused."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from asasr_bench.bench.publish.formats import FormatError, table_formats
from asasr_bench.bench.publish.leaderboards import write_leaderboards, write_reports
from asasr_bench.reports.table_template import TEMPLATE_FORMATS, template_text

DOCS = Path(__file__).parents[3] / "docs" / "reports.md"
MEANS = """[% for grid in grids %]
[% for row in grid.rows %]
[[ row.method | tex ]] [[ row.cells[0].text ]]
[% endfor %]
[% endfor %]
"""


def test_a_copy_of_the_shipped_templates_gives_the_same_bytes(store: Path, tmp_path: Path) -> None:
    for format in TEMPLATE_FORMATS:
        (tmp_path / f"leaderboard.{format}.j2").write_text(template_text(f"leaderboard.{format}.j2"), encoding="utf-8")
    shipped = write_reports(store, tmp_path / "shipped")
    own = write_reports(store, tmp_path / "own", template=tmp_path)
    assert [path.read_bytes() for path in own] == [path.read_bytes() for path in shipped]


def test_a_template_takes_the_place_of_its_format_alone(
    store: Path, tmp_path: Path, command: Callable[..., object]
) -> None:
    (tmp_path / "means.tex.j2").write_text(MEANS)
    command("report", store, "--out", "shipped")
    command("report", store, "--out", "own", "--template", "means.tex.j2")
    command("leaderboard", store, "--out", "site", "--template", "means.tex.j2")
    tex = (tmp_path / "own" / "leaderboard.tex").read_text()
    assert [line.split()[0] for line in tex.splitlines() if line] == ["bicubic", "net-2", "net-4"]
    assert (tmp_path / "site" / "asasr.tex").read_text() == tex
    for name in ("leaderboard.md", "leaderboard.csv", "leaderboard.html"):
        assert (tmp_path / "own" / name).read_bytes() == (tmp_path / "shipped" / name).read_bytes()


def test_the_example_of_the_docs_works(store: Path, tmp_path: Path) -> None:
    text = DOCS.read_text(encoding="utf-8")
    start, end = text.index("    [% for grid"), text.rindex("    [% endfor %]\n") + len("    [% endfor %]\n")
    lines = [line.removeprefix("    ") for line in text[start:end].splitlines()]
    (tmp_path / "docs.tex.j2").write_text("\n".join([*lines, ""]))
    (path,) = write_reports(store, tmp_path / "out", ("tex",), template=tmp_path / "docs.tex.j2")
    assert path.read_text().startswith("\\begin{tabular}{lr")
    assert "\nnet-4 & " in path.read_text()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("one\n[% for grid in %]", r"own\.tex\.j2, line 2: Expected an expression"),
        ("one\n\n[[ winner ]]", r"own\.tex\.j2, line 3: 'winner' is undefined"),
        ("[[ grids[0].best ]]", r"own\.tex\.j2, line 1: .*no attribute 'best'"),
        ("a\n[[ 1 / 0 ]]", r"own\.tex\.j2, line 2: division by zero"),
        ("[[ title.__class__.__mro__ ]]", r"own\.tex\.j2, line 1: access to attribute '__class__'"),
    ],
)
def test_a_wrong_template_is_named_with_its_line(store: Path, tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "own.tex.j2").write_text(text)
    with pytest.raises(FormatError, match=message) as raised:
        write_reports(store, tmp_path / "out", ("tex",), template=tmp_path / "own.tex.j2")
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_no_template_is_refused(tmp_path: Path) -> None:
    for place, formats, message in (
        (tmp_path / "lost.md.j2", ("md",), "cannot be read"),
        (tmp_path, ("md",), r"no template of tables; it is called leaderboard\.md\.j2 or leaderboard\.tex\.j2"),
        (tmp_path / "table.txt", ("md",), r"it is called NAME\.md\.j2"),
    ):
        with pytest.raises(FormatError, match=message):
            table_formats(formats, place)
    (tmp_path / "own.tex.j2").write_text(MEANS)
    with pytest.raises(FormatError, match="template of tex, which is not among the formats"):
        table_formats(("md", "html"), tmp_path / "own.tex.j2")


def test_a_method_with_images_and_no_score_is_not_in_the_gallery(
    make_store: Callable[..., Path], tmp_path: Path
) -> None:
    """HR, where no metric is bounded by it: it was restored, and no table shows it."""
    root = make_store(tmp_path / "s")
    with sqlite3.connect(root / "store.sqlite") as database:
        lost = "SELECT id FROM outputs WHERE method = 'net-4'"
        assert database.execute(f"DELETE FROM cells WHERE output IN ({lost})").rowcount > 0
    paths = write_leaderboards([root], tmp_path / "site", ("html",))
    page = paths[0].read_text()
    assert '"name":"net-2"' in page.replace('": "', '":"')
    assert '"name":"net-4"' not in page.replace('": "', '":"')
    write_leaderboards([root], tmp_path / "none", ("html",), images=0)
    assert not (tmp_path / "none" / "images").exists()
