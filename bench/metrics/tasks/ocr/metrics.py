"""OCR as metrics: what an engine reads in SR, against transcriptions or against what it reads in HR."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from .....datasets.ground_truth.kinds import Text, Word
from ...card import Floats, MetricCard
from ...metric import Metric, Payload, SetMetric
from ...metric_input import MetricInput
from ...requirements import Library
from ..engine import EngineEntry, TextReader, engine_of
from ..findings import in_hr, in_sr, task_metric
from .rules import COLUMNS, RULES, Reading, is_word_crop, score_text

VERSION = "1"


@dataclass(frozen=True)
class _Ratio:
    """A score as a ratio of counts, in percent."""

    title: str
    above: tuple[str, ...]
    below: tuple[str, ...]

    def of(self, sums: Floats) -> Floats:
        """``[..., counts]`` to ``[...]``; NaN where there is nothing to count."""
        above, below = (
            sums[..., [COLUMNS.index(name) for name in names]].sum(-1) for names in (self.above, self.below)
        )
        result: Floats = np.divide(100 * above, below, out=np.full(np.shape(above), np.nan), where=below > 0)
        return result


MEASURES = {
    "ocr_recall": _Ratio("OCR recall", ("words paired",), ("words written",)),
    "ocr_precision": _Ratio("OCR precision", ("words paired",), ("words read",)),
    "ocr_f": _Ratio("OCR F", ("words paired", "words paired"), ("words written", "words read")),
    "ocr_1ned": _Ratio("1-NED", ("similarity",), ("similarity of",)),
    "word_accuracy": _Ratio("Word accuracy", ("image right",), ("images",)),
    "text_recall": _Ratio("Text detection recall", ("regions paired",), ("regions true",)),
    "text_precision": _Ratio("Text detection precision", ("regions paired",), ("regions found",)),
    "text_f": _Ratio("Text detection F", ("regions paired", "regions paired"), ("regions true", "regions found")),
}
"""Measures by id, before the engine."""


def text_metric(name: str, entry: EngineEntry, *, consistency: bool, id: str) -> Metric:
    """The metric of a measure with an engine.

    Args:
        name: name of the measure, a key of ``MEASURES``.
        entry: the engine, not loaded.
        consistency: use the engine's readings of HR as the truth, instead of ground truth.
        id: id of the metric.
    """
    ratio = MEASURES[name]

    def combine(payloads: Sequence[Payload]) -> float:
        return float(ratio.of(np.sum(payloads, axis=0)))

    def resample(payloads: Sequence[Payload], draws: Floats) -> Floats:
        return ratio.of(draws @ np.stack(payloads))

    needs = "reference" if consistency else "text"
    card = MetricCard(id, ratio.title, digits=1, needs=needs, version=f"{VERSION}, rules {RULES}")
    counts, libraries = partial(_counts, entry, consistency), (Library("shapely", "ocr"), Library("rapidfuzz", "ocr"))
    return task_metric(card, entry, counts, SetMetric(combine, resample), *libraries)


def _counts(entry: EngineEntry, consistency: bool, inputs: Sequence[MetricInput], device: str) -> list[Payload]:
    """Counts of each image."""
    engine: TextReader = engine_of(entry, device)
    if consistency:
        truths = [
            _as_truth(words) for words in in_hr(entry, device, inputs, "text", partial(engine.read, one_word=False))
        ]
    else:
        truths = [_truth(image) for image in inputs]
    counts: dict[int, Payload] = {}
    for one_word in (False, True):
        alike = [number for number, truth in enumerate(truths) if is_word_crop(truth) == one_word]
        read = partial(engine.read, one_word=one_word)
        kind = "word" if one_word else "text"
        readings = in_sr(entry, device, [inputs[number] for number in alike], kind, read)
        for number, words in zip(alike, readings, strict=True):
            counts[number] = score_text(truths[number], words)
    return [counts[number] for number in range(len(inputs))]


def _truth(image: MetricInput) -> Text:
    truth = image.truths["text"]
    assert isinstance(truth, Text)
    return truth


def _as_truth(readings: Sequence[Reading]) -> Text:
    return Text(tuple(Word(reading.text, reading.polygon) for reading in readings))
