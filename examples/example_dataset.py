"""A dataset of your own: pairs of image files. Here they are drawn; yours will be there already."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from asasr_bench.datasets.images import write_png


def example_dataset(folder: str = "example_dataset_images") -> list[tuple[Path, None]]:
    """Pairs ``(HR, LQ)`` of files; None in place of LQ: it is made from HR. Names of files are names of images."""
    place = Path(folder).absolute()
    if not place.is_dir():
        for number in (1, 2, 3):
            write_png(place / f"grating{number}.png", _grating(period=6 * number))
    return [(file, None) for file in sorted(place.glob("*.png"))]


def _grating(period: int, side: int = 96) -> np.ndarray:
    """Waves in x and y, a little different in each channel, uint8 ``[side, side, 3]``."""
    y, x, channel = np.meshgrid(np.arange(side), np.arange(side), np.arange(3), indexing="ij")
    wave = np.sin(2 * np.pi * (x + channel) / period) * np.cos(2 * np.pi * y / (2 * period))
    return np.rint(127.5 + 110 * wave).astype(np.uint8)
