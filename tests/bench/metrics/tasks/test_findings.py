"""An engine is loaded once, looks at images together and at each of them once; a bad image costs itself alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from asasr_bench.bench.metrics.measure import measure_each
from asasr_bench.bench.metrics.metric import Pair
from asasr_bench.bench.metrics.tasks import engine, findings
from asasr_bench.bench.metrics.tasks.engine import EngineEntry, Image, engine_of
from asasr_bench.bench.metrics.tasks.segmentation.metrics import label_metric
from asasr_bench.bench.protocols import get_protocol
from asasr_bench.datasets.ground_truth.kinds import Labels
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
    made: list[Counting] = []

    def load(device: str) -> Counting:
        made.append(Counting())
        return made[-1]

    return EngineEntry(name, name, "1", load), made


def _pair(value: int, hr: int = 255) -> Pair:
    image, clean = (np.full((16, 16, 3), level, dtype=np.uint8) for level in (value, hr))
    truth = Labels(np.ones((16, 16), dtype=np.uint8), ("dark", "bright"))
    return Pair(image, clean, PROTOCOL, truths={"labels": truth})


def test_loaded_once_and_asked_once_for_all_measures() -> None:
    entry, made = _entry("counting")
    pairs = [_pair(200), _pair(50), _pair(255)]
    values = {
        name: measure_each(label_metric(name, entry, consistency=False, id=name), pairs, "cpu")
        for name in ("miou", "macc", "aacc")
    }
    assert values["aacc"] == [100, 0, 100]
    assert len(made) == 1
    assert made[0].seen == [3]
    metric = label_metric("miou", entry, consistency=False, id="miou")
    assert metric.payload is not None
    np.testing.assert_array_equal(metric.payload(pairs[1]), [[0, 0], [256, 0]])
    assert made[0].seen == [3]


def test_hr_is_looked_at_once_for_all_methods() -> None:
    entry, made = _entry("consistent")
    metric = label_metric("aacc", entry, consistency=True, id="aacc:hr")
    assert measure_each(metric, [_pair(200), _pair(50)], "cpu") == [100, 0]
    assert measure_each(metric, [_pair(250)], "cpu") == [100]
    assert made[0].seen == [1, 2, 1]  # HR, two images, one more


def test_an_image_that_an_engine_cannot_take_fails_alone() -> None:
    entry, _ = _entry("failing")
    metric = label_metric("aacc", entry, consistency=False, id="aacc")
    results = measure_each(metric, [_pair(200), _pair(0), _pair(255)], "cpu")
    assert results[0] == results[2] == 100
    assert isinstance(results[1], RuntimeError)


def test_an_engine_is_loaded_again_when_its_weights_change() -> None:
    state = {"digest": "a"}
    entry, made = _entry("changing")
    entry = replace(entry, weights=lambda: state["digest"])
    assert engine_of(entry) is engine_of(entry)
    state["digest"] = "b"
    engine_of(entry)
    assert len(made) == 2


@pytest.fixture(autouse=True)
def _forget() -> None:
    engine._loaded.cache_clear()
    findings._in_hr.clear()
