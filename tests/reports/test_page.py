"""The page in a real browser."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from asasr_bench.bench import evaluate
from asasr_bench.bench.publish.leaderboards import write_reports
from asasr_bench.datasets.images import write_png
from numpy.typing import NDArray

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from skimage import data

    photo: NDArray[np.uint8] = data.astronaut()
    root = tmp_path_factory.mktemp("page")
    for number in range(3):
        write_png(root / "hr" / f"image{number}.png", np.ascontiguousarray(photo[60 * number :][:128, 128:256]))
    evaluate(
        "classic-x4", root / "s", methods=["bicubic", "nearest", "lanczos"], datasets=[f"D={root / 'hr'}"],
        metrics=["psnr_y", "ssim_y"],
    )  # fmt: skip
    (path,) = write_reports(root / "s", root, ("html",))
    return path


@pytest.fixture
def page(page_file: Path) -> Iterator[playwright.Page]:
    """The page at phone width; any console error or request of another address fails the test."""
    binary = next((found for name in ("chromium", "google-chrome", "chrome") if (found := shutil.which(name))), None)
    if binary is None:
        pytest.skip("no Chromium on this machine")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=binary, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": 390, "height": 800})
        errors: list[str] = []
        tab.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        tab.on("pageerror", lambda error: errors.append(str(error)))
        tab.on("request", lambda request: errors.append(request.url) if request.url.startswith("http") else None)
        tab.goto(page_file.as_uri())
        yield tab
        browser.close()
        assert errors == []


def column(page: playwright.Page, index: int) -> list[str]:
    texts = page.locator(f"section:not(.ranks) tbody tr > :nth-child({index})").all_inner_texts()
    return [text.rstrip("≈") for text in texts]  # three images are too few to tell methods apart


def test_a_heading_sorts_best_first_and_again_the_other_way(page: playwright.Page) -> None:
    page.get_by_role("button", name="PSNR-Y").click()
    values = [float(text) for text in column(page, 3)]
    assert values == sorted(values, reverse=True)
    page.get_by_role("button", name="PSNR-Y").press("Enter")
    assert [float(text) for text in column(page, 3)] == sorted(values)
    page.locator("section:not(.ranks)").get_by_role("button", name="Method").click()
    assert column(page, 1) == ["bicubic", "lanczos", "nearest"]


def test_the_gallery_shows_and_compares(page: playwright.Page) -> None:
    assert page.locator("#crops figure").count() == 5  # LQ, three methods, HR
    page.get_by_label("Left").select_option("nearest")
    page.get_by_label("Image").select_option(label="D: image2")
    assert page.locator("#above").get_attribute("alt") == "nearest"
    assert page.locator("#below").get_attribute("alt") == "HR"
    page.get_by_label("Slider").fill("20")
    assert "80%" in str(page.locator("#cut").get_attribute("style"))
    assert page.evaluate("document.getElementById('above').naturalWidth") == 128


def test_nothing_but_tables_scrolls_sideways_on_a_phone(page: playwright.Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
