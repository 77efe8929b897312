"""Which images are trained on and which are kept for validation; known before torch is loaded."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from ...datasets.dataset import image_files, listed
from ..errors import TrainingError


def split_files(folders: Sequence[Path], held_out: int) -> tuple[list[Path], list[Path]]:
    """Training and validation images: the ``held_out`` whose names have the least digest are for validation.

    Raises:
        TrainingError: too few images.
    """
    files = [path for folder in folders for path in image_files(folder).values()]
    files.sort(key=lambda path: stem_order(path.stem))
    require_enough(folders, len(files), held_out)
    return files[held_out:], files[:held_out]


def stem_order(stem: str) -> bytes:
    """The first in this order are held out."""
    return hashlib.sha256(stem.encode()).digest()


def require_enough(folders: Sequence[Path], count: int, held_out: int) -> None:
    """Check that images are left to train on.

    Raises:
        TrainingError: too few.
    """
    if count <= held_out:
        raise TrainingError(
            f"{listed([str(folder) for folder in folders])}: {count} images are too few, {held_out + 1} are needed"
            f" at least: data.held_out keeps {held_out} of them for validation. Add images, or set data.held_out lower"
        )
