"""What tests of training share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def hq(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of five photos to learn from."""
    from tiny_training import write_photos

    return write_photos(tmp_path_factory.mktemp("hq"), 5)
