"""Measuring several images together: values do not depend on it, and one bad image costs itself alone."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import random_weights
from asasr_bench.bench import evaluate
from asasr_bench.bench.metrics.deep_features import METRICS
from asasr_bench.bench.metrics.measure import GPU_BATCH, ahead, grouped, images_together, measure_each
from asasr_bench.bench.metrics.metric import Metric, Pair
from asasr_bench.bench.metrics.registry import get_metric
from asasr_bench.bench.protocols import get_protocol
from asasr_bench.datasets.images import write_png

PROTOCOL = get_protocol("osediff-512", 4)


def pair(shape: tuple[int, int], level: int = 0) -> Pair:
    return Pair(np.full((*shape, 3), level, np.uint8), np.zeros((*shape, 3), np.uint8), PROTOCOL)


def network(many: Callable[[Sequence[Pair], str], list[float]]) -> Metric:
    return replace(get_metric("psnr_y"), id="network", measure_many=many)


def test_images_of_one_size_go_together_and_results_come_in_order() -> None:
    calls: list[tuple[int, str]] = []

    def many(pairs: Sequence[Pair], device: str) -> list[float]:
        assert len({one.sr.shape for one in pairs}) == 1
        calls.append((len(pairs), device))
        return [float(one.sr.max()) for one in pairs]

    pairs = [pair((8, 8), 1), pair((8, 9), 2), pair((8, 8), 3), pair((8, 9), 4), pair((9, 8), 5)]
    assert measure_each(network(many), pairs, "cuda:1") == [1, 2, 3, 4, 5]
    assert sorted(calls) == [(1, "cuda:1"), (2, "cuda:1"), (2, "cuda:1")]


def test_a_bad_image_costs_itself_alone() -> None:
    def many(pairs: Sequence[Pair], device: str) -> list[float]:
        if any(one.sr.max() == 2 for one in pairs):
            raise ValueError("cannot measure this")
        return [np.nan if one.sr.max() == 3 else float(one.sr.max()) for one in pairs]

    results = measure_each(network(many), [pair((8, 8), level) for level in (1, 2, 3, 4)], "cpu")
    assert results[0] == 1
    assert results[3] == 4
    assert [str(result) for result in results[1:3]] == [
        "cannot measure this",
        "the metric is not defined for this image (NaN)",
    ]


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
            "classic-x4-float", store, datasets=[f"D={tmp_path / 'hr'}"], methods=["bicubic", "nearest"],
            metrics=["psnr_y", "lpips_alex"], batch=batch,
        )  # fmt: skip
        database = sqlite3.connect(store / "store.sqlite")
        rows = database.execute(
            "SELECT o.image, o.method, c.metric, c.score, s.value FROM outputs o JOIN cells c ON c.output = o.id"
            " JOIN scores s ON s.key = c.score"
        )
        return {(image, method, metric): (key, value) for image, method, metric, key, value in rows}

    alone, some, together = scores(1), scores(4), scores(100)
    assert len(alone) == 24
    tolerance = METRICS[0].tolerance
    for other in (some, together):
        assert other.keys() == alone.keys()
        for place, (key, value) in alone.items():
            assert other[place][0] == key
            assert other[place][1] == pytest.approx(value, rel=tolerance if place[2] == "lpips_alex" else 0)
