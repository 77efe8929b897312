"""Metrics through pyiqa, against the library called directly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from asasr_bench.bench import evaluate, open_store
from asasr_bench.bench.metrics import perceptual
from asasr_bench.bench.metrics.metric import Metric, Pair
from asasr_bench.bench.protocols import get_protocol
from asasr_bench.datasets.images import write_png

every_metric = pytest.mark.parametrize("metric", perceptual.METRICS, ids=lambda metric: metric.id)


@every_metric
def test_it_is_the_librarys_value(metric: Metric, photo: np.ndarray) -> None:
    pyiqa = pytest.importorskip("pyiqa", reason="pyiqa is not installed")
    noisy = np.clip(photo + np.random.default_rng(0).normal(0, 15, photo.shape), 0, 255).astype(np.uint8)
    theirs = pyiqa.create_metric(metric.id, device="cpu")
    tensors = [
        torch.from_numpy(image[4:-4, 4:-4].copy()).movedim(-1, 0)[None].float() / 255 for image in (noisy, photo)
    ]
    with torch.inference_mode():
        expected = float(theirs(*tensors[: 1 if metric.needs == "nothing" else 2]))
    assert metric.measure(Pair(noisy, photo, get_protocol("classic-x4-float", 4))) == pytest.approx(expected, rel=1e-6)
    assert theirs.lower_better == (metric.direction == "lower")
    assert theirs.metric_mode == ("NR" if metric.needs == "nothing" else "FR")


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
