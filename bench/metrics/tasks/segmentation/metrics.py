"""Semantic segmentation as metrics: an engine's classes of SR, against label maps or against its classes of HR."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

from .....datasets.ground_truth.kinds import Labels
from ...metric import Metric, Pair, Payload
from ..engine import EngineEntry, Segmenter, engine_of
from ..findings import found, images_of, in_hr, task_metric
from .confusion import Measure, combine, confusion, resample

VERSION = "1"
MEASURES = {"miou": "mIoU", "macc": "mAcc", "aacc": "aAcc"}


def label_metric(name: str, entry: EngineEntry, *, consistency: bool, id: str) -> Metric:
    """The metric of a measure with an engine; ``consistency``: the engine's classes of HR are the truth."""
    measure = cast(Measure, name)
    return task_metric(
        id, MEASURES[name], entry, needs="reference" if consistency else "labels", digits=2, version=VERSION,
        score=_matrices(entry, consistency), combine=combine(measure), resample=resample(measure),
    )  # fmt: skip


def _matrices(entry: EngineEntry, consistency: bool) -> Callable[[Sequence[Pair], str], list[Payload]]:
    """Confusion matrices of images; the engine runs once for all measures."""

    def matrices(pairs: Sequence[Pair], device: str) -> list[Payload]:
        def find(lacking: list[Pair]) -> list[Payload]:
            engine: Segmenter = engine_of(entry, device)
            truths = [_in_hr(entry, engine, pair) if consistency else _truth(engine, pair) for pair in lacking]
            maps = engine.segment(images_of(lacking))
            return [
                confusion(truth.map, classes, len(engine.classes)) for truth, classes in zip(truths, maps, strict=True)
            ]

        return found(pairs, f"labels {entry.name} {consistency}", find)

    return matrices


def _truth(engine: Segmenter, pair: Pair) -> Labels:
    truth = pair.truths["labels"]
    assert isinstance(truth, Labels)
    if truth.classes and len(truth.classes) != len(engine.classes):
        raise ValueError(
            f"the truth has {len(truth.classes)} classes and the engine {len(engine.classes)}; use an engine that was"
            " trained for these classes, or compare with HR (…:hr)"
        )
    return truth


def _in_hr(entry: EngineEntry, engine: Segmenter, pair: Pair) -> Labels:
    assert pair.hr is not None
    return Labels(in_hr(entry, "labels", pair.hr, engine.segment), engine.classes)
