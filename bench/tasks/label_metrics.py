"""Semantic segmentation as metrics: an engine's classes of SR, against label maps or against its classes of HR."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import cast

from ...datasets.images import as_rgb
from ...datasets.truth import Labels
from ..metrics.metric import Metric, Pair, Payload
from .confusion import Measure, combine, confusion, resample, value_of
from .engine import EngineEntry, Memory, Segmenter, engine_of

VERSION = "1"
MEASURES = {"miou": "mIoU", "macc": "mAcc", "aacc": "aAcc"}
_HR = Memory()


def label_metric(name: str, entry: EngineEntry, *, consistency: bool, id: str) -> Metric:
    """The metric of a measure with an engine; ``consistency``: the engine's classes of HR are the truth."""
    measure = cast(Measure, name)
    matrix = _matrix(entry, consistency)
    return Metric(
        id, f"{MEASURES[name]} ({entry.title}{', HR' if consistency else ''})", "%", 2, "higher",
        f"{VERSION}, {entry.version}", lambda pair: value_of(measure, matrix(pair)),
        needs="reference" if consistency else "labels", payload=matrix, combine=combine(measure),
        resample=resample(measure), missing=entry.missing, weights=entry.weights, bounded=True,
    )  # fmt: skip


def _matrix(entry: EngineEntry, consistency: bool) -> Callable[[Pair], Payload]:
    """The confusion matrix of one image; the engine runs once for all measures."""

    def matrix(pair: Pair) -> Payload:
        key = f"{entry.name} {consistency}"
        if key not in pair.findings:
            engine: Segmenter = engine_of(entry)
            truth = _hr_labels(entry, engine, pair) if consistency else _labels(engine, pair)
            pair.findings[key] = confusion(truth.map, engine.segment(as_rgb(pair.sr)), len(engine.classes))
        found: Payload = pair.findings[key]
        return found

    return matrix


def _labels(engine: Segmenter, pair: Pair) -> Labels:
    truth = pair.truths["labels"]
    assert isinstance(truth, Labels)
    if truth.classes and len(truth.classes) != len(engine.classes):
        raise ValueError(
            f"the truth has {len(truth.classes)} classes and the engine {len(engine.classes)}; use an engine that was"
            " trained for these classes, or compare with HR (…:hr)"
        )
    return truth


def _hr_labels(entry: EngineEntry, engine: Segmenter, pair: Pair) -> Labels:
    assert pair.hr is not None
    hr = pair.hr
    key = entry.name, hashlib.sha256(hr.tobytes()).digest()
    return Labels(_HR.get(key, lambda: engine.segment(as_rgb(hr))), engine.classes)
