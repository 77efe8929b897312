"""What is known of a metric without its code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class MetricCard:
    """What tables, figures and comparisons need of a metric without its code."""

    id: str
    title: str
    unit: str = ""
    digits: int = 4
    direction: Literal["higher", "lower", "one", "zero", "none"] = "none"
    note: str = ""
    range: str = ""
    needs: str = "reference"
    aggregate: Literal["mean", "median"] = "mean"
    """Median: of the HF ratio of version 4 alone; every metric is averaged now."""
    combined: bool = False
    """The value of a set is no aggregate of its images' values: it takes the metric's code."""
    payload: bool = False
    bounded: bool = False
    tolerance: float = 0.0
    version: str = ""
    """Of the implementation and its weights; '': not known."""
