"""Sets without HR: what needs none is measured, what needs one is empty, and nothing is made up."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asasr_bench import evaluate

METRICS = ["psnr_y", "ssim_y", "lsd", "hf_ratio", "spectral_slope"]


@pytest.mark.parametrize("name", ["RealSRSet", "OldFilm"])
def test_reference_columns_of_real_photos_are_empty(name: str, shared: Path, tmp_path: Path) -> None:
    """The three smallest images of each set; of RealSRSet, of those whose outputs BSRGAN's authors published."""
    folder = shared / "data" / ("RealSRSet/LQ" if name == "RealSRSet" else "OldFilm/frames")
    images = sorted(folder.iterdir(), key=lambda path: path.stat().st_size)
    methods: list[Any] = ["bicubic", "nearest"]
    if name == "RealSRSet":
        outputs = shared / "data" / "RealSRSet" / "published_BSRGAN_x4"
        methods.append({"name": "BSRGAN", "predictions": str(outputs), "suffix": "_BSRGAN"})
        images = [path for path in images if (outputs / f"{path.stem}_BSRGAN.png").is_file()]
    (tmp_path / "lq").mkdir()
    for path in images[:3]:
        shutil.copy(path, tmp_path / "lq")
    table = evaluate(
        "realsr", tmp_path / "s", datasets=[f"{name}={tmp_path / 'lq'},"], methods=methods, metrics=METRICS
    )
    measured = table.scores.dropna(subset=["value"])
    assert set(measured["metric"]) == {"spectral_slope"}
    assert (measured["n"] == 3).all()
    assert len(measured) == len(methods)
    assert np.isfinite(measured["value"]).all()
