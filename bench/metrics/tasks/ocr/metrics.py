"""OCR as metrics: what an engine reads in SR, against transcriptions or against what it reads in HR."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from .....datasets.ground_truth.kinds import Text, Word
from ...metric import Floats, Metric, Pair, Payload
from ..engine import EngineEntry, TextReader, engine_of, not_installed
from ..findings import found, images_of, in_hr, task_metric
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
    """The metric of a measure with an engine; ``consistency``: HR's readings are the truth."""
    ratio = MEASURES[name]

    def combine(payloads: Sequence[Payload]) -> float:
        return float(ratio.of(np.sum(payloads, axis=0)))

    def resample(payloads: Sequence[Payload], drawn: Floats) -> Floats:
        return ratio.of(drawn @ np.stack(payloads))

    return task_metric(
        id, ratio.title, entry, needs="reference" if consistency else "text", digits=1,
        version=f"{VERSION}, rules {RULES}", score=_counts(entry, consistency), combine=combine, resample=resample,
        missing=lambda: not_installed("shapely", "ocr") or not_installed("rapidfuzz", "ocr"),
    )  # fmt: skip


def _counts(entry: EngineEntry, consistency: bool) -> Callable[[Sequence[Pair], str], list[Payload]]:
    """Counts of images; the engine and the pairing run once for all measures."""

    def counts(pairs: Sequence[Pair], device: str) -> list[Payload]:
        def find(lacking: list[Pair]) -> list[Payload]:
            engine: TextReader = engine_of(entry, device)
            truths = [_in_hr(entry, engine, pair) if consistency else _truth(pair) for pair in lacking]
            scores: dict[int, Payload] = {}
            for one_word in (False, True):
                alike = [number for number, truth in enumerate(truths) if is_word_crop(truth) == one_word]
                if alike:
                    readings = engine.read(images_of([lacking[number] for number in alike]), one_word=one_word)
                    for number, read in zip(alike, readings, strict=True):
                        scores[number] = score_text(truths[number], read)
            return [scores[number] for number in range(len(lacking))]

        return found(pairs, f"text {entry.name} {consistency}", find)

    return counts


def _truth(pair: Pair) -> Text:
    truth = pair.truths["text"]
    assert isinstance(truth, Text)
    return truth


def _in_hr(entry: EngineEntry, engine: TextReader, pair: Pair) -> Text:
    assert pair.hr is not None
    readings: tuple[Reading, ...] = in_hr(entry, "text", pair.hr, partial(engine.read, one_word=False))
    return Text(tuple(Word(one.text, one.polygon) for one in readings))
