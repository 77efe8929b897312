"""Protocols of challenges and of others' tables, against scripts of our own that follow the challenges' programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asasr_bench.bench.analysis.leaderboard import load_board
from asasr_bench.bench.metrics.measure import measure_each
from asasr_bench.bench.metrics.metric import Score
from asasr_bench.bench.metrics.metric_input import MetricInput
from asasr_bench.bench.metrics.registry import get_metric
from asasr_bench.bench.protocols import get_protocol
from asasr_bench.bench.store.records import CellRecord, OutputRecord
from asasr_bench.bench.store.store import open_store
from asasr_bench.datasets.images import read_image
from asasr_bench.methods.published.values import published_tables
from asasr_bench.reports.tables import to_csv, to_markdown
from numpy.typing import NDArray

PARTS = ("lpips_alex", "dists", "clipiqa", "maniqa_koniq", "musiq_koniq", "niqe")


def value(id: str, sr: NDArray[np.uint8], hr: NDArray[np.uint8], protocol: str) -> float:
    (score,) = measure_each(get_metric(id), [MetricInput(sr, hr, get_protocol(protocol, 4), hr[::4, ::4])], "cpu")
    assert isinstance(score, Score), score
    return score.value


def pairs(shared: Path) -> list[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """Outputs of OSEDiff and the photos of RealSR."""
    data = shared / "data" / "RealSR_512"
    names = sorted(path.name for path in (data / "results_osediff").iterdir())[:10]
    return [(read_image(data / "results_osediff" / name), read_image(data / "test_HR" / name)) for name in names]


def sr_track(sr: NDArray[np.uint8], hr: NDArray[np.uint8]) -> tuple[float, float]:
    """PSNR and SSIM of the SR challenge: float32 throughout, Y of BT.601 after cutting four pixels."""
    from scipy.ndimage import correlate1d

    kernel = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    kernel /= kernel.sum()

    def luma(image: NDArray[np.uint8]) -> NDArray[np.float32]:
        cut = image[: len(image) // 4 * 4, : image.shape[1] // 4 * 4][4:-4, 4:-4].astype(np.float32) / np.float32(255)
        y = cut @ np.array([65.481, 128.553, 24.966]) + 16
        return (y / 255).astype(np.float32) * np.float32(255)

    a, b = luma(sr), luma(hr)
    psnr = 20 * np.log10(255 / np.sqrt(np.mean((a - b) ** 2)))

    def mean(plane: NDArray[Any]) -> NDArray[Any]:
        return correlate1d(correlate1d(plane.astype(np.float64), kernel, axis=0), kernel, axis=1)[5:-5, 5:-5]

    p, q = a.astype(np.float64), b.astype(np.float64)
    c, d = 6.5025, 58.5225
    mp, mq = mean(p), mean(q)
    vp, vq, cov = mean(p * p) - mp**2, mean(q * q) - mq**2, mean(p * q) - mp * mq
    ssim = (2 * mp * mq + c) * (2 * cov + d) / ((mp**2 + mq**2 + c) * (vp + vq + d))
    return float(psnr), float(ssim.mean())


def esr_track(sr: NDArray[np.uint8], hr: NDArray[np.uint8]) -> float:
    """PSNR of the efficient SR challenge: all three channels together."""
    return float(20 * np.log10(255 / np.sqrt(((sr[4:-4, 4:-4] / 1.0 - hr[4:-4, 4:-4]) ** 2).mean())))


def test_ntire_fidelity_is_that_of_the_challenges_programs(shared: Path) -> None:
    own, theirs = [], []
    for sr, hr in pairs(shared):
        own.append(
            [value(id, sr, hr, "ntire-sr-x4") for id in ("psnr_y", "ssim_y")]
            + [value("psnr_rgb", sr, hr, "ntire-esr-x4")]
        )
        theirs.append([*sr_track(sr, hr), esr_track(sr, hr)])
    np.testing.assert_allclose(own, theirs, rtol=0, atol=2e-5)
    np.testing.assert_allclose(np.mean(own, 0), np.mean(theirs, 0), rtol=0, atol=5e-6)
    unshaved = np.mean([value("psnr_y", sr, hr, "osediff-512") for sr, hr in pairs(shared)])
    assert abs(unshaved - np.mean(own, 0)[0]) > 1e-3  # the protocols differ


@pytest.mark.parametrize("protocol", ["ntire-sr-x4", "ntire-esr-x4", "seesr-512-crop4"])
def test_they_shave_for_fidelity_alone(photo: NDArray[np.uint8], protocol: str) -> None:
    noisy = np.clip(photo + np.random.default_rng(0).normal(0, 9, photo.shape), 0, 255).astype(np.uint8)
    for id in ("gmsd", "piqe", "lsd", "ms_ssim"):
        assert value(id, noisy, photo, protocol) == value(id, noisy, photo, "osediff-512")
        assert value(id, noisy, photo, protocol) != value(id, noisy, photo, "classic-x4-float")
    cut = slice(4, -4)
    for id in ("psnr_y", "ssim_y", "psnr_rgb", "ssim_rgb"):
        plain = "osediff-512" if protocol.startswith("seesr") else "classic-x4-float"
        expected = (noisy[cut, cut], photo[cut, cut]) if protocol.startswith("seesr") else (noisy, photo)
        assert value(id, noisy, photo, protocol) == value(id, *expected, plain)


def scored(root: Path, seed: int = 0, without: str = "", images: int = 12) -> Path:
    """A store under the challenge's protocol, with values as such networks give them."""
    rng = np.random.default_rng(seed)
    from asasr_bench.bench.store.provenance import Provenance

    with open_store(root, write=True) as store:
        run = store.begin_run("2024-05-01T10:00:00+00:00", {"name": "n", "methods": ["a", "b"]}, Provenance())
        store.add_metrics(get_metric(id).card for id in PARTS)
        for method, gain in (("a", 0.0), ("b", 0.05)):
            store.add_method(method, {"family": "gan"}, "")
            for number in range(images):
                values = {
                    "lpips_alex": rng.uniform(0.1, 0.4) - gain,
                    "dists": rng.uniform(0.1, 0.3) - gain,
                    "clipiqa": rng.uniform(0.4, 0.8),
                    "maniqa_koniq": rng.uniform(0.3, 0.6),
                    "musiq_koniq": rng.uniform(50, 75),
                    "niqe": rng.uniform(3, 12),
                }
                cells = tuple(
                    CellRecord(id, "done", f"{method}{number}{id}", number_)
                    for id, number_ in values.items()
                    if id != without
                )
                record = OutputRecord(
                    "ntire-sr-x4",
                    4,
                    "D",
                    f"i{number:02}",
                    method,
                    0,
                    "done",
                    "files",
                    "1",
                    "2",
                    f"{method}{number}",
                    "3",
                    cells=cells,
                )
                store.commit([record], run)
        store.finish_run(run, "2024-05-01T10:00:00+00:00")
    return root


