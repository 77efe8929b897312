"""Metrics whose set value comes from payloads: stored, combined with intervals, and never measured again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from asasr_bench.bench.analysis import sets as set_values
from asasr_bench.bench.analysis.leaderboard import load_board
from asasr_bench.bench.execute import run as runner
from asasr_bench.bench.metrics import registry as metric_module
from asasr_bench.bench.metrics.card import MetricCard
from asasr_bench.bench.metrics.metric import Metric, Payload, Score, SetMetric, per_image
from asasr_bench.bench.metrics.metric_input import MetricInput
from asasr_bench.bench.spec import Spec
from asasr_bench.bench.store.provenance import Provenance
from asasr_bench.bench.store.records import CellRecord, OutputRecord
from asasr_bench.bench.store.store import open_store
from asasr_bench.datasets.ground_truth.kinds import VOID, TruthError, Word, labels_source, read_labels, text_source
from asasr_bench.datasets.images import write_png
from numpy.typing import NDArray


def _counts(image: MetricInput) -> Score:
    """Bright pixels and all pixels of the red channel."""
    red = image.sr[..., 0]
    return Score(float("nan"), np.array([int((red > 127).sum()), red.size], dtype=np.int64))


def _share(payloads: Sequence[Payload]) -> float:
    total = np.sum(payloads, axis=0)
    return float(total[0] / total[1])


def _resampled(payloads: Sequence[Payload], draws: NDArray[np.float64]) -> NDArray[np.float64]:
    sums = draws @ np.stack(payloads)
    shares: NDArray[np.float64] = sums[:, 0] / sums[:, 1]
    return shares


POOLED = Metric(
    MetricCard("bright", "Bright", direction="higher", version="1"), per_image(_counts), SetMetric(_share, _resampled)
)


def _with(monkeypatch: pytest.MonkeyPatch, *metrics: Metric) -> None:
    known = {**metric_module.shipped_metrics(), **{metric.id: metric for metric in metrics}}
    monkeypatch.setattr(metric_module, "shipped_metrics", lambda: known)


_PHOTOS = ((32, 1.0), (64, 0.5), (96, 1.4), (48, 0.8), (80, 1.2), (56, 0.7))
"""Sides and gains."""


@pytest.fixture
def photos(tmp_path: Path, photo: NDArray[np.uint8]) -> Path:
    for number, (side, gain) in enumerate(_PHOTOS):
        bright = np.clip(photo[:side, :side] * gain, 0, 255).astype(np.uint8)
        write_png(tmp_path / "hr" / f"{number}.png", bright)
    return tmp_path / "hr"


def test_a_set_is_combined_from_payloads_of_images_that_have_no_value(
    tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _with(monkeypatch, POOLED)
    spec = Spec(
        name="t",
        protocol="osediff-512",
        datasets=(f"p={photos}",),
        methods=("bicubic", "nearest"),
        metrics=("bright", "psnr_y"),
        device="cpu",
    )
    summary = runner.run(spec, tmp_path / "store")
    assert summary.complete
    assert summary.measured == 24
    assert runner.run(spec, tmp_path / "store").measured == 0
    with open_store(tmp_path / "store") as store:
        payloads = {place[3]: value for place, value in store.payloads("bright") if place[4] == "bicubic"}
        whole = load_board(store, title="t")
    board = whole.scores.set_index(["method", "metric"])
    assert all(value.dtype == np.int64 for value in payloads.values())
    pooled = sum(int(value[0]) for value in payloads.values()) / sum(side**2 for side, _ in _PHOTOS)
    row = board.loc[("bicubic", "bright")]
    assert row["value"] == pytest.approx(pooled, abs=1e-12)
    assert row["value"] != pytest.approx(np.mean([value[0] / value[1] for value in payloads.values()]), abs=1e-3)
    assert row["ci_low"] < pooled < row["ci_high"]
    assert row["n"] == 6


def test_pseudo_values_are_those_of_leaving_each_image_out(rng: np.random.Generator) -> None:
    """Their mean is the value; those of a mean are the images' own values; the shortcut gives the same."""
    payloads = [np.array([rng.integers(1, 50), rng.integers(50, 90)], dtype=np.int64) for _ in range(7)]
    stored = {(str(k), 0): payload for k, payload in enumerate(payloads)}
    fast, slow = (
        set_values.combine(POOLED, stored),
        set_values.combine(replace(POOLED, of_set=SetMetric(_share)), stored),
    )
    np.testing.assert_allclose(fast.pseudo, slow.pseudo, rtol=1e-12)
    without = [_share(payloads[:k] + payloads[k + 1 :]) for k in range(7)]
    tukey = 7 * fast.value - 6 * np.array(without)
    np.testing.assert_allclose(fast.pseudo, tukey - tukey.mean() + fast.value, rtol=1e-12)
    assert fast.pseudo.mean() == pytest.approx(fast.value, rel=1e-12)
    equal = {place: np.array([payload[0], 60]) for place, payload in stored.items()}
    np.testing.assert_allclose(set_values.combine(POOLED, equal).pseudo, [payload[0] / 60 for payload in payloads])


