"""Leaderboard tables of a million scores."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from asasr_bench.bench.store.provenance import Provenance
from asasr_bench.bench.store.store import open_store

pytestmark = pytest.mark.benchmark

DATASETS, METHODS, IMAGES, METRICS = 10, 20, 1000, ("psnr_y", "ssim_y", "lsd", "lsd_2d", "hs_residual")

SCRIPT = """
import json, resource, sys, time
from pathlib import Path
begin, cpu = time.perf_counter(), time.process_time()
from asasr_bench.bench.publish.leaderboards import write_leaderboards
write_leaderboards([Path(sys.argv[1])], Path(sys.argv[2]), ("md", "csv", "tex"))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
print(json.dumps([time.perf_counter() - begin, time.process_time() - cpu, peak]))
"""


def test_a_million_scores(tmp_path: Path) -> None:
    provenance = {"packages": {}, "command": "", "git": "", "python": "", "platform": "", "device": "", "cores": 2,
                  "processor": ""}  # fmt: skip
    with open_store(tmp_path / "store", write=True) as store:
        run = store.begin_run("2020-01-01T00:00:00Z", {"name": "benchmark"}, Provenance(**provenance))
        for method in range(METHODS):
            store.add_method(f"m{method:02}", {"family": "external"}, "")
    rng = np.random.default_rng(0)
    places = [(d, m, i) for d in range(DATASETS) for m in range(METHODS) for i in range(IMAGES)]
    values = rng.normal(25, 3, (DATASETS, 1, IMAGES)) + rng.normal(0, 1, (DATASETS, METHODS, IMAGES))
    with sqlite3.connect(tmp_path / "store" / "store.sqlite") as database:
        database.executemany(
            "INSERT INTO outputs VALUES (?, 'asasr', 4, ?, ?, ?, 0, 'files', 'lq', 'hr', ?, 'done', '')",
            ((n, f"D{d}", f"{i:04}", f"m{m:02}", f"r{n}") for n, (d, m, i) in enumerate(places, start=1)),
        )
        database.executemany(
            "INSERT INTO restorations VALUES (?, ?, 0.1, 1, 'cpu', ?)",
            ((f"r{n}", f"s{n}", run) for n in range(1, len(places) + 1)),
        )
        for metric in METRICS:
            keys = [f"{metric}-{n:064}" for n in range(1, len(places) + 1)]
            database.executemany(
                "INSERT INTO scores VALUES (?, ?, ?)",
                ((key, float(values[place]), run) for key, place in zip(keys, places, strict=True)),
            )
            database.executemany(
                "INSERT INTO cells VALUES (?, ?, ?, 'done', '')",
                ((n, metric, key) for n, key in enumerate(keys, start=1)),
            )
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "store"), str(tmp_path / "out")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    seconds, cpu, peak = json.loads(done.stdout.splitlines()[-1])
    count = len(places) * len(METRICS)
    print(f"\n{count:,} scores: tables in {seconds:.1f} s ({cpu:.1f} s of one core), peak {peak:.2f} GiB")
    assert cpu < 15  # wall time on a machine that does nothing else
    assert peak < 2
