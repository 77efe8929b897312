"""The shipped referees: they are what their cards say, work without any file of the user, and see a loss of detail."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from asasr_bench.bench.metrics import tasks
from asasr_bench.bench.metrics.registry import get_metric
from asasr_bench.bench.metrics.tasks.engine import engine_of
from asasr_bench.bench.metrics.tasks.referees import DETECTORS, REFEREES, referee
from asasr_bench.bench.metrics.tasks.segmentation.confusion import combine, confusion
from asasr_bench.datasets.ground_truth.kinds import read_labels
from asasr_bench.datasets.images import as_rgb, read_image
from asasr_bench.datasets.imresize import imresize
from asasr_bench.datasets.lq import make_lq, parse_lq_rule

SHIPPED = Path(str(tasks.__file__)).parent / "shipped"


@pytest.mark.parametrize("name", list(REFEREES))
def test_cards_name_their_files(name: str, weights: Path) -> None:
    file, card = SHIPPED / f"{name}.safetensors", (SHIPPED / f"{name}.md").read_text(encoding="utf-8")
    assert hashlib.sha256(file.read_bytes()).hexdigest() in card
    assert f"asasr-bench train referee {name}" in card
    assert file.stat().st_size < 2_000_000
    assert get_metric(f"miou:{name}").missing() == ""
    if name in DETECTORS:
        assert referee(name).missing() == ""


def test_own_weights_go_first(weights: Path) -> None:
    shipped = referee("camvid").weights()
    (weights / "referee-camvid.safetensors").write_bytes(b"another")
    assert referee("camvid").weights() != shipped


@pytest.mark.slow
def test_camvid_parses_streets_and_enlarged_ones_far_worse(shared: Path) -> None:
    engine = engine_of(referee("camvid"))
    folder = shared / "data" / "CamVid" / "test"
    rule = parse_lq_rule("degradation:realesrgan-x4", 4)
    clean, enlarged = [], []
    for path in sorted((folder / "images").iterdir())[::4]:
        image, truth = as_rgb(read_image(path)), read_labels(folder / "labels" / path.name, void=(11,))
        lq = make_lq(image, rule, 4).astype(float)
        worse = np.clip(np.round(imresize(lq, 4)), 0, 255).astype(np.uint8)
        for matrices, found in zip((clean, enlarged), engine.segment([image, worse]), strict=True):
            matrices.append(confusion(truth, found, 11))
    assert combine("miou")(clean) > 44  # 48.2 on all 39
    assert combine("miou")(clean) > combine("miou")(enlarged) + 20
