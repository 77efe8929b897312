"""Task metrics by id: ``MEASURE:ENGINE``, and ``MEASURE:ENGINE:hr`` where the engine's findings in HR are the truth."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from ....datasets.names import did_you_mean
from ....methods.user_code.references import ObjectReference, anchored_object, is_object
from ..card import MetricCard
from ..metric import Metric, MetricError
from .detection import metrics as object_metrics
from .detection.engines import detector
from .detection.ssd import NAME as BOXES_ALONE
from .engine import Detector, EngineEntry, EngineError, Segmenter, TextReader
from .ocr import metrics as text_metrics
from .ocr.engines import readers
from .referees import DETECTORS, REFEREES
from .segmentation import metrics as label_metrics
from .segmentation.engines import segmenter
from .user_engines import absent_engine, installed_engines, user_engine

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


@dataclass(frozen=True)
class TaskId:
    """A task metric's id in its parts."""

    measure: str
    engine: str
    """The package's by name, an installed one, or somebody's ``FILE.py:object``, ``module:object``; '': the default."""
    of_hr: bool
    """The engine's findings in HR are the truth."""

    @classmethod
    def parse(cls, id: str) -> TaskId:
        """Its parts; the engine of text measures is RapidOCR unless the id names one.

        Raises:
            MetricError: a measure without a default engine, or something else than ``:hr`` after the engine.
        """
        measure, _, engine_and_mode = id.partition(":")
        engine, _, mode = (
            engine_and_mode.rpartition(":") if engine_and_mode.endswith(f":{_HR}") else (engine_and_mode, "", "")
        )
        if engine_and_mode == _HR:
            engine, mode = "", _HR
        task = cls(measure, engine or _DEFAULT.get(measure, ""), mode == _HR)
        if not task.engine:
            known = ", ".join(f"{measure}:{usual}" for usual in _USUAL[measure])
            raise MetricError(f"metric '{id}' needs an engine: {known}")
        _, colon, after = task.engine.partition(":")
        if colon and (task.is_shipped or not is_object(task.engine)):
            raise MetricError(f"metric '{id}': after the engine there may be ':hr' (HR is the truth), not ':{after}'")
        return task

    @property
    def is_shipped(self) -> bool:
        """Whether the engine is one of the package's kinds."""
        kind = re.split(r"[:/]", self.engine)[0]
        return kind in {usual.partition("/")[0] for usual in (*_USUAL[self.measure], BOXES_ALONE)}

    @property
    def is_code(self) -> bool:
        """Whether the engine is somebody's code, given by its place."""
        return not self.is_shipped and is_object(self.engine)

    @property
    def text(self) -> str:
        """The whole id."""
        return f"{self.measure}:{self.engine}{f':{_HR}' if self.of_hr else ''}"


def task_metric(reference: ObjectReference) -> Metric:
    """The metric of an id, with the package's engine, an installed one, or somebody's code.

    Raises:
        MetricError: no such measure or engine, or code that cannot be used.
    """
    task = TaskId.parse(reference.text)
    if task.is_shipped or not (task.is_code or task.engine in installed_engines()):
        if reference.arguments or reference.name:
            raise MetricError(f"metric '{reference.text}': 'args' and 'name' go with an engine of your own")
        return _shipped(task)
    placed = replace(task, engine=anchored_object(task.engine, Path.cwd())) if task.is_code else task
    try:
        entry = user_engine(placed.engine, reference.args, _INTERFACES[_kind(task.measure)], reference.name)
    except EngineError as error:
        raise MetricError(f"metric '{reference.text}': {error}") from error
    named = replace(task, engine=entry.name)
    if named.is_shipped:
        raise MetricError(
            f"metric '{reference.text}': asasr-bench has an engine '{entry.name}' itself; give yours another name"
        )
    metric = _of_entry(named, entry)
    return replace(metric, code=replace(reference, text=placed.text))


def task_metric_of_card(id: str, card: MetricCard | None) -> Metric:
    """The metric of an id for values that were stored: no code of other people is imported for it.

    Raises:
        MetricError: no such measure.
    """
    task = TaskId.parse(id)
    if task.is_shipped or card is None:
        return _shipped(task)
    metric = _of_entry(task, absent_engine(task.engine))
    return replace(metric, card=card)


@lru_cache(maxsize=256)
def _shipped(task: TaskId) -> Metric:
    try:
        entry = _engine(task.measure, task.engine)
    except EngineError as error:
        raise MetricError(f"metric '{task.text}': {error}") from None
    return _of_entry(task, entry)


def _of_entry(task: TaskId, entry: EngineEntry) -> Metric:
    make = _MAKE[_kind(task.measure)]
    return make(task.measure, entry, consistency=task.of_hr, id=task.text)


def _kind(measure: str) -> str:
    return next(kind for kind, measures in _MEASURES.items() if measure in measures)


_MEASURES: dict[str, Mapping[str, object]] = {
    "text": text_metrics.MEASURES,
    "labels": label_metrics.MEASURES,
    "objects": object_metrics.MEASURES,
}
_MAKE: dict[str, Make] = {
    "text": text_metrics.text_metric,
    "labels": label_metrics.label_metric,
    "objects": object_metrics.object_metric,
}
_INTERFACES: dict[str, type] = {"text": TextReader, "labels": Segmenter, "objects": Detector}


def _engine(name: str, engine: str) -> EngineEntry:
    kind, _, file = engine.partition("/")
    if name in text_metrics.MEASURES:
        if engine not in readers():
            known = (*readers(), *installed_engines())
            raise EngineError(f"unknown OCR engine '{engine}'{did_you_mean(engine, known)}")
        return readers()[engine]
    return segmenter(kind, file) if name in label_metrics.MEASURES else detector(kind, file)
