"""The pages of ``leaderboard`` in a real browser."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from asasr_bench.bench.publish.leaderboards import write_leaderboards
from asasr_bench.bench.store.provenance import Provenance
from asasr_bench.bench.store.records import CellRecord, OutputRecord
from asasr_bench.bench.store.store import open_store

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

METHODS, IMAGES, SIDE = 20, 100, 64
FAMILIES = ("gan", "diffusion", "flow")
PROVENANCE = {"packages": {}, "command": "", "git": "", "python": "", "platform": "", "device": "", "cores": 2,
              "processor": ""}  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two protocols of 20 methods; one of them on 100 images."""
    root = tmp_path_factory.mktemp("site")
    rng = np.random.default_rng(0)
    with open_store(root / "store", write=True) as store:
        run = store.begin_run("2024-01-01T00:00:00+00:00", {"name": "page"}, Provenance(**PROVENANCE))
        shades = [store.objects.put(np.full((SIDE, SIDE, 3), 5 * k, np.uint8)) for k in range(METHODS + 2)]
        for method in range(METHODS):
            store.add_method(f"m{method:02}", {"family": FAMILIES[method % 3]}, "")
        for protocol, images in (("asasr", IMAGES), ("osediff-512", 3)):
            for number in range(images):
                records = []
                for method in range(METHODS):
                    key = f"{protocol}-{method}-{number}"
                    profile = rng.random((2, 33)).astype(np.float32)
                    cells = (
                        CellRecord("psnr_y", "done", f"p{key}", 20 + method / 2 + float(rng.normal())),
                        CellRecord("lsd", "done", f"l{key}", 9 - method / 4 + float(rng.normal()), payload=profile),
                    )
                    record = OutputRecord(
                        protocol, 4, "D", f"i{number:03}", f"m{method:02}", 0, "done", "files", *shades[:2], key,
                        shades[2 + method], 0.1, 1, cells=cells,
                    )  # fmt: skip
                    records.append(record)
                store.commit(records, run)
    write_leaderboards([root / "store"], root / "site", title="Pages")
    return root / "site"


@pytest.fixture(params=[1280, 390], ids=["desktop", "phone"])
def tab(site: Path, request: pytest.FixtureRequest) -> Iterator[playwright.Page]:
    """A tab; any console error or request that leaves the folder fails the test."""
    binary = next((found for name in ("chromium", "google-chrome", "chrome") if (found := shutil.which(name))), None)
    if binary is None:
        pytest.skip("no Chromium on this machine")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=binary, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": request.param, "height": 800})
        wrong: list[str] = []
        page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("requestfailed", lambda one: wrong.append(one.url))
        page.on("request", lambda one: None if one.url.startswith(("data:", site.as_uri())) else wrong.append(one.url))
        yield page
        browser.close()
        assert wrong == []


def test_everything_on_the_page_works(site: Path, tab: playwright.Page) -> None:
    fetched: list[str] = []
    tab.on("request", lambda one: fetched.append(one.url) if one.url.endswith(".png") else None)
    tab.goto((site / "index.html").as_uri())
    assert "best average rank: m19" in tab.locator("main").inner_text()
    tab.get_by_role("link", name="asasr", exact=True).click()
    assert tab.title() == "Pages: asasr"
    assert fetched == []  # full images wait until the gallery is in view

    ranks = tab.locator("section.ranks tbody tr")
    assert ranks.first.locator("th").inner_text() == "m19"
    tab.get_by_role("button", name="PSNR-Y").click()
    texts = tab.locator("section:not(.ranks) tbody td.number:nth-child(3)").all_inner_texts()
    values = [float(text.rstrip("≈")) for text in texts]
    assert len(values) == METHODS
    assert values == sorted(values, reverse=True)
    tab.get_by_role("checkbox", name="gan").uncheck()
    assert tab.locator("section:not(.ranks) tbody tr:visible").count() == METHODS - len(range(0, METHODS, 3))
    tab.locator(".spectra").get_by_role("checkbox", name="m01").uncheck()
    assert tab.locator("g[data-method=m01]").is_hidden()
    assert tab.locator("g[data-method=m02] polyline").count() == 1

    tab.locator("#stage").scroll_into_view_if_needed()
    tab.wait_for_function("document.getElementById('above').naturalWidth > 0")
    assert tab.locator("#crops figure").count() == METHODS + 2
    assert tab.locator("#thumbnails button").count() == IMAGES
    tab.locator("#thumbnails button").nth(2).focus()
    tab.keyboard.press("Enter")
    assert tab.locator("#image").input_value() == "2"
    tab.get_by_label("Left").select_option("m03")
    assert tab.locator("#above").get_attribute("alt") == "m03"
    tab.get_by_label("Slider").fill("20")
    assert "80%" in str(tab.locator("#cut").get_attribute("style"))
    before = tab.locator("#lens").get_attribute("style")
    tab.locator("#stage").focus()
    tab.keyboard.press("ArrowRight")
    assert tab.locator("#lens").get_attribute("style") != before
    size = "getComputedStyle(document.querySelector('.crop')).backgroundSize"
    assert tab.evaluate(size) == "125% 125%"  # 256 / 5 of 64 pixels
    tab.get_by_label("Zoom").fill("8")  # right of 5: larger
    assert tab.evaluate(size) == "200% 200%"
    positions = "new Set([...document.querySelectorAll('.crop')].map((each) => each.style.backgroundPosition)).size"
    assert tab.evaluate(positions) == 1  # every version shows the same place
    assert tab.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert len(set(fetched)) == METHODS + 2

    tab.get_by_label("Protocol").select_option("osediff-512.html")
    tab.wait_for_url("**/osediff-512.html")
    assert tab.title() == "Pages: osediff-512"


@pytest.mark.benchmark
def test_20_methods_and_100_images_open_within_two_seconds(site: Path, tab: playwright.Page) -> None:
    start = time.perf_counter()
    tab.goto((site / "asasr.html").as_uri())
    tab.wait_for_function("document.querySelectorAll('#thumbnails img').length == 100")
    taken = time.perf_counter() - start
    print(f"\nopened in {taken:.2f} s, {(site / 'asasr.html').stat().st_size / 2**20:.1f} MiB")
    assert taken < 2
