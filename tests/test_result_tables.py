"""Tables of measured numbers in the documentation are those of docs/results/*.csv."""

from __future__ import annotations

from pathlib import Path

import pytest
from result_tables import BLOCK, DOCS, csv_file, effects, table, with_tables

PAGES = sorted(DOCS.glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_a_page_is_what_its_csv_files_make(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text == with_tables(text), "run python tests/support/result_tables.py"
    assert (
        text.count("<!-- results:") + text.count("<!-- effects:")
        == text.count("<!-- end -->")
        == len(BLOCK.findall(text))
    )


def test_every_csv_file_stands_in_one_page() -> None:
    blocks = [match for page in PAGES for match in BLOCK.finditer(page.read_text(encoding="utf-8"))]
    files = [*DOCS.glob("results/*.csv"), *DOCS.glob("studies/*/differences.csv")]
    assert sorted(csv_file(match["kind"], match["name"]) for match in blocks) == sorted(files)


def test_a_number_comes_from_the_file_and_text_around_stays(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "set14.csv").write_text(
        'method,"PSNR, Y",LSD\nbicubic,"23.17 [22, 24]",\n', encoding="utf-8"
    )
    page = "Before\n\n<!-- results: set14, right -->\n\n| old |\n\n<!-- end -->\n\nAfter\n<!-- end -->\n"
    written = with_tables(page, tmp_path)
    assert written == (
        "Before\n\n<!-- results: set14, right -->\n\n"
        "| method | PSNR, Y | LSD |\n|---|---:|---:|\n| bicubic | 23.17 [22, 24] | |\n\n"
        "<!-- end -->\n\nAfter\n<!-- end -->\n"
    )
    assert with_tables(written, tmp_path) == written


def test_rows_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="rows of different length"):
        table([["method", "LSD"], ["bicubic"]])


def test_an_effect_is_bold_by_its_corrected_p_and_stands_in_its_unit() -> None:
    test = {"first": "a", "second": "b", "equal": "distortion", "curve": "blends", "dataset": "Set5", "steps": "8"}
    dists = {**test, "metric": "dists", "difference": "-.0042", "low": "-.0061", "high": ".0004", "outcome": "tested"}
    lsd = {**test, "metric": "lsd", "difference": ".2", "low": ".1", "high": ".3", "outcome": "tested"}
    untested = {**test, "metric": "fsim", "outcome": "not made"}
    assert effects([{**dists, "p": ".01", "p_plan": ".06"}, {**lsd, "p_plan": ".049"}, untested]) == [
        ["first - second", "equal", "set", "steps", "PSNR-Y", "LPIPS", "DISTS", "SSIM-Y", "FSIM", "LSD"],
        ["a - b", "PSNR-Y, blends", "Set5", "8", "", "", "-4.2 [-6.1, +0.4]", "", "", "**+0.20** [+0.10, +0.30]"],
    ]
