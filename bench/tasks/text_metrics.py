"""OCR as metrics: what an engine reads in SR, against transcriptions or against what it reads in HR."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...datasets.images import as_rgb
from ...datasets.truth import Text, Word
from ..metrics.metric import Metric, Pair, Payload
from .engine import EngineEntry, Memory, Reading, engine_of
from .reading import COLUMNS, RULES, score_text

VERSION = "1"
Floats = NDArray[np.float64]


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
    source = _hr_reader(entry) if consistency else _truth
    counts = _counter(entry, source)

    def combine(payloads: Sequence[Payload]) -> float:
        return float(ratio.of(np.sum(payloads, axis=0)))

    def resample(payloads: Sequence[Payload], drawn: Floats) -> Floats:
        return ratio.of(drawn @ np.stack(payloads))

    return Metric(
        id, f"{ratio.title} ({entry.title}{', HR' if consistency else ''})", "%", 1, "higher",
        f"{VERSION}, rules {RULES}, {entry.version}", lambda pair: float(ratio.of(counts(pair))),
        needs="reference" if consistency else "text", payload=counts, combine=combine, resample=resample,
        missing=entry.missing, weights=entry.weights, bounded=True,
    )  # fmt: skip


def _truth(pair: Pair) -> Text:
    truth = pair.truths["text"]
    assert isinstance(truth, Text)
    return truth


_HR = Memory()


def _hr_reader(entry: EngineEntry) -> Callable[[Pair], Text]:
    def read(pair: Pair) -> Text:
        assert pair.hr is not None
        hr = pair.hr
        key = entry.name, hashlib.sha256(hr.tobytes()).digest()
        readings: tuple[Reading, ...] = _HR.get(key, lambda: engine_of(entry).read(as_rgb(hr), one_word=False))
        return Text(tuple(Word(one.text, one.polygon) for one in readings))

    return read


def _counter(entry: EngineEntry, source: Callable[[Pair], Text]) -> Callable[[Pair], Payload]:
    """Counts of one image; the engine and the pairing run once for all measures."""

    def counts(pair: Pair) -> Payload:
        key = f"{entry.name} {source is _truth}"
        if key not in pair.findings:
            truth = source(pair)
            one_word = len(truth.words) == 1 and not truth.words[0].polygon
            readings = engine_of(entry).read(as_rgb(pair.sr), one_word=one_word)
            pair.findings[key] = score_text(truth, readings)
        found: Payload = pair.findings[key]
        return found

    return counts
