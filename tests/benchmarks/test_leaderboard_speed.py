"""Leaderboard tables of a million scores."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from asasr_bench.bench.store.provenance import Provenance
from asasr_bench.bench.store.records import CellRecord, OutputRecord
from asasr_bench.bench.store.store import open_store
from benchmark_results import keep

pytestmark = pytest.mark.benchmark

DATASETS, METHODS, IMAGES, METRICS = 10, 20, 1000, ("psnr_y", "ssim_y", "lsd", "lsd_2d", "hs_residual")
COUNT = DATASETS * METHODS * IMAGES * len(METRICS)
SECONDS = 45
"""Of a core that has neighbours, most that the tables of all of them may take."""
PEAK = 2.0
"""GiB of the whole process."""

SCRIPT = """
import json, resource, sys, time
from pathlib import Path
from asasr_bench.bench.publish.leaderboards import write_leaderboards
write_leaderboards([Path(sys.argv[1])], Path(sys.argv[2]), ("md", "csv", "tex"))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
print(json.dumps([time.process_time(), peak]))
"""


def test_a_million_scores(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    with open_store(tmp_path / "store", write=True) as store:
        run = store.begin_run("2020-01-01T00:00:00Z", {"name": "benchmark"}, Provenance())
        for method in range(METHODS):
            store.add_method(f"m{method:02}", {"family": "external"}, "")
        for dataset in range(DATASETS):
            values = rng.normal(25, 3, (1, IMAGES)) + rng.normal(0, 1, (METHODS, IMAGES))
            for method in range(METHODS):
                store.commit((output(dataset, method, image, float(values[method, image])) for image in range(IMAGES)),
                             run)  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "store"), str(tmp_path / "out")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    seconds, peak = json.loads(done.stdout.splitlines()[-1])
    lines = (tmp_path / "out" / "asasr.csv").read_text().splitlines()
    assert len(lines) == 1 + DATASETS * METHODS * len(METRICS)
    keep("leaderboard_million_scores", scores=COUNT, core_seconds=seconds, peak_gib=peak)
    assert seconds < SECONDS
    assert peak < PEAK


def output(dataset: int, method: int, image: int, value: float) -> OutputRecord:
    """A finished output whose metrics have one value."""
    key = f"{dataset:02}-{method:02}-{image:058}"
    return OutputRecord(
        "asasr", 4, f"D{dataset}", f"{image:04}", f"m{method:02}", 0, "done", "files", "lq", "hr", f"r{key}", f"s{key}",
        0.1, 1, "cpu", cells=tuple(CellRecord(metric, "done", f"{metric}-{key}", value) for metric in METRICS),
    )  # fmt: skip
