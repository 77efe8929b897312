"""What was read against what is written: the declared rules of OCR scores, as pure functions.

Rules of version 1:

- Text is compared as NFKC, case-folded, letters and digits only; words without any do not count.
- An engine's line is split at white space into words.
- Where the truth has regions, readings of which at least half lies in ignored regions are dropped.
- ``words``: truth and readings as two bags of words of the whole image; equal words pair up.
- ``detection``: regions pair up one to one, greatest IoU first, at an IoU above 0.5 (ICDAR 2015, task 4.1).
- ``similarity``: words pair up so that the sum of ``1 - distance / longer length`` is greatest; over the number of
  words of the side that has more (1-NED). Distance: Levenshtein.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...datasets.truth import Text

RULES = "1"
Polygon = tuple[tuple[float, float], ...]
_IOU = 0.5
_IGNORED_SHARE = 0.5


@dataclass(frozen=True)
class Reading:
    """A piece of text that an engine found."""

    text: str
    polygon: Polygon
    """Corners (x, y) in pixels; empty: the whole image was read as one piece."""
    confidence: float


COLUMNS = (
    "words paired", "words written", "words read", "regions paired", "regions true", "regions found", "similarity",
    "similarity of", "image right", "images",
)  # fmt: skip
"""What ``score_text`` counts in one image; a set's counts are their sums."""


def score_text(truth: Text, readings: Sequence[Reading]) -> NDArray[np.float64]:
    """Counts of one image ``[10]``, in the order of ``COLUMNS``."""
    ignored = [word.polygon for word in truth.words if word.ignored and word.polygon]
    kept = [one for one in readings if not _mostly_in(one.polygon, ignored)]
    wanted = [word for word in truth.words if not word.ignored]
    written = [text for word in wanted for text in words_of(word.text)]
    read = [text for one in kept for text in words_of(one.text)]
    paired = sum((Counter(written) & Counter(read)).values())
    regions = [word.polygon for word in wanted if word.polygon]
    found = [one.polygon for one in kept if one.polygon] if regions or ignored else []
    similar = similarity(written, read)
    right = "".join(written) == "".join(read)
    counts = (paired, len(written), len(read), len(match_regions(regions, found)), len(regions), len(found),
              similar, max(len(written), len(read)), right and bool(written), bool(written))  # fmt: skip
    return np.asarray(counts, dtype=np.float64)


def words_of(text: str) -> list[str]:
    """Words in the form in which they are compared."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    words = ("".join(sign for sign in word if sign.isalnum()) for word in folded.split())
    return [word for word in words if word]


def edit_distance(a: str, b: str) -> int:
    """Levenshtein's: least number of signs to insert, delete or replace."""
    if len(a) < len(b):
        a, b = b, a
    row = list(range(len(b) + 1))
    for i, sign in enumerate(a, start=1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(b, start=1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (sign != other))
    return row[-1]


def similarity(written: Sequence[str], read: Sequence[str]) -> float:
    """Greatest sum of ``1 - distance / longer length`` over one-to-one pairs of words."""
    if not written or not read:
        return 0.0
    from scipy.optimize import linear_sum_assignment

    table = np.array([[1 - edit_distance(a, b) / max(len(a), len(b)) for b in read] for a in written])
    rows, columns = linear_sum_assignment(table, maximize=True)
    return float(table[rows, columns].sum())


def match_regions(truth: Sequence[Polygon], found: Sequence[Polygon]) -> list[tuple[int, int]]:
    """Pairs (truth, found) of regions with IoU above 0.5, one to one, greatest first."""
    table = [(iou(a, b), i, j) for i, a in enumerate(truth) for j, b in enumerate(found)]
    pairs: list[tuple[int, int]] = []
    for overlap, i, j in sorted(table, key=lambda row: (-row[0], row[1], row[2])):
        if overlap > _IOU and all(i != one and j != other for one, other in pairs):
            pairs.append((i, j))
    return pairs


def iou(a: Polygon, b: Polygon) -> float:
    """Intersection over union of the areas of two polygons; 0 where both are empty."""
    shared = intersection(a, b)
    union = area(a) + area(b) - shared
    return shared / union if union > 0 else 0.0


def area(polygon: Sequence[tuple[float, float]]) -> float:
    """Area of a simple polygon, whatever its direction."""
    following = [*polygon[1:], *polygon[:1]]
    return abs(sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in zip(polygon, following, strict=True))) / 2


def intersection(a: Polygon, b: Polygon) -> float:
    """Shared area (Sutherland and Hodgman, 1974); one of the two must be convex, or ``b``'s convex hull counts."""
    clip, subject = (a, b) if _is_convex(a) and not _is_convex(b) else (b, a)
    corners = clip if _is_convex(clip) else _hull(clip)
    if len(corners) < 3 or len(subject) < 3:
        return 0.0
    if _turn(corners) < 0:
        corners = corners[::-1]
    inside: list[tuple[float, float]] = list(subject)
    for start, end in zip(corners, [*corners[1:], *corners[:1]], strict=True):
        inside = _clipped(inside, start, end)
        if not inside:
            return 0.0
    return area(inside)


def _clipped(
    polygon: list[tuple[float, float]], start: tuple[float, float], end: tuple[float, float]
) -> list[tuple[float, float]]:
    """The part of a polygon on the left of a line."""

    def side(point: tuple[float, float]) -> float:
        return (end[0] - start[0]) * (point[1] - start[1]) - (end[1] - start[1]) * (point[0] - start[0])

    kept: list[tuple[float, float]] = []
    for point, after in zip(polygon, [*polygon[1:], *polygon[:1]], strict=True):
        here, there = side(point), side(after)
        if here >= 0:
            kept.append(point)
        if here > 0 > there or here < 0 < there:  # their product may underflow
            share = here / (here - there)
            kept.append((point[0] + share * (after[0] - point[0]), point[1] + share * (after[1] - point[1])))
    return kept


def _turn(polygon: Sequence[tuple[float, float]]) -> float:
    following = [*polygon[1:], *polygon[:1]]
    return sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in zip(polygon, following, strict=True))


def _is_convex(polygon: Polygon) -> bool:
    size = len(polygon)
    turns = [_turn((polygon[k], polygon[(k + 1) % size], polygon[(k + 2) % size])) for k in range(size)]
    if not (all(turn >= 0 for turn in turns) or all(turn <= 0 for turn in turns)):
        return False
    if size < 5:
        return True
    return abs(area(polygon) - area(_hull(polygon))) <= 1e-9 * max(1.0, area(polygon))  # a pentagram turns one way too


def _hull(polygon: Polygon) -> Polygon:
    """Convex hull (Andrew, 1979)."""
    points = sorted(set(polygon))
    if len(points) < 3:
        return tuple(points)

    def half(ordered: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
        chain: list[tuple[float, float]] = []
        for point in ordered:
            while len(chain) > 1 and _turn((chain[-2], chain[-1], point)) <= 0:
                chain.pop()
            chain.append(point)
        return chain[:-1]

    return (*half(points), *half(points[::-1]))


def _mostly_in(polygon: Polygon, regions: Sequence[Polygon]) -> bool:
    size = area(polygon) if polygon else 0.0
    return size > 0 and any(intersection(polygon, region) / size > _IGNORED_SHARE for region in regions)
