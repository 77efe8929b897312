"""A metric of your own: how strong differences of neighbouring pixels are, compared with HR."""

from __future__ import annotations

import numpy as np

CARD = {"id": "example_metric", "title": "Example metric", "digits": 3, "direction": "none", "needs": "reference"}


class ExampleMetric:
    """A class or a function of SR and HR, uint8 RGB ``[H, W, 3]`` under the protocol's crop."""

    card = CARD  # what tables, ranks and figures need of it
    weight_files = ()

    def __init__(self, step: int = 1) -> None:
        self._step = step

    def __call__(self, sr: np.ndarray, hr: np.ndarray) -> float:
        """1 where SR is as sharp as HR, less where it is blurred."""
        return self._strength(sr) / self._strength(hr)

    def _strength(self, image: np.ndarray) -> float:
        pixels = image.astype(np.float64)
        return float(np.abs(pixels[self._step :] - pixels[: -self._step]).mean())
