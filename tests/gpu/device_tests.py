"""Tests of the suite on the GPU: those of this folder, and those of the rooms whose ``auto`` device it becomes."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree

from measuring import Results, arguments

ROOT = Path(__file__).parents[2]
HERE = ["tests/gpu/test_on_device.py"]
ROOMS = [
    "tests/asasr/test_flow.py", "tests/asasr/test_flux.py", "tests/asasr/test_sampling.py",
    "tests/asasr/test_spectral.py", "tests/bench/execute/test_restoring.py", "tests/bench/execute/test_run.py",
    "tests/bench/metrics/test_deep_features.py", "tests/bench/metrics/test_measuring.py", "tests/methods/test_asasr.py",
    "tests/methods/test_tiling.py",
]  # fmt: skip


def main() -> int:
    options = arguments()
    results = Results(options.out, options.seconds)
    here = outcomes(HERE, 4)
    results.add("tests of devices", here)
    if options.tiny:
        return int(here["failed"] > 0)
    rooms = outcomes(ROOMS, 8)
    results.add("tests of rooms that use the device", rooms)
    return int(here["failed"] + rooms["failed"] > 0)


def outcomes(files: list[str], workers: int) -> dict[str, object]:
    """How many passed, failed and were skipped, and the names of those that failed, with what they said."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-v",
            "--tb=short",
            "-m",
            "not slow and not benchmark",
            "-p",
            "no:cacheprovider",
        ]
        command += ["-n", str(workers)] if find_spec("xdist") else []
        subprocess.run(
            [*command, f"--junitxml={report}", *files], cwd=ROOT
        )  # a step that is stopped keeps what it says
        if not report.exists():
            return {"passed": 0, "failed": 1, "skipped": 0, "failures": "pytest wrote no report"}
        cases = list(ElementTree.parse(report).iter("testcase"))
    wrong = {
        f"{case.get('classname')}.{case.get('name')}": str(one.get("message"))[:300]
        for case in cases for one in case if one.tag in ("failure", "error")
    }  # fmt: skip
    skipped = sum(one.tag == "skipped" for case in cases for one in case)
    return {
        "passed": len(cases) - len(wrong) - skipped, "failed": len(wrong), "skipped": skipped, "failures": wrong,
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
