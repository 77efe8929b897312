"""The small detector: objects come back out of their own targets, it learns, and its AP is COCO's."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from asasr_bench.bench.metrics.tasks.detection.average_precision import Measure, combine, pack
from asasr_bench.bench.metrics.tasks.referees import SmallReferee
from asasr_bench.bench.metrics.tasks.small_detector import objects_of, targets_of
from asasr_bench.bench.train.referees.toys import NAMES, ToyTraining, _scene, train_detector
from asasr_bench.datasets.drawn.objects import draw_object_scene
from asasr_bench.datasets.ground_truth.instances import read_instances
from torch import Tensor
from torch.nn import functional


def _planes(seed: int) -> Tensor:
    """What a network without any error would say of a scene."""
    scene = _scene(seed)
    targets = targets_of(torch.from_numpy(scene.owner.astype(np.int64)), scene.categories)
    classes = functional.one_hot(targets.classes[0], len(NAMES)).permute(2, 0, 1) * 20.0
    return torch.cat([classes, torch.logit(targets.nearness, 1e-4), targets.offsets[0]])


@pytest.mark.parametrize("seed", [50, 51])
def test_objects_come_back_out_of_their_targets(seed: int) -> None:
    result = objects_of(_planes(seed), NAMES)
    drawn = draw_object_scene(seed).instances
    assert len(result) == len(drawn)
    for one in drawn:
        same = [other for other in result if other.box == tuple(map(float, one.box))]
        assert [other.category for other in same] == [one.category]
        assert same[0].mask is not None
        assert not (same[0].mask & ~one.mask).any()
        assert same[0].mask.sum() >= 0.9 * one.mask.sum()  # small parts that another toy cuts off count as specks


def test_no_objects_in_nothing() -> None:
    empty = torch.zeros(len(NAMES) + 3, 64, 64)
    empty[0], empty[len(NAMES)] = 20, -20
    assert objects_of(empty, NAMES) == ()
    empty[len(NAMES), 30, 30] = 20  # a centre, and no pixel that is an object's
    assert objects_of(empty, NAMES) == ()


def test_specks_do_not_widen_a_box() -> None:
    planes = _planes(50)
    whole = objects_of(planes, NAMES)
    rows, columns = (planes[:11].argmax(0) == 0).nonzero(as_tuple=True)
    planes[: len(NAMES), rows[0], columns[0]] = torch.eye(len(NAMES))[3] * 20.0
    assert [one.box for one in objects_of(planes, NAMES)] == [one.box for one in whole]


def test_it_learns_and_is_used_from_its_file(tmp_path: Path) -> None:
    settings = ToyTraining(steps=24, batch=2, crop=96, width=4, scenes=3, save_every=8)
    path = train_detector(settings, tmp_path / "a")
    losses = [float(loss) for _, loss in csv.reader((tmp_path / "a" / "log.csv").open())]
    assert losses[-1] < losses[0]
    assert train_detector(settings, tmp_path / "b").read_bytes() == path.read_bytes()
    engine = SmallReferee(path, "cpu")
    image = draw_object_scene(50, (96, 128)).pixels
    assert engine.classes == NAMES
    assert engine.segment([image, image])[1].shape == (96, 128)
    assert len(engine.detect([image, image])) == 2


@pytest.mark.slow
def test_the_shipped_referee_finds_what_was_drawn(tmp_path: Path) -> None:
    """On scenes of other seeds, clean and enlarged from a degraded quarter of the size."""
    pytest.importorskip("pycocotools")
    from asasr_bench.bench.metrics.tasks.detection.metrics import _rows
    from asasr_bench.bench.metrics.tasks.engine import engine_of
    from asasr_bench.bench.metrics.tasks.referees import referee
    from asasr_bench.datasets.drawn.objects import build_object_scenes
    from asasr_bench.datasets.images import read_image
    from asasr_bench.datasets.imresize import imresize
    from asasr_bench.datasets.lq import make_lq, parse_lq_rule

    build_object_scenes(tmp_path, count=12, first_seed=500_000)
    truths = read_instances(tmp_path / "instances.json")
    engine = engine_of(referee("toys"))
    assert json.loads((tmp_path / "instances.json").read_text())["categories"][0]["name"] == engine.classes[1]
    payloads: dict[str, list[np.ndarray]] = {"clean": [], "enlarged": []}
    rule = parse_lq_rule("degradation:realesrgan-x4", 4)
    for stem, source in truths.items():
        clean = read_image(tmp_path / "HR" / f"{stem}.png")
        enlarged = imresize(make_lq(clean, rule, 4).astype(float), 4)
        truth = source.load(256, 256)
        for name, image in (("clean", clean), ("enlarged", np.clip(np.round(enlarged), 0, 255).astype(np.uint8))):
            payloads[name].append(pack(truth, _rows(engine.detect([image])[0], truth, masks=True)))
    for kind, least in (("bbox", 30), ("segm", 20)):  # 39 and 29 on 20 scenes of drawn-toys; enlarged 10 and 7
        clean_ap, enlarged_ap = (combine(Measure(kind))(payloads[name]) for name in ("clean", "enlarged"))
        assert clean_ap > least
        assert clean_ap > 2 * enlarged_ap


def test_settings_of_another_training_are_refused(tmp_path: Path) -> None:
    from asasr_bench.bench.train.referees.loop import TrainingDataError

    settings = ToyTraining(steps=2, batch=1, crop=96, width=4, scenes=1)
    train_detector(settings, tmp_path)
    with pytest.raises(TrainingDataError, match="other settings"):
        train_detector(replace(settings, scenes=2), tmp_path)
