"""Semantic segmentation as metrics: an engine's classes of SR, against label maps or against its classes of HR."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from .....datasets.ground_truth.kinds import Labels
from ...card import MetricCard
from ...metric import Metric, Payload, SetMetric
from ...metric_input import MetricInput
from ..engine import EngineEntry, Segmenter, engine_of
from ..findings import in_hr, in_sr, task_metric
from .confusion import Measure, combine, confusion, resample

VERSION = "1"
MEASURES = {"miou": "mIoU", "macc": "mAcc", "aacc": "aAcc"}


def label_metric(name: str, entry: EngineEntry, *, consistency: bool, id: str) -> Metric:
    """The metric of a measure with an engine.

    Args:
        name: name of the measure, a key of ``MEASURES``.
        entry: the engine, not loaded.
        consistency: use the engine's classes of HR as the truth, instead of ground truth.
        id: id of the metric.
    """

    def matrices(inputs: Sequence[MetricInput], device: str) -> list[Payload]:
        engine: Segmenter = engine_of(entry, device)
        if consistency:
            truths = [
                Labels(classes, engine.classes) for classes in in_hr(entry, device, inputs, "labels", engine.segment)
            ]
        else:
            truths = [_truth(engine, image) for image in inputs]
        maps = in_sr(entry, device, inputs, "labels", engine.segment)
        return [confusion(truth.map, classes, len(engine.classes)) for truth, classes in zip(truths, maps, strict=True)]

    measure = cast(Measure, name)
    needs = "reference" if consistency else "labels"
    card = MetricCard(id, MEASURES[name], digits=2, needs=needs, version=VERSION)
    return task_metric(card, entry, matrices, SetMetric(combine(measure), resample(measure)))


def _truth(engine: Segmenter, image: MetricInput) -> Labels:
    truth = image.truths["labels"]
    assert isinstance(truth, Labels)
    if truth.classes and len(truth.classes) != len(engine.classes):
        raise ValueError(
            f"the truth has {len(truth.classes)} classes and the engine {len(engine.classes)}; use an engine that was"
            " trained for these classes, or compare with HR (…:hr)"
        )
    return truth
