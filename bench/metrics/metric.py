"""What a metric is, and how it is found by its id."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...datasets.images import as_rgb
from ..protocols import Protocol
from .similarity import Plane, luma, shave

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Pair:
    """An SR image and its HR under a protocol; what several metrics need of it is computed once."""

    sr: Pixels
    """uint8 ``[H, W]`` or ``[H, W, 3]``."""
    hr: Pixels
    """uint8 of the same height and width."""
    protocol: Protocol

    @cached_property
    def luma(self) -> tuple[Plane, Plane]:
        """Y of SR and HR in 0..255, shaved, not rounded.

        A grey SR of a colour HR is a Y plane: the classic bicubic row is computed on Y from end to end.
        """
        raw_grey = not self.protocol.grey_as_rgb and self.sr.ndim == self.hr.ndim == 2
        sr_is_luma = raw_grey or self.sr.ndim < self.hr.ndim
        return self._luma(self.sr, raw=sr_is_luma), self._luma(self.hr, raw=raw_grey)

    @cached_property
    def rgb(self) -> tuple[Pixels, Pixels]:
        """SR and HR as RGB, shaved."""
        if self.sr.ndim < self.hr.ndim:
            raise ValueError(f"protocol {self.protocol.name} restores Y alone here; RGB metrics do not apply")
        return as_rgb(shave(self.sr, self.protocol.shave)), as_rgb(shave(self.hr, self.protocol.shave))

    def _luma(self, pixels: Pixels, *, raw: bool) -> Plane:
        shaved = shave(pixels, self.protocol.shave)
        return shaved.astype(np.float64) if raw else luma(as_rgb(shaved))


@dataclass(frozen=True)
class Metric:
    """One full-reference metric."""

    id: str
    title: str
    """As tables print it."""
    unit: str
    digits: int
    """Decimals that tables print."""
    direction: Literal["higher", "lower"]
    version: str
    """Raised whenever the implementation may give another number; part of every score key."""
    measure: Callable[[Pair], float]


class MetricError(ValueError):
    """Unknown metric."""


def get_metric(id: str) -> Metric:
    """The metric of this id.

    Raises:
        MetricError: no metric has it; the message names the nearest ones.
    """
    metrics = all_metrics()
    if id not in metrics:
        nearest = difflib.get_close_matches(id.lower(), metrics, n=2, cutoff=0.4)
        hint = f"; did you mean {' or '.join(repr(name) for name in nearest)}?" if nearest else ""
        raise MetricError(f"unknown metric '{id}'{hint} (known: {', '.join(metrics)})")
    return metrics[id]


def all_metrics() -> dict[str, Metric]:
    """All metrics by id, in the order in which tables show them."""
    from .fidelity import METRICS

    return {metric.id: metric for metric in METRICS}
