"""An engine is loaded once, looks at images together and at each of them once; a bad image costs itself alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asasr_bench.bench.metrics.measure import measure_each
from asasr_bench.bench.metrics.metric import Metric, Score
from asasr_bench.bench.metrics.metric_input import MetricInput
from asasr_bench.bench.metrics.tasks import engine, findings
from asasr_bench.bench.metrics.tasks.detection.metrics import object_metric
from asasr_bench.bench.metrics.tasks.engine import Detection, EngineEntry, Image, engine_of
from asasr_bench.bench.metrics.tasks.findings import Memory
from asasr_bench.bench.metrics.tasks.ocr.metrics import text_metric
from asasr_bench.bench.metrics.tasks.ocr.rules import Reading
from asasr_bench.bench.metrics.tasks.segmentation.metrics import label_metric
from asasr_bench.bench.protocols import get_protocol
from asasr_bench.datasets.ground_truth.kinds import Labels
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

PROTOCOL = get_protocol("osediff-512", 4)


class Counting:
    """Gives class 1 to bright pixels, keeps a record, and cannot look at black images."""

    classes = ("dark", "bright")

    def __init__(self) -> None:
        self.seen: list[int] = []

    def segment(self, images: Sequence[Image]) -> list[NDArray[np.uint8]]:
        self.seen.append(len(images))
        if any(not image.any() for image in images):
            raise RuntimeError("a black image")
        return [(image.mean(-1) > 127).astype(np.uint8) for image in images]


def _entry(name: str) -> tuple[EngineEntry, list[Counting]]:
    loaded: list[Counting] = []

    def load(device: str) -> Counting:
        loaded.append(Counting())
        return loaded[-1]

    return EngineEntry(name, name, "1", load), loaded


class CountingReader:
    """Reads the mean of an image; keeps a record."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def read(self, images: Sequence[Image], *, one_word: bool) -> list[tuple[Reading, ...]]:
        self.seen.append(len(images))
        box = ((0.0, 0.0), (9.0, 0.0), (9.0, 9.0), (0.0, 9.0))
        return [(Reading(f"word{image.mean():.0f}", box, 0.1 + float(image.mean()) / 300),) for image in images]


def _input(value: int, hr: int = 255) -> MetricInput:
    image, clean = (np.full((16, 16, 3), level, dtype=np.uint8) for level in (value, hr))
    truth = Labels(np.ones((16, 16), dtype=np.uint8), ("dark", "bright"))
    return MetricInput(image, clean, PROTOCOL, truths={"labels": truth})


def _values(metric: Metric, inputs: Sequence[MetricInput]) -> list[float]:
    scores = measure_each(metric, inputs, "cpu")
    return [score.value for score in scores if isinstance(score, Score)]


def test_loaded_once_and_asked_once_for_all_measures() -> None:
    entry, loaded = _entry("counting")
    inputs = [_input(200), _input(50), _input(255)]
    metrics = {name: label_metric(name, entry, consistency=False, id=name) for name in ("miou", "macc", "aacc")}
    values = {name: _values(metric, inputs) for name, metric in metrics.items()}
    assert values["aacc"] == [100, 0, 100]
    assert len(loaded) == 1
    assert loaded[0].seen == [3]
    (score,) = metrics["miou"].measure([inputs[1]], "cpu")
    np.testing.assert_array_equal(score.payload, [[0, 0], [256, 0]])
    assert loaded[0].seen == [3]


def test_hr_is_looked_at_once_for_all_methods() -> None:
    entry, loaded = _entry("consistent")
    metric = label_metric("aacc", entry, consistency=True, id="aacc:hr")
    assert _values(metric, [_input(200), _input(50)]) == [100, 0]
    assert _values(metric, [_input(250)]) == [100]
    assert loaded[0].seen == [1, 2, 1]  # HR, two images, one more


def test_an_image_that_an_engine_cannot_take_fails_alone() -> None:
    entry, loaded = _entry("failing")
    metric = label_metric("aacc", entry, consistency=False, id="aacc")
    results = measure_each(metric, [_input(200), _input(0), _input(255)], "cpu")
    assert [result.value for result in results if isinstance(result, Score)] == [100, 100]
    assert isinstance(results[1], RuntimeError)
    measure_each(metric, [_input(0)], "cpu")
    assert loaded[0].seen == [3, 1, 1, 1, 1]  # together, one by one, and the bad image again


