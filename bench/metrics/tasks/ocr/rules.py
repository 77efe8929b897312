"""What was read against what is written: the declared rules of OCR scores, as pure functions.

Rules of version 2:

- Text is compared as NFKC, case-folded, with letters, numbers and their combining marks only (Unicode's categories L, N
  and M); words without any do not count.
- A line of text is split at white space into words, but not where the image is the crop of a word.
- Where the truth has regions, readings of which more than half lies in an ignored region are dropped.
- ``words``: truth and readings as two bags of words of the whole image; equal words pair up.
- ``detection``: regions pair up one to one, greatest IoU first, at an IoU above 0.5 (ICDAR 2015, task 4.1).
- ``similarity``: words pair up so that the sum of ``1 - distance / longer length`` is greatest; over the number of
  words of the side that has more (1-NED). Distance: Levenshtein. For crops of words this is MMOCR's OneMinusNEDMetric,
  but that it drops letters beyond a-z and Chinese, and keeps the sign ``^``.

Needs shapely and rapidfuzz, of the extra ``ocr``.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .....datasets.ground_truth.kinds import Text

RULES = "2"
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
    "words paired",
    "words written",
    "words read",
    "regions paired",
    "regions true",
    "regions found",
    "similarity",
    "similarity of",
    "image right",
    "images",
)
"""What ``score_text`` counts in one image; a set's counts are their sums."""


def is_word_crop(truth: Text) -> bool:
    """Whether the whole image is one word: it is read as such, and neither searched nor split."""
    return len(truth.words) == 1 and not truth.words[0].polygon


def score_text(truth: Text, readings: Sequence[Reading]) -> NDArray[np.float64]:
    """Counts of one image ``[10]``, in the order of ``COLUMNS``."""
    ignored = [word.polygon for word in truth.words if word.ignored and word.polygon]
    counted_readings = [reading for reading in readings if not _mostly_in(reading.polygon, ignored)]
    true_words = [word for word in truth.words if not word.ignored]
    written = [text for word in true_words for text in words_of(word.text)]
    read = [text for reading in counted_readings for text in words_of(reading.text)]
    if is_word_crop(truth):
        written, read = (["".join(words)] if words else [] for words in (written, read))
    paired = sum((Counter(written) & Counter(read)).values())
    regions = [word.polygon for word in true_words if word.polygon]
    read_regions = [reading.polygon for reading in counted_readings if reading.polygon] if regions or ignored else []
    similar = similarity(written, read)
    right = "".join(written) == "".join(read)
    matched = len(match_regions(regions, read_regions))
    counts = (
        paired,
        len(written),
        len(read),
        matched,
        len(regions),
        len(read_regions),
        similar,
        max(len(written), len(read)),
        right and bool(written),
        bool(written),
    )
    return np.asarray(counts, dtype=np.float64)


def words_of(text: str) -> list[str]:
    """Words in the form in which they are compared."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    words = ("".join(sign for sign in word if unicodedata.category(sign)[0] in "LMN") for word in folded.split())
    return [word for word in words if word]


def similarity(written: Sequence[str], read: Sequence[str]) -> float:
    """Greatest sum of ``1 - distance / longer length`` over one-to-one pairs of words."""
    if not written or not read:
        return 0.0
    from rapidfuzz.distance.Levenshtein import normalized_similarity
    from scipy.optimize import linear_sum_assignment

    table = np.array([[normalized_similarity(a, b) for b in read] for a in written])
    rows, columns = linear_sum_assignment(table, maximize=True)
    return float(table[rows, columns].sum())


def match_regions(truth: Sequence[Polygon], read_regions: Sequence[Polygon]) -> list[tuple[int, int]]:
    """Pairs (truth, found) of regions with IoU above 0.5, one to one, greatest first."""
    if not truth or not read_regions:
        return []
    overlaps = ious(truth, read_regions)
    candidates = sorted((-overlaps[i, j], i, j) for i, j in np.argwhere(overlaps > _IOU).tolist())
    pairs: list[tuple[int, int]] = []
    for _, i, j in candidates:
        if all(i != row and j != column for row, column in pairs):
            pairs.append((i, j))
    return pairs


def ious(first: Sequence[Polygon], second: Sequence[Polygon]) -> NDArray[np.float64]:
    """Intersection over union of areas ``[first, second]``; 0 where both are empty."""
    import shapely

    rows, columns = _shapes(first)[:, None], _shapes(second)[None]
    shared: NDArray[np.float64] = shapely.area(shapely.intersection(rows, columns))
    union = shapely.area(rows) + shapely.area(columns) - shared
    overlap: NDArray[np.float64] = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return overlap


def _shapes(polygons: Sequence[Polygon]) -> NDArray[Any]:
    """Polygons as shapely's; of those whose sides cross, what they enclose an odd number of times."""
    import shapely

    shapes = [shapely.Polygon(polygon if len(polygon) > 2 else ()) for polygon in polygons]
    parts = [shapely.get_parts(shape if shape.is_valid else shapely.make_valid(shape)) for shape in shapes]
    # What lies on a line encloses nothing, and collections with lines do not intersect.
    return np.array([shapely.union_all(part[shapely.area(part) > 0]) for part in parts], dtype=object)


def _mostly_in(polygon: Polygon, regions: Sequence[Polygon]) -> bool:
    import shapely

    if not polygon or not regions:
        return False
    (shape,) = _shapes([polygon])
    shared = shapely.area(shapely.intersection(shape, _shapes(regions)))
    return bool(shape.area > 0 and shared.max() > _IGNORED_SHARE * shape.area)
