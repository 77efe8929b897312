"""OCR scores against plain algorithms, MMOCR's rule, and the declared rules on cases that are counted by hand."""

from __future__ import annotations

import re

import numpy as np
import pytest
from asasr_bench.bench.metrics.tasks.ocr import rules as reading
from asasr_bench.bench.metrics.tasks.ocr.rules import COLUMNS, Reading, score_text
from asasr_bench.datasets.ground_truth.kinds import Text, Word
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

SQUARE = ((0.0, 0.0), (10.0, 0.0), (10.0, 4.0), (0.0, 4.0))


def _moved(x: float, y: float = 0.0) -> reading.Polygon:
    return tuple((a + x, b + y) for a, b in SQUARE)


def _counts(words: list[Word], readings: list[Reading]) -> dict[str, float]:
    return dict(zip(COLUMNS, score_text(Text(tuple(words)), readings).tolist(), strict=True))


def _distance(a: str, b: str) -> int:
    """Levenshtein's recurrence, plainly."""
    table = np.zeros((len(a) + 1, len(b) + 1), dtype=int)
    table[:, 0], table[0] = np.arange(len(a) + 1), np.arange(len(b) + 1)
    for i, j in np.ndindex(len(a), len(b)):
        table[i + 1, j + 1] = min(table[i, j + 1] + 1, table[i + 1, j] + 1, table[i, j] + (a[i] != b[j]))
    return int(table[-1, -1])


@given(st.text("abß日", max_size=12), st.text("abß日", max_size=12))
def test_similarity_is_that_of_levenshteins_distance(a: str, b: str) -> None:
    expected = 1 - _distance(a, b) / max(len(a), len(b)) if a and b else 0.0
    assert reading.similarity([a] if a else [], [b] if b else []) == pytest.approx(expected)


def _combs(lengths: tuple[list[int], list[int]]) -> reading.Polygon:
    """A polygon of horizontal bars one pixel high; bar k goes from ``-left[k]`` to ``right[k]``."""
    left, right = lengths
    down = [(float(x), float(y)) for k, x in enumerate(right) for y in (k, k + 1)]
    up = [(-float(x), float(y)) for k, x in reversed(list(enumerate(left))) for y in (k + 1, k)]
    return (*down, *up)


def _pixels(polygon: reading.Polygon, offset: int) -> NDArray[np.bool_]:
    """Pixel centres inside of a polygon, by the parity of the sides that a ray crosses."""
    x, y = np.arange(-30, 60)[None] + 0.5, np.arange(-30, 60)[:, None] + 0.5
    inside = np.zeros((90, 90), dtype=bool)
    points = [(a + offset, b + offset) for a, b in polygon]
    for (x0, y0), (x1, y1) in zip(points, [*points[1:], *points[:1]], strict=True):
        if y0 != y1:
            inside ^= ((y0 > y) != (y1 > y)) & (x < (x1 - x0) * (y - y0) / (y1 - y0) + x0)
    return inside


_bars = st.lists(st.integers(1, 12), min_size=8, max_size=8)


@given(st.tuples(_bars, _bars), st.tuples(_bars, _bars), st.integers(-3, 3))
def test_overlap_of_any_two_regions_is_that_of_their_pixels(
    first: tuple[list[int], list[int]], second: tuple[list[int], list[int]], offset: int
) -> None:
    moved = tuple((x + offset, y + offset) for x, y in _combs(second))
    a, b = _pixels(_combs(first), 0), _pixels(_combs(second), offset)
    expected = (a & b).sum() / (a | b).sum()
    assert reading.ious([_combs(first)], [moved])[0, 0] == pytest.approx(expected)
    assert reading.ious([moved[::-1]], [_combs(first)])[0, 0] == pytest.approx(expected)


def test_regions_that_are_not_convex_do_not_overlap_by_their_hulls() -> None:
    """Three squares are shared by an area of 23 and one of 14; a clip by the convex hull gives 7.7."""
    comb = ((0.0, 0.0), (10.0, 0.0), (10.0, 1.0), (1.0, 1.0), (1.0, 4.0), (10.0, 4.0), (10.0, 5.0), (0.0, 5.0))
    other = ((10.0, 0.0), (9.0, 0.0), (9.0, 2.0), (0.0, 2.0), (0.0, 3.0), (9.0, 3.0), (9.0, 5.0), (10.0, 5.0))
    assert reading.ious([comb], [other])[0, 0] == pytest.approx(3 / 34)


