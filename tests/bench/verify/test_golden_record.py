"""The golden record: values that the authors of OSEDiff measured on their own outputs, image by image."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asasr_bench.bench.verify import osediff_record
from asasr_bench.bench.verify.osediff_record import METRICS, TOLERANCES, Row, compare_with_record, record
from asasr_bench.datasets.images import write_png


@pytest.fixture
def images(shared: Path) -> Path:
    """OSEDiff's outputs, and HR."""
    return shared / "data" / "RealSR_512"


@pytest.fixture
def niqe_alone(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of weights in which the parameters of NIQE are all that there is."""
    folder = tmp_path / "weights"
    folder.mkdir()
    (folder / "niqe_modelparameters.mat").write_bytes((shared / "weights" / "niqe_modelparameters.mat").read_bytes())
    for name, place in (("ASASR_BENCH_WEIGHTS", folder), ("TORCH_HOME", tmp_path), ("HOME", tmp_path)):
        monkeypatch.setenv(name, str(place))
    return folder


def test_a_tenth_of_the_record_is_reproduced(images: Path, niqe_alone: Path) -> None:
    """PSNR, SSIM, NIQE and LPIPS, which need no download but NIQE's parameters; the rest is told to be missing."""
    metrics = ("psnr_y", "ssim_y", "niqe", "lpips_alex", "dists")
    rows = {row.metric: row for row in compare_with_record(images, metrics=metrics, every=10, device="cpu")}
    assert [id for id, row in rows.items() if row.agrees] == ["psnr_y", "ssim_y", "niqe", "lpips_alex"]
    assert rows["dists"].agrees is None
    assert "weights fetch vgg16" in rows["dists"].unavailable
    expected = np.mean([float(row["lpips_alex"]) for row in record()[::10]])
    assert rows["lpips_alex"].authors == pytest.approx(expected)


def test_dists_of_a_tenth_is_reproduced(images: Path, published_weights: Path) -> None:
    (row,) = compare_with_record(images, metrics=("dists",), every=10, device="cpu")
    assert row.agrees


def test_psnr_and_ssim_of_all_are_reproduced(images: Path) -> None:
    psnr, ssim = compare_with_record(images, metrics=("psnr_y", "ssim_y"))
    assert psnr.agrees
    assert ssim.agrees
    assert psnr.authors == pytest.approx(25.1511, abs=5e-5)


def test_a_value_further_away_fails_the_command(
    images: Path, niqe_alone: Path, monkeypatch: pytest.MonkeyPatch, session: Callable[..., Any]
) -> None:
    result = session("doctor", "--golden", images, "--every", 50, "--device", "cpu")
    assert result.status == 3  # weights of four of the eight are not here
    assert "DISTS: weight file" in result.err
    monkeypatch.setitem(osediff_record.TOLERANCES, "niqe", 1e-9)
    result = session("doctor", "--golden", images, "--every", 50, "--device", "cpu")
    assert result.status == 1
    assert "NIQE: an image is " in result.err
    assert "from the authors' value, more than 1e-09" in result.err


def test_rows_agree_by_their_furthest_image() -> None:
    assert set(TOLERANCES) == {"psnr_y", "ssim_y", "niqe", "lpips_alex", "dists"}
    assert Row("psnr_y", 25.0, 25.0, 0.0, 9e-5).agrees is True
    assert Row("psnr_y", 25.0, 25.0, 0.0, 2e-4).agrees is False
    assert Row("psnr_y", 25.0, unavailable="no weights").agrees is None
    assert Row("musiq_koniq", 60.0, 60.0, 0.0, 0.0).agrees is None  # nothing is known of how its GPU differs


def test_the_record_ships_the_published_values(images: Path) -> None:
    with (images / "published_per_image_metrics_osediff.csv").open() as file:
        published = list(csv.DictReader(file))
    columns = ("psnr_y", "ssim_y", "lpips", "dists", "clipiqa", "niqe", "musiq", "maniqa_pipal")
    assert len(record()) == 100
    for ours, theirs in zip(record(), published, strict=True):
        assert f"{ours['image']}.png" == theirs["image"]
        assert [float(ours[id]) for id in METRICS] == [float(theirs[name]) for name in columns]


def test_other_images_than_the_records_are_refused(
    tmp_path: Path, photo: np.ndarray, session: Callable[..., Any]
) -> None:
    result = session("doctor", "--golden", tmp_path)
    assert (result.status, "no such file" in result.err) == (3, True)
    write_png(tmp_path / "results_osediff" / "Canon_001_LR4.png", photo)
    (tmp_path / "test_HR").mkdir()
    result = session("doctor", "--golden", tmp_path)
    assert (result.status, "is not the file of the record" in result.err) == (3, True)
