"""The pages of ``leaderboard`` in a real browser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pages import IMAGES, METHODS, write_site

if TYPE_CHECKING:
    from .conftest import OpenTab


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_site(tmp_path_factory.mktemp("site"))


@pytest.mark.parametrize("width", [1280, 360])
def test_everything_on_the_page_works(site: Path, open_tab: OpenTab, width: int) -> None:
    tab = open_tab(width)
    fetched: list[str] = []
    tab.on("request", lambda request: fetched.append(request.url) if request.url.endswith(".png") else None)
    tab.goto((site / "index.html").as_uri())
    assert "best average rank: m19" in tab.locator("main").inner_text()
    tab.get_by_role("link", name="asasr", exact=True).click()
    assert tab.title() == "Pages: asasr"
    assert fetched == []  # full images wait until the gallery is in view

    ranks = tab.locator("section.ranks tbody tr")
    assert ranks.first.locator("th").inner_text() == "m19"
    tab.locator("#tables").get_by_role("button", name="PSNR-Y").click()
    texts = tab.locator("section:not(.ranks)[data-table] tbody td.number:nth-child(3)").all_inner_texts()
    values = [float(text.rstrip("≈")) for text in texts]
    assert len(values) == METHODS
    assert values == sorted(values, reverse=True)
    tab.locator("#pick-methods summary").click()
    tab.get_by_role("checkbox", name="gan").uncheck()
    assert tab.locator("section:not(.ranks) tbody tr[data-method]:visible").count() == METHODS - len(
        range(0, METHODS, 3)
    )
    tab.keyboard.press("Escape")
    tab.locator(".spectra").get_by_role("checkbox", name="m01").uncheck()
    assert tab.locator(".spectra g[data-method=m01]").is_hidden()
    assert tab.locator(".spectra g[data-method=m02] polyline").count() == 1
    assert tab.locator(".spectra g[data-method=m03]").is_hidden()  # of the family that is hidden

    tab.locator("#stage").scroll_into_view_if_needed()
    tab.wait_for_selector("#canvas[data-drawn]:not([data-drawn=''])")
    assert [tab.locator(f"#{side}").input_value() for side in ("left", "right")] == ["m17", "m19"]  # the best two shown
    assert tab.locator("#thumbnails button").count() == IMAGES
    tab.locator("#thumbnails button").nth(2).focus()
    tab.keyboard.press("Enter")
    assert tab.locator("#image").input_value() == "D asasr i002"
    size = "getComputedStyle(document.querySelector('.crop')).backgroundSize"
    assert tab.evaluate(size) == "125% 125%"  # 256 / 5 of 64 pixels
    tab.locator("#zoom").fill("8")  # right of 5: larger
    assert tab.evaluate(size) == "200% 200%"
    positions = "new Set([...document.querySelectorAll('.crop')].map((each) => each.style.backgroundPosition)).size"
    assert tab.evaluate(positions) == 1  # every version shows the same place
    assert tab.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    tab.locator("#viewer-png").click()
    assert "serve the folder" in tab.locator("#told").inner_text()  # the browser guards files on the disk
    assert len(set(fetched)) == len([number for number in range(METHODS) if number % 3]) + 2

    tab.get_by_label("Protocol").select_option("osediff-512.html")
    tab.wait_for_url("**/osediff-512.html")
    assert tab.title() == "Pages: osediff-512"


@pytest.mark.parametrize("width", [1280, 360])
def test_names_in_the_chart_never_lie_on_each_other_or_on_marks(site: Path, open_tab: OpenTab, width: int) -> None:
    tab = open_tab(width)
    tab.goto((site / "asasr.html").as_uri())
    assert tab.locator("#chart .point").count() == METHODS
    script = """(all) => all.map((each) => { const box = each.getBoundingClientRect();
                                             return [box.left, box.top, box.right, box.bottom]; })"""
    frame = tab.locator("#chart svg").bounding_box()
    assert frame
    names = np.array(tab.locator("#chart .label").evaluate_all(script))
    marks = np.array(tab.locator("#chart .mark").evaluate_all(script))
    assert len(names) == METHODS
    for number, box in enumerate(names):
        others = np.concatenate([np.delete(names, number, axis=0), marks])
        inner = box + np.array([1, 3, -1, -3])  # the letters; a line of text has room above and below
        apart = (
            (others[:, 2] <= inner[0])
            | (others[:, 0] >= inner[2])
            | (others[:, 3] <= inner[1])
            | (others[:, 1] >= inner[3])
        )
        assert apart.all()
    assert names[:, 0].min() >= frame["x"]
    assert names[:, 2].max() <= frame["x"] + frame["width"]
    point = tab.locator("#chart .point[data-method=m07]")
    point.focus()
    told = tab.get_by_role("tooltip").inner_text()
    assert told.startswith("m07: PSNR-Y ")
    assert told.count("95 % interval") == 2
    tab.locator("#up").select_option("seconds")
    assert tab.locator("#chart .point").count() == METHODS


def test_the_front_of_the_chart_is_who_nobody_beats_in_both(site: Path, open_tab: OpenTab) -> None:
    tab = open_tab()
    tab.goto((site / "asasr.html").as_uri())
    points = tab.evaluate(
        "pointsOf(data.tables[0], 'psnr_y', 'lsd').map((point) => [point.x[0], point.y[0], point.front])"
    )
    for x, y, front in points:
        beaten = any(a >= x and b <= y and (a, b) != (x, y) for a, b, _ in points)  # more dB of PSNR, less of LSD
        assert front == (not beaten)
