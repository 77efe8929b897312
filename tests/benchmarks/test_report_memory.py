"""Peak memory of reports of 20,000 images: it must not grow with images times resamples."""

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

pytestmark = [pytest.mark.benchmark, pytest.mark.slow]

IMAGES, METHODS, METRICS = 20_000, ("bicubic", "net"), ("psnr_y", "lsd")
CEILING = 1024
"""MiB of the whole process, Python and its libraries (130) included. A matrix of 10,000 resamples would take 1,500."""

_REPORT = """
import json, resource, sys, time
from pathlib import Path
start = time.perf_counter()
if sys.argv[2] == "report":
    from asasr_bench.bench.publish.leaderboards import write_reports
    write_reports(Path(sys.argv[1]), Path(sys.argv[1]) / "report", ("md", "csv", "tex", "html"))
else:
    from asasr_bench.bench.publish.leaderboards import write_leaderboards
    write_leaderboards([Path(sys.argv[1])], Path(sys.argv[1]) / "site")
peak = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
print(json.dumps({"seconds": time.perf_counter() - start, "mib": peak}))
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store whose outputs share their pixels; their values differ."""
    root = tmp_path_factory.mktemp("large") / "store"
    rng = np.random.default_rng(0)
    profile = rng.random((2, 33)).astype(np.float32)
    difficulty = rng.normal(0, 3, IMAGES)
    with open_store(root, write=True) as store:
        run = store.begin_run("2024-01-01T00:00:00+00:00", {"name": "large", "methods": list(METHODS)}, Provenance())
        lq, hr, sr = (store.objects.put(np.full((side, side, 3), 90, np.uint8)) for side in (8, 32, 33))
        for method in METHODS:
            store.add_method(method, {"family": "gan"}, "")
        for first in range(0, IMAGES, 1000):
            rows = []
            for number in range(first, first + 1000):
                for gain, method in enumerate(METHODS):
                    key = f"{method}-{number}"
                    values = 28 + gain + difficulty[number] + rng.normal(), 9 - gain + rng.normal()
                    cells = tuple(
                        CellRecord(metric, "done", f"{metric}-{key}", float(value), payload=payload)
                        for metric, value, payload in zip(METRICS, values, (None, profile), strict=True)
                    )
                    place = "asasr", 4, "D", f"{number:06}", method, 0
                    pixels = lq, hr, key, sr
                    rows.append(OutputRecord(*place, "done", "files", *pixels, 0.1, 2**20, "cpu", cells=cells))
            store.commit(rows, run)
        store.finish_run(run, "2024-01-01T01:00:00+00:00")
    return root


@pytest.mark.parametrize("what", ["report", "leaderboard"])
def test_reports_hold_values_and_no_resampled_images(root: Path, what: str) -> None:
    done = subprocess.run([sys.executable, "-c", _REPORT, str(root), what], capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    print(f"\n{what} of {IMAGES} images, 2 methods, 2 metrics: {told['mib']:.0f} MiB, {told['seconds']:.0f} s")
    assert told["mib"] < CEILING
