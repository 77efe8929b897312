"""Task metrics by id: ``MEASURE:ENGINE``, and ``MEASURE:ENGINE:hr`` where the engine's findings in HR are the truth."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from ....datasets.names import did_you_mean
from ..metric import Metric, MetricError
from .detection import metrics as object_metrics
from .detection.engines import detector
from .detection.ssd import NAME as BOXES_ALONE
from .engine import EngineEntry, EngineError
from .ocr import metrics as text_metrics
from .ocr.engines import readers
from .referees import DETECTORS, REFEREES
from .segmentation import metrics as label_metrics
from .segmentation.engines import segmenter

_HR = "hr"
_DEFAULT = dict.fromkeys(text_metrics.MEASURES, "rapidocr")
_USUAL = {
    **dict.fromkeys(text_metrics.MEASURES, ("rapidocr", "tesseract", "easyocr")),
    **dict.fromkeys(label_metrics.MEASURES, (*REFEREES, "transformers/NAME", "mmseg/NAME")),
    **{
        name: (*DETECTORS, *(() if name.startswith("ap_mask") else (BOXES_ALONE,)), "maskrcnn", "yolo/FILE.pt")
        for name in object_metrics.MEASURES
    },
}

Make = Callable[..., Metric]


def measures() -> dict[str, tuple[str, ...]]:
    """Every measure with its engines as a list shows them."""
    return dict(_USUAL)


def is_task_id(id: str) -> bool:
    """Whether an id names a task metric."""
    return id.partition(":")[0] in _USUAL


@lru_cache(maxsize=256)
def task_metric(id: str) -> Metric:
    """The metric of an id; text measures without an engine use RapidOCR.

    Raises:
        MetricError: no such measure or engine.
    """
    name, _, rest = id.partition(":")
    engine, _, mode = rest.partition(":")
    if engine == _HR and not mode:
        engine, mode = "", _HR
    engine = engine or _DEFAULT.get(name, "")
    if not engine:
        raise MetricError(f"metric '{id}' needs an engine: {', '.join(f'{name}:{usual}' for usual in _USUAL[name])}")
    if mode not in ("", _HR):
        raise MetricError(f"metric '{id}': after the engine there may be ':hr' (HR is the truth), not ':{mode}'")
    try:
        entry, make = _engine(name, engine)
    except EngineError as error:
        raise MetricError(f"metric '{id}': {error}") from None
    full = f"{name}:{engine}{':' if mode else ''}{mode}"
    return make(name, entry, consistency=mode == _HR, id=full)


def _engine(name: str, engine: str) -> tuple[EngineEntry, Make]:
    kind, _, file = engine.partition("/")
    if name in text_metrics.MEASURES:
        if engine not in readers():
            raise EngineError(f"unknown OCR engine '{engine}'{did_you_mean(engine, readers())}")
        return readers()[engine], text_metrics.text_metric
    if name in label_metrics.MEASURES:
        return segmenter(kind, file), label_metrics.label_metric
    return detector(kind, file), object_metrics.object_metric
