"""Measuring several images together: values do not depend on it, and one bad image costs itself alone."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import random_weights
from asasr_bench import evaluate
from asasr_bench.bench.metrics.card import MetricCard
from asasr_bench.bench.metrics.deep_features import METRICS
from asasr_bench.bench.metrics.measure import GPU_BATCH, ahead, grouped, images_together, measure_each
from asasr_bench.bench.metrics.metric import Metric, Score, SetMetric, per_image
from asasr_bench.bench.metrics.metric_input import MetricInput
from asasr_bench.bench.metrics.requirements import Library
from asasr_bench.bench.protocols import get_protocol
from asasr_bench.datasets.images import write_png

PROTOCOL = get_protocol("osediff-512", 4)
CARD = MetricCard("brightest", "Brightest", version="1")


def image(shape: tuple[int, int], level: int = 0) -> MetricInput:
    return MetricInput(np.full((*shape, 3), level, np.uint8), np.zeros((*shape, 3), np.uint8), PROTOCOL)


def brightest(inputs: Sequence[MetricInput], device: str) -> list[Score]:
    return [Score(float(each.sr.max())) for each in inputs]


def values(metric: Metric, inputs: Sequence[MetricInput], device: str = "cpu") -> list[float | str]:
    """Values, and the messages of errors."""
    results = measure_each(metric, inputs, device)
    return [str(result) if isinstance(result, Exception) else result.value for result in results]


def test_images_of_one_size_go_together_and_results_come_in_order() -> None:
    calls: list[tuple[int, str]] = []

    def measure(inputs: Sequence[MetricInput], device: str) -> list[Score]:
        assert len({each.sr.shape for each in inputs}) == 1
        calls.append((len(inputs), device))
        return brightest(inputs, device)

    inputs = [image((8, 8), 1), image((8, 9), 2), image((8, 8), 3), image((8, 9), 4), image((9, 8), 5)]
    assert values(Metric(CARD, measure, batched=True), inputs, "cuda:1") == [1, 2, 3, 4, 5]
    assert sorted(calls) == [(1, "cuda:1"), (2, "cuda:1"), (2, "cuda:1")]
    calls.clear()
    assert values(Metric(CARD, measure), inputs, "cuda:1") == [1, 2, 3, 4, 5]
    assert calls == [(1, "cpu")] * 5


@pytest.mark.parametrize("batched", [True, False])
def test_a_bad_image_costs_itself_alone(batched: bool) -> None:
    def measure(inputs: Sequence[MetricInput], device: str) -> list[Score]:
        if any(each.sr.max() == 2 for each in inputs):
            raise ValueError("cannot measure this")
        return [Score(np.nan) if each.sr.max() == 3 else Score(float(each.sr.max())) for each in inputs]

    inputs = [image((8, 8), level) for level in (1, 2, 3, 4)]
    undefined = "the metric is not defined for this image (NaN)"
    assert values(Metric(CARD, measure, batched=batched), inputs) == [1, "cannot measure this", undefined, 4]
    of_set = SetMetric(lambda payloads: 0.0)
    result = values(Metric(CARD, measure, of_set, batched=batched), inputs)[2]
    assert isinstance(result, float)
    assert np.isnan(result)


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (lambda inputs: [0.5 for _ in inputs], "a metric gives Score(value, payload), payload an array or None, and"),
        (lambda inputs: [Score(0.5, "text")], "a metric gives Score(value, payload), payload an array or None, and"),
        (lambda inputs: [], "the metric gave 0 scores for 1 images"),
    ],
)
def test_what_is_no_score_is_told(scores: Callable[[Sequence[MetricInput]], list[Any]], message: str) -> None:
    metric = Metric(CARD, lambda inputs, device: scores(inputs), batched=True)
    assert [str(value).startswith(message) for value in values(metric, [image((8, 8)), image((8, 8))])] == [True, True]


def test_a_function_of_one_image_is_a_metric() -> None:
    plain = Metric(CARD, per_image(lambda each: float(each.sr.max())))
    scored = Metric(CARD, per_image(lambda each: Score(float(each.sr.max()), each.sr[0, 0])))
    assert values(plain, [image((8, 8), 3), image((9, 9), 4)]) == values(scored, [image((8, 8), 3), image((9, 9), 4)])
    (score,) = scored.measure([image((8, 8), 7)], "cpu")
    np.testing.assert_array_equal(score.payload, [7, 7, 7])


def test_what_a_metric_requires_is_told_and_named_by_its_scores() -> None:
    @dataclass(frozen=True)
    class Stated:
        problem: str
        digest: str

        def missing(self) -> str:
            return self.problem

        def weights(self) -> str:
            return self.digest

    ready = Metric(CARD, brightest, requires=(Stated("", "abc"), Library("numpy", "any"), Stated("", "def")))
    assert ready.missing() == ""
    assert ready.implementation == "1 abc def"
    lacking = replace(ready, requires=(Library("no_such_module", "more", " (note)"), Stated("no file", "")))
    assert (
        lacking.missing()
        == "no_such_module is not installed; install the extra: pip install 'asasr-bench[more]' (note)"
    )


def test_looking_ahead_keeps_order_and_stays_within_its_window() -> None:
    taken = 0
    lock = threading.Lock()
    started: list[int] = []

    def function(item: int) -> int:
        with lock:
            started.append(item)
        return item * item

    for result in ahead(function, range(20), 4):
        assert result == taken * taken
        taken += 1
        with lock:
            assert max(started) < taken + 4
    assert taken == 20
    assert list(ahead(function, [], 4)) == []


def test_an_error_ahead_is_raised_in_its_turn() -> None:
    def function(item: int) -> int:
        if item == 2:
            raise ValueError("broken")
        return item

    results = ahead(function, range(5), 3)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ValueError, match="broken"):
        next(results)


def test_how_many_go_together(monkeypatch: pytest.MonkeyPatch) -> None:
    assert images_together(3, "cpu") == 3
    assert images_together(None, "cpu") == 1
    assert images_together(None, "cuda:0") == GPU_BATCH
    assert list(grouped(range(5), 2)) == [[0, 1], [2, 3], [4]]


def test_a_run_gives_the_same_scores_whatever_the_batch(
    tmp_path: Path, photo: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six images of two sizes through LPIPS, DISTS and PSNR, one by one, four together, and all together."""
    monkeypatch.setenv("ASASR_BENCH_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    (tmp_path / "weights").mkdir()
    random_weights.place(("alexnet", "lpips-alex"), tmp_path / "weights", monkeypatch)
    for number in range(6):
        side = 64 if number % 3 else 96
        write_png(tmp_path / "hr" / f"{number}.png", photo[20 * number :, 10 * number :][:side, :side])

    def scores(batch: int) -> dict[tuple[str, str, str], float]:
        store = tmp_path / f"batch{batch}"
        evaluate(
            "classic-x4-float",
            store,
            datasets=[f"D={tmp_path / 'hr'}"],
            methods=["bicubic", "nearest"],
            metrics=["psnr_y", "lpips_alex"],
            batch=batch,
        )
        database = sqlite3.connect(store / "store.sqlite")
        rows = database.execute(
            "SELECT o.image, o.method, c.metric, c.score, s.value FROM outputs o JOIN cells c ON c.output = o.id"
            " JOIN scores s ON s.key = c.score"
        )
        return {(image, method, metric): (key, value) for image, method, metric, key, value in rows}

    alone, some, together = scores(1), scores(4), scores(100)
    assert len(alone) == 24
    tolerance = METRICS[0].card.tolerance
    for other in (some, together):
        assert other.keys() == alone.keys()
        for place, (key, value) in alone.items():
            assert other[place][0] == key
            assert other[place][1] == pytest.approx(value, rel=tolerance if place[2] == "lpips_alex" else 0)
