"""HR itself as a method: the upper bound of metrics that measure a downstream task, such as OCR accuracy."""

from __future__ import annotations

from .interface import MethodCard

CARD = MethodCard(
    "hr", "reference", "HR itself: the ceiling of downstream tasks, shown with their metrics and with no others"
)
FLOOR = "bicubic"
"""The method that stands for LQ itself: the lower bound of the same metrics."""
