"""Memory of one 8192x8192 image from its file to its scores: LQ is made, restored (networks in tiles) and measured."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SIDE = 8192
CEILING = {"bicubic": 1.5, "compact-gan": 2.5}
"""GiB of the whole process, libraries included; `docs/architecture.md` states them."""

_RUN = """
import json, sys, time
from pathlib import Path
from asasr_bench.bench.execute.run import run
from asasr_bench.bench.spec import parse_spec
hr, store, method = sys.argv[1:]
spec = parse_spec(
    json.dumps({"name": "large", "protocol": "asasr", "datasets": [f"D={hr}"], "methods": [method], "device": "cpu",
                "metrics": ["psnr_y", "ssim_y"]}), origin="large")
start = time.perf_counter()
summary = run(spec, Path(store))
peak = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 2**20
print(json.dumps({"cells": summary.measured, "seconds": time.perf_counter() - start, "gib": peak}))
"""


@pytest.mark.benchmark
@pytest.mark.slow
@pytest.mark.parametrize("method", CEILING)
def test_memory_of_an_8k_image_stays_under_its_ceiling(method: str, tmp_path: Path) -> None:
    from skimage import data

    (tmp_path / "HR").mkdir()
    photo = np.tile(data.astronaut(), (SIDE // 512, SIDE // 512, 1))
    Image.fromarray(photo).save(tmp_path / "HR" / "large.png", compress_level=1)
    done = subprocess.run(
        [sys.executable, "-c", _RUN, str(tmp_path / "HR"), str(tmp_path / "s"), method],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    told = json.loads(done.stdout)
    print(f"\n{method}: {told['gib']:.2f} GiB, {told['seconds']:.0f} s")
    assert told["cells"] == 2
    assert told["gib"] < CEILING[method]
