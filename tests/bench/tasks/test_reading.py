"""OCR scores against rapidfuzz and shapely, and the declared rules on cases that are counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
from asasr_bench.bench.tasks import reading
from asasr_bench.bench.tasks.reading import COLUMNS, Reading, score_text
from asasr_bench.datasets.truth import Text, Word
from hypothesis import given
from hypothesis import strategies as st

SQUARE = ((0.0, 0.0), (10.0, 0.0), (10.0, 4.0), (0.0, 4.0))


def _moved(x: float, y: float = 0.0) -> reading.Polygon:
    return tuple((a + x, b + y) for a, b in SQUARE)


def _counts(words: list[Word], readings: list[Reading]) -> dict[str, float]:
    return dict(zip(COLUMNS, score_text(Text(tuple(words)), readings).tolist(), strict=True))


@given(st.text(max_size=12), st.text(max_size=12))
def test_edit_distance_equals_rapidfuzz(a: str, b: str) -> None:
    levenshtein = pytest.importorskip("rapidfuzz.distance.Levenshtein")
    assert reading.edit_distance(a, b) == levenshtein.distance(a, b)
    expected = levenshtein.normalized_similarity(a, b) if a and b else 0.0
    assert reading.similarity([a] if a else [], [b] if b else []) == pytest.approx(expected)


_pixels = st.integers(-2000, 2000).map(lambda value: value / 100)
_points = st.tuples(_pixels, _pixels)


@given(st.lists(_points, min_size=3, max_size=7), st.lists(_points, min_size=3, max_size=7))
def test_shared_area_of_convex_polygons_equals_shapely(
    a: list[tuple[float, float]], b: list[tuple[float, float]]
) -> None:
    shapely = pytest.importorskip("shapely")
    one, other = (reading._hull(tuple(points)) for points in (a, b))
    if len(one) < 3 or len(other) < 3:
        return
    first, second = shapely.Polygon(one), shapely.Polygon(other)
    assert reading.area(one) == pytest.approx(first.area, abs=1e-6)
    assert reading.intersection(one, other) == pytest.approx(first.intersection(second).area, abs=1e-4)


def test_shared_area_of_a_word_with_a_bend() -> None:
    bend = ((0.0, 0.0), (4.0, 0.0), (4.0, 4.0), (3.0, 4.0), (3.0, 1.0), (0.0, 1.0))  # an L of area 7
    box = ((2.0, 0.0), (5.0, 0.0), (5.0, 3.0), (2.0, 3.0))
    assert reading.intersection(bend, box) == pytest.approx(2 * 1 + 1 * 2)
    assert reading.intersection(box, bend) == pytest.approx(4)
    assert reading.iou(bend, box) == pytest.approx(4 / (7 + 9 - 4))
    assert reading.iou(SQUARE, _moved(100)) == 0


def test_words_are_compared_without_case_and_punctuation() -> None:
    assert reading.words_of("Straße — 03/09/2009, it's ﬁne!") == ["strasse", "03092009", "its", "fine"]
    counts = _counts([Word("EXIT!"), Word("No"), Word("no")], [Reading("exit NO ways", (), 0.9)])
    assert (counts["words paired"], counts["words written"], counts["words read"]) == (2, 3, 3)
    assert counts["image right"] == 0
    assert counts["similarity of"] == 3


def test_an_image_without_text_counts_what_was_made_up() -> None:
    nothing = _counts([], [])
    assert set(nothing.values()) == {0.0}
    made_up = _counts([], [Reading("ghost", (), 0.9)])
    assert (made_up["words read"], made_up["words written"], made_up["images"]) == (1, 0, 0)
    unread = _counts([Word("a")], [])
    assert (unread["words written"], unread["image right"], unread["images"], unread["similarity of"]) == (1, 0, 1, 1)


def test_regions_pair_up_one_to_one_and_ignored_ones_forgive() -> None:
    words = [Word("a", SQUARE), Word("###", _moved(50), ignored=True), Word("b", _moved(0, 20))]
    found = [
        Reading("a", _moved(1), 0.9),
        Reading("a", _moved(2), 0.8),  # a second one on the same word
        Reading("noise", _moved(51), 0.9),  # in the ignored region
        Reading("b", _moved(6, 20), 0.9),  # IoU 4 / 16
    ]
    counts = _counts(words, found)
    assert (counts["regions paired"], counts["regions true"], counts["regions found"]) == (1, 2, 3)
    assert (counts["words paired"], counts["words written"], counts["words read"]) == (2, 2, 3)


def test_greatest_overlap_goes_first() -> None:
    assert reading.match_regions([SQUARE, _moved(2)], [_moved(2), _moved(1)]) == [(1, 0), (0, 1)]
    assert reading.match_regions([], [SQUARE]) == []


def test_similarity_finds_the_best_pairs() -> None:
    # first comes first would give abc-abd (2/3) and abd-xyz (0)
    assert reading.similarity(["abc", "abd"], ["abd", "abx"]) == pytest.approx(1 + 2 / 3)


def test_sums_of_images_are_the_counts_of_a_set(rng: np.random.Generator) -> None:
    from asasr_bench.bench.tasks.catalogue import task_metric

    metric = task_metric("ocr_f:rapidocr")
    assert metric.combine is not None
    assert metric.resample is not None
    payloads = [
        score_text(Text((Word("one"), Word("two"))), [Reading(text, (), 1.0)]) for text in ("one", "two one", "", "x")
    ]
    pairs, written, read = 3, 8, 4
    assert metric.combine(payloads) == pytest.approx(100 * 2 * pairs / (written + read))
    drawn = np.array([[1.0, 1, 1, 1], [0, 4, 0, 0], [0, 0, 0, 0]])
    values = metric.resample(payloads, drawn)
    assert values[:2] == pytest.approx([metric.combine(payloads), 100.0])
    assert np.isnan(values[2])
