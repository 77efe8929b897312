"""A real browser for the pages of reports, and a page with its store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from asasr_bench.bench.publish.leaderboards import write_reports
from asasr_bench.bench.store.store import open_store
from numpy.typing import NDArray

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

OpenTab = Callable[..., "Page"]


@pytest.fixture
def open_tab(browser: Browser) -> Iterator[OpenTab]:
    """Open tabs of a width; a console message, a failed request or one that leaves the disk fails the test."""
    wrong: list[str] = []
    contexts = []

    def tab(width: int = 1280, height: int = 900, **options: Any) -> Page:
        context = browser.new_context(viewport={"width": width, "height": height}, reduced_motion="reduce", **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("requestfailed", lambda request: wrong.append(request.url))
        page.on("dialog", lambda dialog: (wrong.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: wrong.append(request.url) if request.url.startswith("http") else None)
        return page

    yield tab
    for context in contexts:
        context.close()
    assert wrong == []


@dataclass(frozen=True)
class Report:
    """A page, and the store that it was made of."""

    address: str
    store: Path
    methods: tuple[str, ...] = ("bicubic", "nearest", "lanczos")
    side: int = 128
    """Of each image, in pixels."""

    def pixels(self, image: str, method: str) -> NDArray[np.uint8]:
        """Of a method, or of HR."""
        with open_store(self.store) as store:
            outputs = store.outputs()
            own = self.methods[0] if method == "HR" else method
            row = outputs[(outputs["image"] == image) & (outputs["method"] == own)].iloc[0]
            return store.objects.get(str(row["reference" if method == "HR" else "sr"]))

    def values(self, metric: str) -> pd.DataFrame:
        """Images by methods."""
        with open_store(self.store) as store:
            scores = store.scores()
        return scores[scores["metric"] == metric].pivot(index="image", columns="method", values="value")


@pytest.fixture(scope="session")
def report(make_store: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Report:
    root = tmp_path_factory.mktemp("page")
    store = make_store(
        root / "s", methods=Report.methods, images=4, size=Report.side, metrics=("psnr_y", "lsd", "hf_ratio")
    )
    (path,) = write_reports(store, root, ("html",))
    return Report(path.as_uri(), store)
