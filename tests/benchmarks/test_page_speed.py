"""How long a page of 20 methods and 100 images takes until tables, thumbnails and list stand, and how large it is."""

from __future__ import annotations

import os
import time
from pathlib import Path
from statistics import median

import pytest
from benchmark_results import keep
from pages import IMAGES, METHODS, chromium, write_site

pytestmark = pytest.mark.benchmark


def test_20_methods_and_100_images_open_within_two_seconds(tmp_path: Path) -> None:
    page = write_site(tmp_path) / "asasr.html"
    taken = []
    with chromium() as browser:
        for _ in range(3):
            tab = browser.new_page(viewport={"width": 1280, "height": 900})
            start = time.perf_counter()
            tab.goto(page.as_uri())
            counts = [tab.locator(f"#{part}").count() for part in ("thumbnails img", "list tbody tr", "chart .point")]
            taken.append(time.perf_counter() - start)
            assert counts == [IMAGES, IMAGES, METHODS]
            memory = tab.evaluate("performance.memory.usedJSHeapSize") / 2**20
            tab.close()
    keep("page_20_methods_100_images", open_seconds=median(taken), page_mib=page.stat().st_size / 2**20,
         heap_mib=float(memory), load=os.getloadavg()[0])  # fmt: skip
    assert median(taken) < 2
