"""What all tests share: where the real images are, small random ones, and the command line as a user runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from numpy.typing import NDArray

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # no test downloads, and none waits for a hub that is not there

Command = Callable[..., subprocess.CompletedProcess[str]]

# Continuous integration repeats the same examples; at a desk hypothesis searches on. No test is timed.
settings.register_profile("desk", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "desk")


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder with real images and golden records; tests that need it are skipped where it is absent."""
    folder = os.environ.get("ASASR_BENCH_SHARED", "")
    if not folder or not Path(folder, "data").is_dir():
        pytest.skip("ASASR_BENCH_SHARED does not name a folder with the real images")
    return Path(folder).resolve()


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers that are the same in every run."""
    return np.random.default_rng(20240917)


@pytest.fixture
def photo() -> NDArray[np.uint8]:
    """A real photo, 256x256 RGB."""
    from skimage import data

    return np.ascontiguousarray(data.astronaut()[:256, 128:384])


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """Run ``asasr-bench`` with these arguments in a folder of its own and check its exit status."""

    def run(*arguments: object, status: int = 0) -> subprocess.CompletedProcess[str]:
        result = subprocess.run(
            [sys.executable, "-m", "asasr_bench.bench.cli.main", *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            timeout=300,
        )
        assert result.returncode == status, f"status {result.returncode}\n{result.stdout}\n{result.stderr}"
        return result

    return run
