"""FID against closed forms, and end to end against pyiqa on the same folders and weight file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import random_weights
from asasr_bench import evaluate
from asasr_bench.bench.metrics.library import load_network
from asasr_bench.bench.metrics.registry import get_metric
from asasr_bench.bench.metrics.set_distances.frechet import fid, resampled
from asasr_bench.datasets.images import write_png
from scipy import linalg


def payloads(sr: np.ndarray, hr: np.ndarray) -> list[np.ndarray]:
    return list(np.stack([sr, hr], axis=1))


def by_definition(sr: np.ndarray, hr: np.ndarray) -> float:
    """|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2))."""
    first, second = np.cov(sr, rowvar=False), np.cov(hr, rowvar=False)
    root = linalg.sqrtm(first @ second).real
    return float(((sr.mean(0) - hr.mean(0)) ** 2).sum() + np.trace(first + second - 2 * root))


def test_it_is_the_definition() -> None:
    rng = np.random.default_rng(0)
    sr = rng.normal(0, 1, (60, 12)) @ rng.normal(0, 1, (12, 12)) + 3
    hr = rng.normal(0, 2, (60, 12))
    assert fid(payloads(sr, hr)) == pytest.approx(by_definition(sr, hr), rel=1e-9)


def test_equal_sets_have_no_distance_and_a_shift_its_square() -> None:
    features = np.random.default_rng(1).normal(0, 1, (20, 64))
    assert fid(payloads(features, features)) == pytest.approx(0, abs=1e-9)
    assert fid(payloads(features + 0.5, features)) == pytest.approx(64 * 0.25, rel=1e-9)
    assert fid(payloads(features, features[::-1])) == pytest.approx(0, abs=1e-9)


def test_a_resampled_set_is_the_set_with_repeated_images() -> None:
    rng = np.random.default_rng(2)
    sr, hr = rng.normal(0, 1, (15, 8)), rng.normal(0.3, 1.5, (15, 8))
    draws = np.random.default_rng(0).multinomial(15, np.full(15, 1 / 15), size=5).astype(np.float64)
    values = resampled(payloads(sr, hr), draws)
    for weights, value in zip(draws.astype(int), values, strict=True):
        indices = np.repeat(np.arange(15), weights)
        assert value == pytest.approx(fid(payloads(sr[indices], hr[indices])), rel=1e-9)


def test_one_image_has_none() -> None:
    assert np.isnan(fid(payloads(np.zeros((1, 4)), np.ones((1, 4)))))


def test_it_is_pyiqas_value_with_an_interval(
    tmp_path: Path, photo: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through a run and its store; the features are the library's, the distance is ours."""
    pyiqa = pytest.importorskip("pyiqa", reason="pyiqa is not installed")
    folder = tmp_path / "torch" / "hub" / "pyiqa"
    folder.mkdir(parents=True)
    monkeypatch.setenv("ASASR_BENCH_WEIGHTS", str(folder))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    load_network.cache_clear()
    metric = get_metric("fid")
    assert "weights fetch fid-inception" in metric.missing()
    random_weights.place(("fid-inception",), folder, monkeypatch)
    assert metric.missing() == ""
    rng = np.random.default_rng(3)
    for number in range(5):
        crop = photo[40 * number : 40 * number + 64, :64]
        write_png(tmp_path / "hr" / f"{number}.png", crop)
        noisy = np.clip(crop + rng.normal(0, 40, crop.shape), 0, 255).astype(np.uint8)
        write_png(tmp_path / "sr" / f"{number}.png", noisy)
    board = evaluate(
        "realsr",
        tmp_path / "s",
        datasets=[f"D={tmp_path / 'hr'}"],
        methods=[f"M=predictions:{tmp_path / 'sr'}"],
        metrics=["fid"],
    )
    row = board.scores.set_index("metric").loc["fid"]
    monkeypatch.setattr("pyiqa.utils.download_util.DEFAULT_CACHE_DIR", str(folder))
    reference_network = pyiqa.create_metric("fid", device="cpu")
    expected = reference_network(str(tmp_path / "sr"), str(tmp_path / "hr"), num_workers=0, verbose=False)
    assert row["n"] == 5
    assert row["value"] == pytest.approx(expected, rel=1e-2)  # their matrix root is that of a singular product
    assert row["ci_low"] < row["ci_high"]
