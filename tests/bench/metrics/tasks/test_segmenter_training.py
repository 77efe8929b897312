"""The small segmenter learns, and a training that is stopped goes on bit for bit."""

from __future__ import annotations

import csv
import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from asasr_bench.asasr.training.stopping import TrainingStopped
from asasr_bench.bench.train.referees import segmenter as segmenter_training
from asasr_bench.bench.train.referees.loop import TrainingDataError
from asasr_bench.bench.train.referees.segmenter import SegmenterTraining, train_segmenter
from asasr_bench.datasets.errors import DatasetError
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


def test_a_signal_costs_no_step(street: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The state is that of the step in which it came, and neither weights nor log show the stop."""
    images, labels = street / "images", street / "labels"
    straight = train_segmenter(images, labels, SETTINGS, street / "undisturbed").read_bytes()
    original = segmenter_training._batch

    def asked(material, settings, step):  # type: ignore[no-untyped-def]
        if step == 5:
            os.kill(os.getpid(), signal.SIGTERM)
        return original(material, settings, step)

    with monkeypatch.context() as patch:
        patch.setattr(segmenter_training, "_batch", asked)
        with pytest.raises(TrainingStopped, match="stopped after step 6 of 12") as stopped:
            train_segmenter(images, labels, SETTINGS, street / "asked")
    assert stopped.value.signal == signal.SIGTERM
    steps: list[int] = []
    counted = lambda material, settings, step: steps.append(step) or original(material, settings, step)  # noqa: E731
    monkeypatch.setattr(segmenter_training, "_batch", counted)
    assert train_segmenter(images, labels, SETTINGS, street / "asked").read_bytes() == straight
    assert steps == [6, 7, 8, 9, 10, 11]
    assert (street / "asked" / "log.csv").read_text() == (street / "undisturbed" / "log.csv").read_text()


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
