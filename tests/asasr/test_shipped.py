"""The small models that come with the package."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from asasr_bench import evaluate, open_store
from asasr_bench.bench.analysis.statistics import paired
from asasr_bench.datasets.dataset import image_files
from asasr_bench.datasets.images import as_rgb, file_digest, read_image, write_png

ROOT = Path(__file__).parents[2]
FOLDERS = [ROOT / part / "shipped" for part in ("asasr", "methods", "methods/networks", "bench/metrics/tasks")]


def test_weights_are_those_of_their_cards() -> None:
    """Every weight file has a card beside it that tells its digest; together they stay small."""
    files = [path for folder in FOLDERS for path in sorted(folder.glob("*.safetensors"))]
    assert len(files) > 2
    assert sum(path.stat().st_size for path in files) < 40e6
    for path in files:
        card = path.with_suffix(".md").read_text()
        assert file_digest(path) in card
        for part in ("## Data", "## Training", "## Command", "## Results", "## Licence"):
            assert part in card, f"{path.stem}: {part}"


def test_weights_of_others_tell_their_origin_and_licence() -> None:
    folder = ROOT / "methods" / "weights" / "shipped"
    origin = (folder / "ORIGIN.md").read_text()
    for path in sorted(folder.glob("*.safetensors")):
        assert f"`{path.name}` `{file_digest(path)}`" in origin
    for licence in ("BSD-3-Clause", "BSD-2-Clause", "MIT"):
        assert licence in origin
    for name in ("torchvision", "lpips", "dists"):
        assert f"LICENSE.{name}" in origin
        assert "Copyright (c) " in (folder / f"LICENSE.{name}").read_text()


@pytest.mark.slow
def test_the_prior_on_test_sets(shared: Path, tmp_path: Path) -> None:
    """128x128 crops of Set14 and BSD100, LQ by the degradation it was trained for; paired tests against bicubic."""
    for name in ("Set14", "BSD100"):
        for stem, path in image_files(shared / "data" / name / "HR").items():
            image = as_rgb(read_image(path))
            top, left = ((length - 128) // 2 for length in image.shape[:2])
            crop = np.ascontiguousarray(image[top : top + 128, left : left + 128])
            write_png(tmp_path / "crops" / f"{name}-{stem}.png", crop)
    metrics = ["psnr_y", "ssim_y", "fsim", "lsd", "hf_ratio"]
    evaluate(
        "realsr", tmp_path / "store", datasets=[f"Crops={tmp_path / 'crops'}"], lq_rule="degradation:stablesr-x4",
        methods=["bicubic", "asasr:small-prior", "asasr:small-prior-mean"], metrics=metrics, seeds=[0], device="cpu",
        workers=2,
    )  # fmt: skip
    with open_store(tmp_path / "store") as store:
        table = store.scores().pivot(index=["metric", "method"], columns="image", values="value")
    assert table.shape == (15, 114)
    values = {key: table.loc[key].to_numpy() for key in table.index}

    for metric in ("psnr_y", "ssim_y", "fsim"):
        mean = paired(values[metric, "asasr:small-prior-mean"], values[metric, "bicubic"])
        assert mean.difference > 0, metric
        assert mean.p < 0.05, metric
    assert abs(np.median(values["hf_ratio", "asasr:small-prior"])) <= 1.5
    sample = values["psnr_y", "bicubic"].mean() - values["psnr_y", "asasr:small-prior"].mean()
    assert sample <= 2.5
    assert values["lsd", "asasr:small-prior"].mean() <= values["lsd", "bicubic"].mean() / 4


def test_cards_speak_of_nothing_local() -> None:
    for card in (card for folder in FOLDERS for card in folder.glob("*.md")):
        assert not re.search(r"/root|/work|/home", card.read_text())
