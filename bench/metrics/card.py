"""The card of a metric: everything that tables need to know of it, without its code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Direction = Literal["higher", "lower", "one", "zero", "none"]
"""Which values are better: higher, lower, or those nearest to 0; ``none``: the metric only describes an image.

``one`` occurs only in stores of version 4 and has no direction either.
"""


@dataclass(frozen=True)
class MetricCard:
    """Description of a metric for tables, figures and comparisons; stores keep it, so they can be read without code."""

    id: str
    title: str
    """Name in tables."""
    unit: str = ""
    digits: int = 4
    """Decimals that tables print."""
    direction: Direction = "none"
    note: str = ""
    """Note for readers of its values."""
    range: str = ""
    """Lowest and highest value as its library states them; ``~`` means about, or unbounded."""
    needs: str = "reference"
    """What SR is compared with: ``reference`` (HR), ``lq``, ``pair`` (HR and LQ), ``nothing`` (SR alone), or ground
    truth: ``text``, ``instances``, ``labels``."""
    aggregate: Literal["mean", "median"] = "mean"
    """Median: of the HF ratio of version 4 alone; every metric is averaged now."""
    combined: bool = False
    """Whether the value of a set is not an average of its images' values, so that it needs the metric's code."""
    payload: bool = False
    """Whether arrays are stored with its values, for the value of a set or for figures."""
    bounded: bool = False
    """Whether tables also show it for HR itself and for bicubic, which are the upper and lower bound of methods."""
    tolerance: float = 0.0
    """Largest relative difference of its value between batch sizes, numbers of threads and devices."""
    version: str = ""
    """Version, to be raised when the implementation may give another value; part of every score key. In a store, the
    digests of the weights follow it. '': not known."""

    def compared(self, values: Floats) -> Floats:
        """The values that are averaged and compared: absolute values if 0 is the best value, else the values.

        Absolute values are taken before every mean, also over seeds; otherwise two opposite errors would give a perfect
        mean. So if 0 is the best value, the value of a set is a mean of absolute values, and lower is better.
        """
        return np.abs(values) if self.direction == "zero" else values

    def losses(self, values: Floats) -> Floats:
        """The compared values with the sign by which lower is always better; 0 for a metric without a direction."""
        if self.direction in ("none", "one"):
            return np.zeros_like(values)
        return -values if self.direction == "higher" else self.compared(values)
