"""Fetch weight files into the folder that ``ASASR_BENCH_TEST_WEIGHTS`` names, for tests with real networks."""

from __future__ import annotations

import os
import sys
from pathlib import Path

if __name__ == "__main__":
    os.environ["ASASR_BENCH_WEIGHTS"] = os.environ["ASASR_BENCH_TEST_WEIGHTS"]
    Path(os.environ["ASASR_BENCH_WEIGHTS"]).mkdir(parents=True, exist_ok=True)
    from asasr_bench.methods.weights.files import fetch, weight_file

    for id in sys.argv[1:]:
        print(id, fetch(weight_file(id)), flush=True)
