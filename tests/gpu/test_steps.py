"""The script for a GPU is proved where there is none, at tiny sizes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(HERE / "run.py"), "--out", str(folder), "--tiny", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=600)


def test_steps_write_their_numbers(tmp_path: Path) -> None:
    done = run(tmp_path, "--steps", "metrics,flux,training")
    assert done.returncode == 1, done.stdout + done.stderr  # the training was given no photos
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert {name: step["outcome"] for name, step in summary["steps"].items()} == {
        "metrics": "done", "flux": "done", "training": "not run: it needs --data",
    }  # fmt: skip
    metrics, flux = (summary["steps"][name]["numbers"] for name in ("metrics", "flux"))
    assert metrics["lpips_alex"]["one by one"] > 0
    assert flux["preference step at 64, two losers, batch 2"]["seconds"] > 0
    assert len(list(tmp_path.iterdir())) <= 8
    assert "## metrics: done" in (tmp_path / "summary.md").read_text()


def test_a_step_that_takes_too_long_costs_itself_alone(tmp_path: Path) -> None:
    """Five seconds are too few for any step, and none are left for the next."""
    done = run(tmp_path, "--steps", "flux,metrics", "--budget", "5.2")
    assert done.returncode == 1
    outcomes = [step["outcome"] for step in json.loads((tmp_path / "summary.json").read_text())["steps"].values()]
    assert outcomes == ["stopped at its limit of 5 s", "no time was left"]