def columns(root: Path) -> dict[tuple[str, str], list[float]]:
    """Values of images by method and metric, from what 'export --per-image' writes."""
    with open_store(root) as store:
        frame = store.scores()
    return {
        (str(method), str(metric)): list(part["value"])
        for (method, metric), part in frame.groupby(["method", "metric"])
    }


def total_score(values: dict[str, list[float]]) -> float:
    """The challenge's program: averages first, then one rule for each metric."""
    total = 0.0
    for metric, numbers in values.items():
        average = sum(numbers) / len(numbers)
        if metric in ("lpips_alex", "dists"):
            total += 1 - average
        elif metric == "niqe":
            total += max(0, (10 - average) / 10)
        elif metric == "musiq_koniq":
            total += average / 100
        else:
            total += average
    return total


def test_the_perceptual_score_is_of_the_means_and_stands_beside_its_parts(tmp_path: Path) -> None:
    root = scored(tmp_path / "s")
    with open_store(root) as store:
        board = load_board(store, title="t")
    rows = list(csv.DictReader(io.StringIO(to_csv(board))))
    values = columns(root)
    for method in "ab":
        own = {metric: numbers for (name, metric), numbers in values.items() if name == method}
        (row,) = (row for row in rows if (row["method"], row["metric"]) == (method, "ntire_perceptual"))
        assert float(row["value"]) == pytest.approx(total_score(own), rel=1e-12)
        assert float(row["ci_low"]) < float(row["value"]) < float(row["ci_high"])
        assert row["n"] == "12"
        assert {r["metric"] for r in rows if r["method"] == method} == {*PARTS, "ntire_perceptual"}
    page = to_markdown(board)
    assert "NTIRE score" in page
    assert "(1 - lpips\\_alex) + (1 - dists) + (clipiqa)" in page.replace("\\\\", "\\")
    assert "max(0, 1 - niqe / 10)" in page
    assert set(board.ranks["method"]) == {"a", "b"}


def test_the_interval_is_that_of_resampled_images(tmp_path: Path) -> None:
    """A bootstrap of our own with other random numbers."""
    root = scored(tmp_path / "s", images=40)
    with open_store(root) as store:
        scores = load_board(store, title="t").scores
    row = scores[(scores["method"] == "a") & (scores["metric"] == "ntire_perceptual")].iloc[0]
    values = {metric: np.array(numbers) for (name, metric), numbers in columns(root).items() if name == "a"}
    rng = np.random.default_rng(5)
    draws = [
        total_score({id: list(own[pick]) for id, own in values.items()}) for pick in rng.integers(0, 40, (4000, 40))
    ]
    assert (row["ci_low"], row["ci_high"]) == pytest.approx(np.quantile(draws, [0.025, 0.975]), abs=0.01)


def test_without_one_part_there_is_no_score(tmp_path: Path) -> None:
    with open_store(scored(tmp_path / "s", without="niqe")) as store:
        assert "ntire_perceptual" not in set(load_board(store, title="t").scores["metric"])


def test_a_published_row_of_every_table_can_stand_beside_a_run() -> None:
    """Each protocol that a table names can be run, and says where it is from."""
    for id, table in published_tables().items():
        protocol = get_protocol(table.protocol, 4)
        assert protocol.summary, id


def test_published_rows_stand_beside_a_run_of_their_protocol(tmp_path: Path, make_store: Callable[..., Path]) -> None:
    root = make_store(tmp_path / "s", protocol="realsr-full", datasets=("RealSR-full",))
    with open_store(root) as store:
        board = load_board(store, title="t", published=True)
    rows = board.published[board.published["metric"] == "psnr_y"].set_index("method")["value"]
    assert (rows["RSD"], rows["BSRGAN"]) == (25.91, 26.51)  # RSD, table 15
    assert "RSD (arXiv 2503.13358), table 15" in to_markdown(board)
