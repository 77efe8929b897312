"""The viewer of ``report``'s page in a real browser: what it draws is read and checked, pixel by pixel."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from asasr_bench.bench.store.store import open_store
from pages import canvas, corner, drawn, state

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from .conftest import OpenTab, Report

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


def test_the_viewer_draws_the_pixels_of_both_sides(report: Report, open_tab: OpenTab) -> None:
    tab = open_tab()
    tab.goto(f"{report.address}#image=D asasr image2&left=nearest&right=HR&zoom=1&divide=50")
    drawn(tab)
    left, top = corner(tab)
    shown, cut = canvas(tab, left, top, report.side, report.side), round(tab.evaluate("viewer.size.width") / 2) - left
    np.testing.assert_array_equal(shown[:, : cut - 1], report.pixels("image2", "nearest")[:, : cut - 1])
    np.testing.assert_array_equal(shown[:, cut + 1 :], report.pixels("image2", "HR")[:, cut + 1 :])
    tab.locator("#left").select_option("lanczos")
    tab.locator("#image").select_option(label="D: image1")
    tab.keyboard.press("Escape")
    tab.locator("#stage").press("b")
    assert state(tab)["divide"] == 0
    tab.locator("#stage").press("b")
    drawn(tab)
    np.testing.assert_array_equal(canvas(tab, left, top, report.side, report.side), report.pixels("image1", "lanczos"))


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
        np.testing.assert_array_equal(canvas(tab, left, top, report.side, report.side), np.minimum(expected, 255))
    tab.locator("#layer").select_option("error")
    drawn(tab)
    grey = np.clip(abs(one - hr) @ [0.3, 0.59, 0.11] * 4, 0, 255)
    hot = np.stack([np.clip(3 * grey - less, 0, 255) for less in (0, 255, 510)], axis=-1)
    found = canvas(tab, left, top, report.side, report.side).astype(float)
    assert np.abs(found - hot).max() <= 3 * 4 + 1  # a rounded grey times gain and slope
    tab.locator("#right").select_option("HR")
    tab.locator("#stage").press("b")
    drawn(tab)
    assert canvas(tab, left, top, report.side, report.side).max() == 0  # HR differs from itself nowhere


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
    ) == sorted(report.methods)
    content = json.loads(tab.locator("#data").text_content() or "")
    first = content["pictures"][0]
    assert first["image"] == "image0"
    assert len(first["spectra"]["bicubic"]) == len(content["frequencies"]) == 40
    with open_store(report.store) as store:
        profiles = {place.method: pair for place, pair in store.payloads("lsd", ["image0"])}
    for method, (sr, hr) in profiles.items():
        assert first["spectra"][method][-1] == pytest.approx(10 * np.log10(sr[-1] / hr[-1]), abs=0.06)
