"""The small segmenter learns, and a training that is stopped goes on bit for bit."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from asasr_bench.bench.tasks import segmenter_training
from asasr_bench.bench.tasks.referee_training import TrainingDataError
from asasr_bench.bench.tasks.segmenter_training import SegmenterTraining, train_segmenter
from asasr_bench.datasets.dataset import DatasetError
from asasr_bench.datasets.images import write_png

SETTINGS = SegmenterTraining(
    classes=("sky", "road", "tree"), void=(11,), steps=12, batch=2, crop=48, width=4, save_every=4
)


def test_it_learns_and_goes_on_after_a_stop(street: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images, labels = street / "images", street / "labels"
    whole = train_segmenter(images, labels, replace(SETTINGS, steps=40), street / "whole")
    losses = [float(loss) for _, loss in csv.reader((street / "whole" / "log.csv").open())]
    assert losses[-1] < losses[0]
    assert whole.stat().st_size < 200_000

    straight = train_segmenter(images, labels, SETTINGS, street / "straight").read_bytes()
    original = segmenter_training._batch

    def stop(material, settings, step):  # type: ignore[no-untyped-def]
        if step == 9:
            raise KeyboardInterrupt
        return original(material, settings, step)

    monkeypatch.setattr(segmenter_training, "_batch", stop)
    with pytest.raises(KeyboardInterrupt):
        train_segmenter(images, labels, SETTINGS, street / "stopped")
    monkeypatch.setattr(segmenter_training, "_batch", original)
    assert train_segmenter(images, labels, SETTINGS, street / "stopped").read_bytes() == straight
    with pytest.raises(TrainingDataError, match="other settings"):
        train_segmenter(images, labels, replace(SETTINGS, batch=3), street / "stopped")


def test_unusable_material_is_named(street: Path) -> None:
    images, labels = street / "images", street / "labels"
    with pytest.raises(TrainingDataError, match="smaller than the crop of 96"):
        train_segmenter(images, labels, replace(SETTINGS, crop=96), street / "out")
    with pytest.raises(TrainingDataError, match="has label 2, but there are 2 classes"):
        train_segmenter(images, labels, replace(SETTINGS, classes=("a", "b")), street / "out")
    (labels / "1.png").rename(labels / "x.png")
    with pytest.raises(DatasetError, match="without partner: 1, x"):
        train_segmenter(images, labels, SETTINGS, street / "out")
    write_png(labels / "1.png", np.zeros((8, 8), dtype=np.uint8))
    (labels / "x.png").unlink()
    with pytest.raises(TrainingDataError, match=r"1.png is 8x8"):
        train_segmenter(images, labels, SETTINGS, street / "out")
