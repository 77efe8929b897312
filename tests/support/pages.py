"""Pages of leaderboards for tests in a real browser, and the browser."""

from __future__ import annotations

import base64
import io
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from asasr_bench.bench.publish.leaderboards import write_leaderboards
from asasr_bench.bench.store.provenance import Provenance
from asasr_bench.bench.store.records import CellRecord, OutputRecord
from asasr_bench.bench.store.store import open_store
from numpy.typing import NDArray
from PIL import Image

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

METHODS, IMAGES, SIDE = 20, 100, 64
FAMILIES = ("gan", "diffusion", "flow")
PROVENANCE = {"packages": {}, "command": "", "git": "", "python": "", "platform": "", "device": "", "cores": 2,
              "processor": ""}  # fmt: skip


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser without a window; the test is skipped where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    binary = next((path for name in ("chromium", "google-chrome", "chrome") if (path := shutil.which(name))), None)
    if binary is None:
        pytest.skip("no Chromium on this machine")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=binary, args=["--no-sandbox"])
        yield browser
        browser.close()


def write_site(root: Path) -> Path:
    """Pages of two protocols of 20 methods; one of them on 100 images."""
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


def drawn(tab: Page) -> None:
    """Wait until the viewer has drawn what is chosen: no frame is asked for, and no image is on its way."""
    tab.locator("#stage").scroll_into_view_if_needed()
    for _ in range(400):
        if tab.evaluate("!viewer.frame && Boolean(document.getElementById('canvas').dataset.drawn)"):
            return
        tab.wait_for_timeout(25)
    raise AssertionError("the viewer draws nothing")


def canvas(tab: Page, x: int, y: int, width: int, height: int) -> NDArray[np.uint8]:
    """Pixels of the viewer, ``[height, width, 3]``."""
    address = tab.evaluate("document.getElementById('canvas').toDataURL()")
    whole = np.asarray(Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))).convert("RGB"))
    return whole[y : y + height, x : x + width]


def corner(tab: Page) -> list[int]:
    """Where the image begins on the canvas."""
    return list(tab.evaluate("(({ left, top }) => [left, top])(viewOf(panes()[0], picture(), state, ratio()))"))


def state(tab: Page) -> dict[str, Any]:
    return dict(tab.evaluate("({...state})"))
