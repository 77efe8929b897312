"""Insert and report at 100,000 cells."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from asasr_bench.bench.publish.leaderboards import write_reports
from asasr_bench.bench.store.provenance import Provenance
from asasr_bench.bench.store.records import CellRecord, OutputRecord
from asasr_bench.bench.store.store import open_store

pytestmark = pytest.mark.benchmark

METHODS, IMAGES, METRICS, BATCH = 50, 1000, ("psnr_y", "ssim_y"), 50


def test_store_at_100_000_cells(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    provenance = {"packages": {}, "command": "", "git": "", "python": "", "platform": "", "device": "", "cores": 2,
                  "processor": ""}  # fmt: skip
    outputs = [
        OutputRecord(
            protocol="asasr", scale=4, dataset="D", image=f"{image:04}", method=f"m{method:02}", seed=0, status="done",
            lq_rule="files", restoration=f"{method}-{image}", sr=f"{method}-{image}", seconds=0.1, memory=1,
            cells=tuple(CellRecord(m, "done", f"{m}-{method}-{image}", float(rng.normal(25))) for m in METRICS),
        )
        for method in range(METHODS)
        for image in range(IMAGES)
    ]  # fmt: skip
    with open_store(tmp_path, write=True) as store:
        run = store.begin_run("2020-01-01T00:00:00Z", {"name": "benchmark"}, Provenance(**provenance))
        for method in range(METHODS):
            store.add_method(f"m{method:02}", {"family": "external"}, "")
        start = time.perf_counter()
        for first in range(0, len(outputs), BATCH):
            store.commit(outputs[first : first + BATCH], run)
        inserted = time.perf_counter() - start
        start = time.perf_counter()
        assert len(store.scores()) == METHODS * IMAGES * len(METRICS)
        read = time.perf_counter() - start
    start = time.perf_counter()
    write_reports(tmp_path, tmp_path / "report", ("md", "csv", "tex"))
    reported = time.perf_counter() - start
    cells = METHODS * IMAGES * len(METRICS)
    print(f"\n{cells} cells: inserted in {inserted:.2f} s ({cells / inserted:.0f}/s, {BATCH} outputs a transaction),"
          f" read as a frame in {read:.2f} s, reported as md, csv and tex in {reported:.2f} s")  # fmt: skip
