"""HR itself as a method: the ceiling of every metric that asks what a restored image is good for."""

from __future__ import annotations

from .interface import MethodCard

CARD = MethodCard(
    "hr", "reference", "HR itself: the ceiling of downstream tasks, shown with their metrics and with no others"
)
FLOOR = "bicubic"
"""The method that shows what LQ is worth."""