@given(st.lists(st.integers(0, 5), max_size=30), st.integers(1, 4))
def test_memory_gives_what_looking_would(levels: list[int], size: int) -> None:
    """Whatever is asked in whichever order, with room for all of it or for almost nothing."""
    for limit in (1, 150, 1 << 20):
        memory = Memory(limit)
        looks: list[int] = []

        def look(images: list[Image]) -> list[tuple[int, np.ndarray]]:
            looks.extend(int(image[0, 0, 0]) for image in images)  # noqa: B023 (called before the next limit)
            return [(int(image.sum()), image[0]) for image in images]

        for start in range(0, len(levels), size):
            images = [np.full((2, 3, 3), level, np.uint8) for level in levels[start : start + size]]
            for image, (total, row) in zip(images, memory.recall("", images, look), strict=True):
                assert total == image.sum()
                np.testing.assert_array_equal(row, image[0])
        assert set(looks) == set(levels)
        if limit > 1000:
            assert len(looks) == len(set(levels))


def test_an_engine_that_segments_and_detects_does_both() -> None:
    """The toy referee is such an engine: what it saw as labels is no answer to what objects there are."""
    pytest.importorskip("pycocotools", reason="pycocotools is not installed")

    class Both(Counting):
        def detect(self, images: Sequence[Image]) -> list[tuple[Detection, ...]]:
            return [(Detection("thing", (2.0, 2.0, 8.0, 8.0), 0.9),) for _ in images]

    entry = EngineEntry("both", "both", "1", lambda device: Both())
    labels = label_metric("aacc", entry, consistency=True, id="aacc:both:hr")
    objects = object_metric("ap_box", entry, consistency=True, id="ap_box:both:hr")
    for _ in range(2):
        assert _values(labels, [_input(200)]) == [100]
        assert _values(objects, [_input(200)]) == [pytest.approx(100)]


def test_memory_tells_kinds_and_shapes_apart() -> None:
    memory = Memory()
    image = np.zeros((2, 6, 3), np.uint8)
    assert memory.recall("a", [image], lambda images: ["first"]) == ["first"]
    assert memory.recall("b", [image], lambda images: ["second"]) == ["second"]
    assert memory.recall("a", [image.reshape(6, 2, 3)], lambda images: ["third"]) == ["third"]
    assert memory.recall("a", [image], lambda images: ["fourth"]) == ["first"]


def test_an_engine_is_loaded_again_when_its_weights_change() -> None:
    state = {"digest": "a"}
    entry, loaded = _entry("changing")
    entry = replace(entry, weights=lambda: state["digest"])
    assert engine_of(entry) is engine_of(entry)
    state["digest"] = "b"
    engine_of(entry)
    assert len(loaded) == 2


def test_hr_is_looked_at_once_for_all_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A later run, or another worker, has nothing in memory and the same values; so has one without the folder."""
    readers: list[CountingReader] = []

    def load(device: str) -> CountingReader:
        readers.append(CountingReader())
        return readers[-1]

    reading = EngineEntry("reading", "reading", "1", load)
    segmenting, segmenters = _entry("segmenting")
    metrics = [
        text_metric("ocr_recall", reading, consistency=True, id="ocr_recall:hr"),
        label_metric("aacc", segmenting, consistency=True, id="aacc:hr"),
    ]
    inputs = [_input(200, hr=250), _input(50, hr=220)]
    first = [_values(metric, inputs) for metric in metrics]
    assert (readers[0].seen, segmenters[0].seen) == ([1, 1, 2], [1, 1, 2])  # HR one by one, SR together
    _forget_all()
    assert [_values(metric, inputs) for metric in metrics] == first
    assert (readers[1].seen, segmenters[1].seen) == ([2], [2])
    _forget_all()
    monkeypatch.setenv("ASASR_BENCH_HR", str(tmp_path / "another"))
    assert [_values(metric, inputs) for metric in metrics] == first
    assert (readers[2].seen, segmenters[2].seen) == ([1, 1, 2], [1, 1, 2])


@pytest.mark.parametrize(
    "change",
    [{"version": "2"}, {"weights": lambda: "others"}, {"name": "other"}, {"kept": False}],
    ids=lambda change: next(iter(change)),
)
def test_another_engine_looks_for_itself(change: dict[str, Any]) -> None:
    """Of another version, with other weights, or whose code is not known in full."""
    entry, loaded = _entry("counting")
    assert _values(label_metric("aacc", entry, consistency=True, id="x"), [_input(200)]) == [100]
    _forget_all()
    changed = replace(entry, **change)
    assert _values(label_metric("aacc", changed, consistency=True, id="x"), [_input(200)]) == [100]
    assert loaded[1].seen == [1, 1]


def _forget_all() -> None:
    engine._loaded.cache_clear()
    findings._memory.cache_clear()


@pytest.fixture(autouse=True)
def _forget() -> None:
    _forget_all()
