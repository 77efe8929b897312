"""The page of ``report`` in a real browser; its images are in it, so that what is drawn can be read and checked."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from asasr_bench.bench.publish.leaderboards import write_reports
from asasr_bench.bench.store.store import open_store
from numpy.typing import NDArray
from pages import canvas, corner, drawn, state

if TYPE_CHECKING:
    from playwright.sync_api import Download, Page

    from .conftest import OpenTab

METHODS = ("bicubic", "nearest", "lanczos")
SIDE = 128


PINCH = """() => {
  const stage = document.getElementById("stage"), box = stage.getBoundingClientRect();
  stage.setPointerCapture = () => {};
  const send = (kind, pointerId, x) => stage.dispatchEvent(new PointerEvent(kind, {
    pointerId, pointerType: "touch", bubbles: true, clientX: box.left + x, clientY: box.top + 150 }));
  send("pointerdown", 1, 150);
  send("pointerdown", 2, 190);
  for (let step = 1; step <= 8; step += 1) {
    send("pointermove", 1, 150 - 10 * step);
    send("pointermove", 2, 190 + 10 * step);
  }
  send("pointerup", 1, 70);
  send("pointerup", 2, 270);
}"""


@dataclass(frozen=True)
class Report:
    """A page, and the store that it was made of."""

    address: str
    store: Path

    def pixels(self, image: str, method: str) -> NDArray[np.uint8]:
        """Of a method, or of HR."""
        with open_store(self.store) as store:
            outputs = store.outputs()
            own = METHODS[0] if method == "HR" else method
            row = outputs[(outputs["image"] == image) & (outputs["method"] == own)].iloc[0]
            return store.objects.get(str(row["reference" if method == "HR" else "sr"]))

    def values(self, metric: str) -> pd.DataFrame:
        """Images by methods."""
        with open_store(self.store) as store:
            scores = store.scores()
        return scores[scores["metric"] == metric].pivot(index="image", columns="method", values="value")


@pytest.fixture(scope="module")
def report(make_store: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Report:
    root = tmp_path_factory.mktemp("page")
    store = make_store(root / "s", methods=METHODS, images=4, size=SIDE, metrics=("psnr_y", "lsd", "hf_ratio"))
    (path,) = write_reports(store, root, ("html",))
    return Report(path.as_uri(), store)


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
    assert column(tab, 1) == sorted(METHODS)
    table.get_by_role("button", name="Time").click()
    seconds = [float(text) for text in table.locator("td.cost").evaluate_all(
        "(cells) => cells.map((cell) => cell.dataset.value)")]  # fmt: skip
    assert len(seconds) == len(set(column(tab, 1))) * table.locator("th.cost").count()


def test_the_viewer_draws_the_pixels_of_both_sides(report: Report, open_tab: OpenTab) -> None:
    tab = open_tab()
    tab.goto(f"{report.address}#image=D asasr image2&left=nearest&right=HR&zoom=1&divide=50")
    drawn(tab)
    left, top = corner(tab)
    shown, cut = canvas(tab, left, top, SIDE, SIDE), round(tab.evaluate("viewer.size.width") / 2) - left
    np.testing.assert_array_equal(shown[:, : cut - 1], report.pixels("image2", "nearest")[:, : cut - 1])
    np.testing.assert_array_equal(shown[:, cut + 1 :], report.pixels("image2", "HR")[:, cut + 1 :])
    tab.locator("#left").select_option("lanczos")
    tab.locator("#image").select_option(label="D: image1")
    tab.keyboard.press("Escape")
    tab.locator("#stage").press("b")
    assert state(tab)["divide"] == 0
    tab.locator("#stage").press("b")
    drawn(tab)
    np.testing.assert_array_equal(canvas(tab, left, top, SIDE, SIDE), report.pixels("image1", "lanczos"))


def test_differences_and_error_maps_are_those_of_the_pixels(report: Report, open_tab: OpenTab) -> None:
    one, hr = (report.pixels("image0", name).astype(int) for name in ("bicubic", "HR"))
    other = report.pixels("image0", "nearest").astype(int)
    tab = open_tab()
    for layer, expected in (("difference", abs(one - hr) * 4), ("between", abs(one - other) * 4)):
        tab.goto(
            f"{report.address}#layer={layer}&gain=4&left=bicubic&right=nearest&zoom=1&divide=100&image=D asasr image0"
        )
        tab.reload()
        drawn(tab)
        left, top = corner(tab)
        np.testing.assert_array_equal(canvas(tab, left, top, SIDE, SIDE), np.minimum(expected, 255))
    tab.locator("#layer").select_option("error")
    drawn(tab)
    grey = np.clip(abs(one - hr) @ [0.3, 0.59, 0.11] * 4, 0, 255)
    hot = np.stack([np.clip(3 * grey - less, 0, 255) for less in (0, 255, 510)], axis=-1)
    found = canvas(tab, left, top, SIDE, SIDE).astype(float)
    assert np.abs(found - hot).max() <= 3 * 4 + 1  # a rounded grey times gain and slope
    tab.locator("#right").select_option("HR")
    tab.locator("#stage").press("b")
    drawn(tab)
    assert canvas(tab, left, top, SIDE, SIDE).max() == 0  # HR differs from itself nowhere


def test_the_divider_is_dragged_on_the_image(report: Report, open_tab: OpenTab) -> None:
    tab = open_tab()
    tab.goto(report.address)
    drawn(tab)
    box = tab.locator("#stage").bounding_box()
    assert box
    for target in (0.25, 0.8):  # by its knob, then from anywhere while the whole image is shown
        start = 0.5 if target == 0.25 else 0.6
        tab.mouse.move(box["x"] + start * box["width"], box["y"] + 0.4 * box["height"])
        tab.mouse.down()
        tab.mouse.move(box["x"] + target * box["width"], box["y"] + 0.5 * box["height"], steps=4)
        tab.mouse.up()
        assert state(tab)["divide"] == pytest.approx(100 * target, abs=0.5)
    tab.locator("#handle").focus()
    tab.keyboard.press("ArrowLeft")
    assert state(tab)["divide"] == pytest.approx(78, abs=0.5)
    tab.locator('#handle[aria-valuenow="78"]').wait_for(state="attached")  # a frame later
    assert tab.get_by_role("slider", name="Divider").count() == 1


def under_pointer(tab: Page, x: float, y: float) -> list[float]:
    """The share of the image at a place of the stage."""
    view = "viewOf(panes()[0], picture(), state, ratio())"
    return list(tab.evaluate(f"shareAt({view}, picture(), {x}, {y})"))


def test_the_wheel_zooms_about_the_pointer_and_a_drag_pans(report: Report, open_tab: OpenTab) -> None:
    tab = open_tab()
    tab.goto(f"{report.address}#divide=90")
    drawn(tab)
    tab.wait_for_timeout(350)  # a page that has just been scrolled goes on scrolling
    box = tab.locator("#stage").bounding_box()
    assert box
    x, y = 0.4 * box["width"], 0.55 * box["height"]
    before = under_pointer(tab, x, y)
    tab.mouse.move(box["x"] + 1 + x, box["y"] + 1 + y)
    for _ in range(4):
        tab.mouse.wheel(0, -300)
    drawn(tab)
    assert state(tab)["zoom"] > 0
    assert under_pointer(tab, x, y) == pytest.approx(before, abs=0.005)
    zoom, crops = state(tab)["zoom"], "document.querySelector('.crop').style.backgroundPosition"
    place = tab.evaluate(crops)
    tab.mouse.down()
    tab.mouse.move(box["x"] + 1 + x + 60, box["y"] + 1 + y - 30, steps=5)
    tab.mouse.up()
    drawn(tab)
    assert under_pointer(tab, x + 60, y - 30) == pytest.approx(before, abs=0.01)
    assert state(tab)["zoom"] == zoom
    assert tab.evaluate(crops) == place  # the same place lies under the pointer
    tab.mouse.dblclick(box["x"] + 200, box["y"] + 200)
    assert state(tab)["zoom"] == 0
    page = tab.evaluate("scrollY")
    tab.mouse.wheel(0, 200)  # nothing is left to shrink: the page scrolls
    tab.wait_for_timeout(400)
    assert tab.evaluate("scrollY") > page


def test_two_fingers_zoom_and_one_scrolls_the_page(report: Report, open_tab: OpenTab) -> None:
    tab = open_tab(390, 800, has_touch=True)
    tab.goto(report.address)
    drawn(tab)
    assert tab.locator("#stage").evaluate("(stage) => stage.style.touchAction") == "pan-y"
    tab.evaluate(PINCH)
    drawn(tab)
    fit = tab.evaluate("fitScale(panes()[0], picture()) * ratio()")
    assert state(tab)["zoom"] == pytest.approx(5 * fit, rel=0.05)  # from 40 pixels apart to 200
    assert tab.locator("#stage").evaluate("(stage) => stage.style.touchAction") == "none"


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


def test_keys_are_told_and_work(report: Report, open_tab: OpenTab) -> None:
    tab = open_tab()
    tab.goto(report.address)
    tab.keyboard.press("?")
    assert tab.get_by_role("dialog").is_visible()
    keys = tab.locator("#help kbd").all_inner_texts()
    tab.keyboard.press("Escape")
    stage = tab.locator("#stage")
    stage.focus()
    drawn(tab)
    for key, name, value in (
        ("n", "image", "D asasr image1"), ("p", "image", "D asasr image0"), ("d", "layer", "difference"),
        ("g", "gain", 8), ("2", "side", True), ("1", "zoom", 1), ("0", "zoom", 0),
    ):  # fmt: skip
        stage.press(key)
        assert state(tab)[name] == value, key
        assert any(key.upper() in told.split() for told in keys), key
    right = tab.locator("#right").input_value()
    stage.press("j")
    assert tab.locator("#right").input_value() != right
    stage.press("k")
    assert tab.locator("#right").input_value() == right
    stage.press("f")
    assert tab.locator("#viewer.whole").is_visible()
    assert tab.locator("#controls").is_visible()
    stage.press("f")
    assert tab.locator("#viewer.whole").count() == 0


def test_spectra_of_the_image_stand_beside_it(report: Report, open_tab: OpenTab) -> None:
    tab = open_tab()
    tab.goto(f"{report.address}#left=bicubic&right=nearest")
    assert sorted(
        tab.locator("#image-spectra g").evaluate_all("(all) => all.map((each) => each.dataset.method)")
    ) == sorted(METHODS)
    content = json.loads(tab.locator("#data").text_content() or "")
    first = content["pictures"][0]
    assert first["image"] == "image0"
    assert len(first["spectra"]["bicubic"]) == len(content["frequencies"]) == 40
    with open_store(report.store) as store:
        profiles = {place.method: pair for place, pair in store.payloads("lsd", ["image0"])}
    for method, (sr, hr) in profiles.items():
        assert first["spectra"][method][-1] == pytest.approx(10 * np.log10(sr[-1] / hr[-1]), abs=0.06)


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