def test_a_region_whose_sides_cross_is_what_they_enclose() -> None:
    bow_tie = ((0.0, 0.0), (10.0, 10.0), (10.0, 0.0), (0.0, 10.0))  # two triangles of area 25
    square = ((0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (0.0, 10.0))
    line = ((0.0, 0.0), (5.0, 5.0), (9.0, 9.0))
    np.testing.assert_allclose(
        reading.ious([bow_tie, line], [bow_tie, square, line]), [[1, 0.5, 0], [0, 0, 0]], atol=1e-12
    )
    assert reading.match_regions([bow_tie], [bow_tie]) == [(0, 0)]
    counts = _counts([Word("###", bow_tie, ignored=True)], [Reading("x", ((0, 1), (4, 5), (0, 9)), 0.9)])
    assert counts["words read"] == 0


def test_words_are_compared_without_case_and_punctuation() -> None:
    assert reading.words_of("Straße — 03/09/2009, it's ﬁne!") == ["strasse", "03092009", "its", "fine"]
    counts = _counts([Word("EXIT!"), Word("No"), Word("no")], [Reading("exit NO ways", (), 0.9)])
    assert (counts["words paired"], counts["words written"], counts["words read"]) == (2, 3, 3)
    assert counts["image right"] == 0
    assert counts["similarity of"] == 3


@pytest.mark.parametrize(("written", "read"), [("हिन्दी", "हिनदी"), ("कि", "कु"), ("שָׁלוֹם", "שלום"), ("กำ", "กา")])
def test_marks_that_carry_meaning_are_compared(written: str, read: str) -> None:
    """Vowel signs and the virama are marks (Unicode's category M), not letters."""
    assert reading.words_of(written) != reading.words_of(read)
    assert _counts([Word(written)], [Reading(read, (), 0.9)])["image right"] == 0
    assert _counts([Word(written)], [Reading(f"«{written}»!", (), 0.9)])["image right"] == 1
    assert reading.words_of("e\u0301t\u00e9") == ["\u00e9t\u00e9"]


def _mmocr(written: str, read: str) -> float:
    """1-NED of one crop as MMOCR's OneMinusNEDMetric defines it: other signs go, then the whole text counts."""
    kept = [re.sub("[^A-Za-z0-9\u4e00-\u9fa5]", "", text.lower()) for text in (written, read)]
    return 1 - _distance(*kept) / max(map(len, kept))


@given(
    st.text("aAbB1 -.日", min_size=1, max_size=9).filter(lambda text: any(map(str.isalnum, text))),
    st.lists(st.text("aAbB1 -.日", max_size=9), max_size=2),
)
def test_crops_of_words_follow_mmocr(written: str, readings: list[str]) -> None:
    counts = _counts([Word(written)], [Reading(text, (), 0.1) for text in readings])
    assert counts["similarity of"] == 1
    assert counts["similarity"] == pytest.approx(_mmocr(written, "".join(readings)))


def test_a_crop_is_not_split_at_white_space() -> None:
    counts = _counts([Word("SHAKESHACK")], [Reading("SELLL SHACK", (), 0.9)])
    assert (counts["similarity"], counts["similarity of"]) == (pytest.approx(0.6), 1)
    assert (counts["words written"], counts["words read"]) == (1, 1)
    scene = _counts([Word("SHAKE SHACK", SQUARE)], [Reading("SELLL SHACK", SQUARE, 0.9)])
    assert (scene["words paired"], scene["words written"], scene["words read"]) == (1, 2, 2)


def test_an_image_without_text_counts_what_was_made_up() -> None:
    nothing = _counts([], [])
    assert set(nothing.values()) == {0.0}
    made_up = _counts([], [Reading("ghost", (), 0.9)])
    assert (made_up["words read"], made_up["words written"], made_up["images"]) == (1, 0, 0)
    unread = _counts([Word("a")], [])
    assert (unread["words written"], unread["image right"], unread["images"], unread["similarity of"]) == (1, 0, 1, 1)


def test_regions_pair_up_one_to_one_and_ignored_ones_forgive() -> None:
    words = [Word("a", SQUARE), Word("###", _moved(50), ignored=True), Word("b", _moved(0, 20))]
    result = [
        Reading("a", _moved(1), 0.9),
        Reading("a", _moved(2), 0.8),  # a second one on the same word
        Reading("noise", _moved(51), 0.9),  # in the ignored region
        Reading("b", _moved(6, 20), 0.9),  # IoU 4 / 16
    ]
    counts = _counts(words, result)
    assert (counts["regions paired"], counts["regions true"], counts["regions found"]) == (1, 2, 3)
    assert (counts["words paired"], counts["words written"], counts["words read"]) == (2, 2, 3)


def test_greatest_overlap_goes_first() -> None:
    assert reading.match_regions([SQUARE, _moved(2)], [_moved(2), _moved(1)]) == [(1, 0), (0, 1)]
    assert reading.match_regions([], [SQUARE]) == []


def test_similarity_finds_the_best_pairs() -> None:
    # first comes first would give abc-abd (2/3) and abd-xyz (0)
    assert reading.similarity(["abc", "abd"], ["abd", "abx"]) == pytest.approx(1 + 2 / 3)


def test_sums_of_images_are_the_counts_of_a_set(rng: np.random.Generator) -> None:
    from asasr_bench.bench.metrics.registry import get_metric

    metric = get_metric("ocr_f:rapidocr")
    assert metric.of_set is not None
    assert metric.of_set.resample is not None
    payloads = [
        score_text(Text((Word("one"), Word("two"))), [Reading(text, (), 1.0)]) for text in ("one", "two one", "", "x")
    ]
    pairs, written, read = 3, 8, 4
    assert metric.of_set.combine(payloads) == pytest.approx(100 * 2 * pairs / (written + read))
    drawn = np.array([[1.0, 1, 1, 1], [0, 4, 0, 0], [0, 0, 0, 0]])
    values = metric.of_set.resample(payloads, drawn)
    assert values[:2] == pytest.approx([metric.of_set.combine(payloads), 100.0])
    assert np.isnan(values[2])
