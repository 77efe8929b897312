"""What is known of a metric without its code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Direction = Literal["higher", "lower", "one", "zero", "none"]
"""Which values are better: the greater, the smaller, those near 0; or a description that ranks nobody.

``one`` stands in stores of version 4 alone and ranks nobody.
"""


@dataclass(frozen=True)
class MetricCard:
    """What tables, figures and comparisons need of a metric; a store keeps it, so that it can be read without code."""

    id: str
    title: str
    """As tables print it."""
    unit: str = ""
    digits: int = 4
    """Decimals that tables print."""
    direction: Direction = "none"
    note: str = ""
    """What a reader of its values must know."""
    range: str = ""
    """Lowest and highest value as its library states them; ``~`` means about, or unbounded."""
    needs: str = "reference"
    """What it compares SR with: ``reference`` (HR), ``lq``, ``pair`` (both of them), ``nothing`` (SR alone), or ground
    truth: ``text``, ``instances``, ``labels``."""
    aggregate: Literal["mean", "median"] = "mean"
    """Median: of the HF ratio of version 4 alone; every metric is averaged now."""
    combined: bool = False
    """The value of a set is no aggregate of its images' values: it takes the metric's code."""
    payload: bool = False
    """Arrays are stored beside its values, for the value of a set or for figures."""
    bounded: bool = False
    """Tables show it for HR itself and for bicubic as well: between them lies what a method can win."""
    tolerance: float = 0.0
    """Relative difference that batch size, threads and device may make to its value."""
    version: str = ""
    """Raised whenever the implementation may give another number; part of every score key. In a store the digests of
    the weights follow it. '': not known."""

    def compared(self, values: Floats) -> Floats:
        """What sets, tests and ranks take of the values of outputs: their size where 0 is best, else themselves.

        It comes before every mean, over seeds too: otherwise two opposite errors would make a perfect value. So the
        value of a set is the mean of what is compared, and the smaller is better where 0 is best.
        """
        return np.abs(values) if self.direction == "zero" else values

    def losses(self, values: Floats) -> Floats:
        """The same with the sign by which smaller is better, whatever the direction; 0 where it ranks nobody."""
        if self.direction in ("none", "one"):
            return np.zeros_like(values)
        return -values if self.direction == "higher" else self.compared(values)
