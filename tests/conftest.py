"""What all tests share: where the real images are, and small random ones."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from numpy.typing import NDArray

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
