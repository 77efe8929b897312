"""The page of ``report`` in a real browser: its tables, lists, charts, links and downloads."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from asasr_bench.bench.publish.leaderboards import write_reports
from pages import canvas, drawn, state

if TYPE_CHECKING:
    from playwright.sync_api import Download, Page

    from .conftest import OpenTab, Report


def saved(download: Download) -> bytes:
    return Path(str(download.path())).read_bytes()


def column(tab: Page, index: int) -> list[str]:
    texts = tab.locator(f"section:not(.ranks)[data-table] tbody tr > :nth-child({index})").all_inner_texts()
    return [text.rstrip("≈") for text in texts]  # four images are too few to tell methods apart


def test_a_heading_sorts_best_first_and_again_the_other_way(report: Report, open_tab: OpenTab) -> None:
    tab = open_tab(390)
    tab.goto(report.address)
    table = tab.locator("section:not(.ranks)[data-table]")
    table.get_by_role("button", name="PSNR").click()
    values = [float(text) for text in column(tab, 3)]
    assert values == sorted(values, reverse=True)
    table.get_by_role("button", name="PSNR").press("Enter")
    assert [float(text) for text in column(tab, 3)] == sorted(values)
    table.get_by_role("button", name="Method").click()
    assert column(tab, 1) == sorted(report.methods)
    table.get_by_role("button", name="Time").click()
    seconds = [float(text) for text in table.locator("td.cost").evaluate_all(
        "(cells) => cells.map((cell) => cell.dataset.value)")]  # fmt: skip
    assert len(seconds) == len(set(column(tab, 1))) * table.locator("th.cost").count()


def test_a_link_leads_to_the_same_view(report: Report, open_tab: OpenTab) -> None:
    tab = open_tab()
    tab.goto(report.address)
    tab.get_by_placeholder("Find a method").fill("c")
    tab.locator("section:not(.ranks)[data-table]").get_by_role("button", name="PSNR").click()
    tab.locator("#image").select_option(label="D: image1")
    tab.locator("#right").select_option("LQ")
    tab.locator("#layer").select_option("difference")
    tab.locator("#pick-columns summary").click()
    tab.locator("#pick-columns").get_by_label("Family").uncheck()
    tab.locator("#intervals").check()
    drawn(tab)
    tab.locator("#zoom-in").click()
    tab.locator("#stage").press("ArrowRight")
    drawn(tab)
    tab.wait_for_timeout(250)
    address, chosen, shown = tab.url, state(tab), canvas(tab, 0, 0, 400, 300)
    assert len(address) < 400
    again = open_tab()
    again.goto(address)
    drawn(again)
    assert state(again) == chosen
    np.testing.assert_array_equal(canvas(again, 0, 0, 400, 300), shown)
    assert again.locator("#tables tbody tr:visible").count() == tab.locator("#tables tbody tr:visible").count() > 0
    assert again.locator("th[data-column=family]:visible").count() == 0
    again.goto(f"{report.address}#image=gone&left=gone&chart=gone&list=gone&metric=gone&zoom=x&sort=gone&first=gone")
    again.reload()
    drawn(again)  # names that are not here any more: the usual view


def test_images_are_sorted_and_lead_to_the_viewer_and_to_a_file(report: Report, open_tab: OpenTab) -> None:
    values = report.values("psnr_y")
    tab = open_tab()
    tab.goto(report.address)
    tab.locator("#list-metric").select_option("psnr_y")
    tab.locator("#list thead").get_by_role("button", name="lanczos").click()
    names = tab.locator("#list tbody th").all_inner_texts()
    assert names == list(values["lanczos"].sort_values(ascending=False).index)
    tab.locator("#list tbody .jump").last.click()
    opened = names[-1] if tab.locator("#list tbody tr").last.locator(".jump").count() else names[-2]
    assert state(tab)["image"] == f"D asasr {opened}"
    assert tab.locator("#stage").evaluate(
        "(stage) => { const box = stage.getBoundingClientRect(); return box.top >= 0 && box.top < innerHeight; }"
    )
    with tab.expect_download() as download:
        tab.locator("#list-csv").click()
    rows = list(csv.reader(io.StringIO(saved(download.value).decode())))
    heads = tab.locator("#list thead th").all_inner_texts()
    assert [rows[0][0].title(), *rows[0][1:]] == [head.rstrip(" ▾▴") for head in heads]
    for row in rows[1:]:
        assert [float(text) for text in row[1:]] == pytest.approx(values.loc[row[0], rows[0][1:]].tolist(), abs=1e-4)
    assert [row[0] for row in rows[1:]] == names


def test_two_methods_are_compared_image_by_image(report: Report, open_tab: OpenTab) -> None:
    values = report.values("lsd")
    difference = values["nearest"] - values["bicubic"]
    tab = open_tab()
    tab.goto(f"{report.address}#measure=lsd&first=nearest&second=bicubic")
    won, lost = int((difference < 0).sum()), int((difference > 0).sum())  # less is better
    told = tab.locator("#pair-result").inner_text()
    assert f"nearest is better than bicubic on {won} of 4 images, worse on {lost}" in told
    assert tab.locator("#pair tbody th").all_inner_texts() == list(difference.sort_values(ascending=False).index)
    tab.locator("#pair thead").get_by_role("button", name="Difference").click()
    assert tab.locator("#pair tbody th").all_inner_texts() == list(difference.sort_values().index)
    tab.locator("#pair .jump").first.click()
    assert [state(tab)[side] for side in ("left", "right")] == ["bicubic", "nearest"]


def test_downloads_are_what_is_shown(report: Report, open_tab: OpenTab) -> None:
    tab = open_tab()
    tab.goto(f"{report.address}#without=nearest&columns=family&intervals=yes")
    table = tab.locator("section:not(.ranks)[data-table]")
    with tab.expect_download() as download:
        table.get_by_role("button", name="CSV").click()
    rows = list(csv.reader(io.StringIO(saved(download.value).decode())))
    heads = [text.strip() for text in table.locator("thead th:visible").all_inner_texts()]
    assert rows[0] == heads  # four images have no intervals
    cells = [[text.rstrip("≈") for text in row.locator("th:visible .name, td:visible").all_inner_texts()]
             for row in table.locator("tbody tr:visible").all()]  # fmt: skip
    assert rows[1:] == cells
    assert [row[0] for row in rows[1:]] == ["bicubic", "lanczos"]
    with tab.expect_download() as download:
        table.get_by_role("button", name="LaTeX").click()
    text = saved(download.value).decode()
    assert text.count(r"\\") == 3
    assert r"PSNR" in text
    assert r"$\uparrow$" in text
    assert "nearest" not in text
    drawn(tab)
    with tab.expect_download() as download:
        tab.locator("#viewer-png").click()
    assert saved(download.value).startswith(b"\x89PNG")
    with tab.expect_download() as download:
        tab.locator("[data-chart=png]").click()
    assert saved(download.value).startswith(b"\x89PNG")


def test_search_and_pickers_hold_for_all_parts(report: Report, open_tab: OpenTab) -> None:
    tab = open_tab()
    tab.goto(report.address)
    tab.get_by_placeholder("Find a method").fill("LAN")
    assert tab.locator("#tables tbody tr:visible .name").all_inner_texts() == ["lanczos"] * 2
    assert tab.locator("#chart .point").count() == 1
    assert tab.locator("#list thead th").count() == 2
    tab.get_by_placeholder("Find a method").fill("")
    tab.locator("#pick-methods summary").click()
    tab.locator("#pick-methods .names").get_by_label("lanczos").uncheck()
    assert tab.locator("#chart .point").count() == 2
    drawn(tab)
    assert "lanczos" not in tab.locator("#crops button b").all_inner_texts()


def test_a_tap_tells_an_interval_and_how_many_images(
    report: Report, open_tab: OpenTab, make_store: Any, tmp_path: Path
) -> None:
    write_reports(make_store(tmp_path / "s"), tmp_path, ("html",))
    tab = open_tab(390, 800, has_touch=True)
    tab.goto((tmp_path / "leaderboard.html").as_uri())
    tab.locator("section:not(.ranks) td[data-tip]").first.tap()
    assert "95 % interval" in tab.get_by_role("tooltip").inner_text()
    assert "n = 6" in tab.get_by_role("tooltip").inner_text()
    tab.locator("h1").tap()
    assert tab.locator("#tip").is_hidden()
    assert tab.locator("section:not(.ranks) small.interval:visible").count() == 0
    tab.locator("#intervals").check()
    assert tab.locator("section:not(.ranks) small.interval:visible").count() > 0


@pytest.mark.parametrize("width", [360, 1280, 1920])
def test_nothing_but_tables_scrolls_sideways(report: Report, open_tab: OpenTab, width: int) -> None:
    tab = open_tab(width, color_scheme="dark")
    tab.goto(f"{report.address}#intervals=yes")
    drawn(tab)
    assert tab.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    if width > 360:
        assert tab.locator("#viewer").evaluate("(own) => own.getBoundingClientRect().width") > 0.93 * width
    tab.locator("#pick-methods summary").click()
    assert tab.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_names_do_nothing_in_a_browser(open_tab: OpenTab, make_store: Any, tmp_path: Path) -> None:
    name = """</script><script>alert(1)</script><img src=x onerror="alert(2)">'"&`"""
    store = make_store(tmp_path / "s", methods=("bicubic", name), datasets=(name.replace("/", ""),))
    write_reports(store, tmp_path, ("html",))
    tab = open_tab()
    tab.goto((tmp_path / "leaderboard.html").as_uri())
    drawn(tab)
    assert name in tab.locator("#crops b").all_inner_texts()
    assert tab.locator("img[src=x]").count() == 0
    tab.locator("#list thead").get_by_role("button", name=name).click()
    tab.wait_for_timeout(250)
    tab.reload()
    assert tab.locator("#list th[aria-sort] button").inner_text() == name
    with tab.expect_download() as download:
        tab.locator("#list-csv").click()
    assert next(csv.reader(io.StringIO(saved(download.value).decode()))) == ["image", "bicubic", name]