def test_a_large_set_is_combined_anew_no_more_than_a_thousand_times(rng: np.random.Generator) -> None:
    rows = rng.integers(1, 50, size=(2500, 1))
    stored = {(f"{k:04}", 0): np.append(row, 60) for k, row in enumerate(rows)}
    whole = set_values.combine(POOLED, stored)
    assert whole.pseudo.size == set_values.MOST_LEFT_OUT
    # Groups of images say the same as single images: the standard error of the mean of their values.
    error = whole.pseudo.std(ddof=1) / np.sqrt(whole.pseudo.size)
    assert error == pytest.approx((rows / 60).std(ddof=1) / np.sqrt(2500), rel=0.1)


def test_seeds_are_averaged_over_the_images_that_all_have(rng: np.random.Generator) -> None:
    first, second = (rng.integers(0, 9, size=(3, 2)) + 1 for _ in range(2))
    stored = {(str(k), seed): payloads[k] for seed, payloads in enumerate((first, second)) for k in range(3)}
    both = set_values.combine(POOLED, stored)
    assert both.value == pytest.approx((_share(list(first)) + _share(list(second))) / 2)
    without = {place: payload for place, payload in stored.items() if place != ("2", 1)}
    assert set_values.combine(POOLED, without).images == {"0", "1"}


def test_nothing_stored_and_a_single_image() -> None:
    assert np.isnan(set_values.combine(POOLED, {}).value)
    alone = set_values.combine(POOLED, {("a", 0): np.array([3, 4])})
    assert alone.value == 0.75
    assert alone.pseudo.size == 0


def test_payloads_keep_type_and_shape(tmp_path: Path, rng: np.random.Generator) -> None:
    arrays: list[Payload] = [
        rng.normal(size=(2, 3)).astype(np.float32),
        rng.normal(size=4),
        rng.integers(0, 2**40, size=(3, 3)),
        rng.integers(0, 255, size=1000, dtype=np.uint8),
        np.empty((0, 7)),
        np.arange(3, dtype=">i4"),
    ]
    with open_store(tmp_path, write=True) as store:
        run = store.begin_run("now", {}, Provenance())
        for number, array in enumerate(arrays):
            cell = CellRecord("m", "done", key=str(number), value=1.0, payload=array)
            store.commit([OutputRecord("p", 4, "d", str(number), "bicubic", 0, "done", "files", cells=(cell,))], run)
        read = {int(place[3]): payload for place, payload in store.payloads("m")}
    for number, array in enumerate(arrays):
        assert read[number].shape == array.shape
        assert read[number].dtype.newbyteorder("=") == array.dtype.newbyteorder("=")
        np.testing.assert_array_equal(read[number], array)


def test_digest_of_truth_names_content_and_reading_but_no_path(tmp_path: Path) -> None:
    labels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    for name in ("a", "b"):
        write_png(tmp_path / f"{name}.png", labels)
    one, other = (labels_source(tmp_path / f"{name}.png", void=(11,)) for name in ("a", "b"))
    assert one.digest() == other.digest()
    assert one.digest() != labels_source(tmp_path / "a.png", void=(10,)).digest()
    write_png(tmp_path / "b.png", labels + 1)
    assert one.digest() != other.digest()
    assert text_source((Word("a"),)).digest() != text_source((Word("b"),)).digest()


def test_label_maps_are_read_as_numbers(tmp_path: Path) -> None:
    from PIL import Image

    labels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    palette = Image.fromarray(labels)
    palette.putpalette([255 - k // 3 for k in range(768)])
    palette.save(tmp_path / "palette.png")
    expected = labels.copy()
    expected[labels == 11] = VOID
    np.testing.assert_array_equal(read_labels(tmp_path / "palette.png", void=(11,)), expected)
    shifted = read_labels(tmp_path / "palette.png", zero_is_void=True)
    assert shifted[0, 0] == VOID
    assert shifted[0, 1] == 0
    write_png(tmp_path / "colour.png", np.zeros((4, 4, 3), dtype=np.uint8))
    with pytest.raises(TruthError, match="one class number per pixel"):
        read_labels(tmp_path / "colour.png")
    with pytest.raises(TruthError, match="size of HR"):
        labels_source(tmp_path / "palette.png").load(8, 8)
