"""Metrics through pyiqa, against the library called directly."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from asasr_bench.bench import evaluate, open_store
from asasr_bench.bench.metrics import perceptual
from asasr_bench.bench.metrics.metric import Metric, Pair
from asasr_bench.bench.protocols import get_protocol
from asasr_bench.datasets.images import read_image, write_png
from asasr_bench.methods import weights
from asasr_bench.methods.weights import digest_of, manifest
from scipy.io import savemat

NIQE_MEDIAN, NIQE_MOST = 1e-3, 0.03  # measured: 5.0e-4 and 0.018

every_metric = pytest.mark.parametrize("metric", perceptual.METRICS, ids=lambda metric: metric.id)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of weights."""
    monkeypatch.setenv("ASASR_BENCH_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    (tmp_path / "weights").mkdir()
    return tmp_path / "weights"


def random_weights(id: str, path: Path) -> None:
    """A file of the shapes that the library expects."""
    rng = np.random.default_rng(0)
    if id == "niqe":
        spread = rng.normal(0, 1, (36, 36))
        savemat(path, {"mu_prisparam": rng.normal(0, 1, (1, 36)), "cov_prisparam": spread @ spread.T})
    else:
        from pyiqa.archs.musiq_arch import MUSIQ

        torch.manual_seed(0)
        torch.save(MUSIQ(pretrained=False).state_dict(), path)


@every_metric
def test_it_is_the_librarys_value(
    metric: Metric, photo: np.ndarray, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its weight file it is unavailable; with one it loads that, and equals the library called directly."""
    pyiqa = pytest.importorskip("pyiqa", reason="pyiqa is not installed")
    id = {"niqe": "niqe", "musiq": "musiq-koniq"}.get(metric.id)
    options = {}
    if id is not None:
        file = manifest()[id]
        assert file.file in metric.missing()
        assert f"weights fetch {id}" in metric.missing()
        random_weights(id, folder / file.file)
        if file.sha256:
            assert "is not used" in metric.missing()
        described = {**manifest(), id: replace(file, sha256=digest_of(folder / file.file))}
        monkeypatch.setattr(weights, "manifest", lambda: described)
        assert metric.weights() == described[id].sha256
        options["pretrained_model_path"] = str(folder / file.file)
    assert metric.missing() == ""
    noisy = np.clip(photo + np.random.default_rng(0).normal(0, 15, photo.shape), 0, 255).astype(np.uint8)
    theirs = pyiqa.create_metric(metric.id, device="cpu", **options)
    tensors = [
        torch.from_numpy(image[4:-4, 4:-4].copy()).movedim(-1, 0)[None].float() / 255 for image in (noisy, photo)
    ]
    with torch.inference_mode():
        expected = float(theirs(*tensors[: 1 if metric.needs == "nothing" else 2]))
    assert metric.measure(Pair(noisy, photo, get_protocol("classic-x4-float", 4))) == pytest.approx(expected, rel=1e-6)
    assert theirs.lower_better == (metric.direction == "lower")
    assert theirs.metric_mode == ("NR" if metric.needs == "nothing" else "FR")


def test_niqe_against_the_authors_record(shared: Path, folder: Path) -> None:
    """OSEDiff's published outputs, read as uint8 RGB / 255, full-range Y rounded (pyiqa's default).

    Y of 8-bit RGB is a multiple of 0.001, so that one pixel in a thousand lies on a tie; which way it is rounded
    depends on the machine (the record was made on a GPU), and NIQE's fits amplify that: hence the tolerance.
    """
    pytest.importorskip("pyiqa", reason="pyiqa is not installed")
    (folder / "niqe_modelparameters.mat").write_bytes((shared / "weights" / "niqe_modelparameters.mat").read_bytes())
    niqe = next(metric for metric in perceptual.METRICS if metric.id == "niqe")
    assert niqe.missing() == ""
    root = shared / "data" / "RealSR_512"
    with (root / "published_per_image_metrics_osediff.csv").open() as file:
        rows = list(csv.DictReader(file))
    differences = [
        niqe.measure(Pair(read_image(root / "results_osediff" / row["image"]), None, get_protocol("osediff-512", 4)))
        - float(row["niqe"])
        for row in rows
    ]
    assert len(differences) == 100
    assert np.median(np.abs(differences)) < NIQE_MEDIAN
    assert np.max(np.abs(differences)) < NIQE_MOST


def test_without_the_library_cells_say_how_to_get_it(
    photo: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    monkeypatch.setattr(perceptual, "find_spec", lambda name: None)
    write_png(tmp_path / "hr" / "a.png", photo)
    table = evaluate(
        "classic-x4-float", tmp_path / "s", datasets=[f"D={tmp_path / 'hr'}"], methods=["bicubic"],
        metrics=["psnr_y", "fsim"],
    )  # fmt: skip
    assert np.isnan(table.set_index("metric").loc["fsim", "value"])
    with open_store(tmp_path / "s") as store:
        cell = store.scores().set_index("metric").loc["fsim"]
    assert cell["status"] == "unavailable"
    assert "asasr-bench[iqa]" in cell["message"]
    monkeypatch.undo()
    if perceptual.missing():
        pytest.skip("pyiqa is not installed")
    again = evaluate(
        "classic-x4-float", tmp_path / "s", datasets=[f"D={tmp_path / 'hr'}"], methods=["bicubic"],
        metrics=["psnr_y", "fsim"],
    )  # fmt: skip
    assert 0 < again.set_index("metric").loc["fsim", "value"] < 1
