"""Measure one metric on several images: networks take images of one size together; an error affects one image only."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from math import isnan
from pathlib import Path
from types import NoneType
from typing import TypeVar

import numpy as np

from ...datasets.errors import BenchError
from ..failures import called_exit
from .metric import Metric, Score
from .metric_input import MetricInput

Item = TypeVar("Item")
Result = TypeVar("Result")

GPU_BATCH = 8
"""Default number of images that a network takes together on a GPU: images of 512x512 fit into 8 GiB."""
MAX_UNTILED_PIXELS = 1 << 25
"""Largest number of pixels of an image for metrics that need the whole image at once (7680x4320 is just below), since
some need hundreds of bytes for each pixel."""
_DECODERS = 2


class TooLargeError(BenchError, ValueError):
    """An image is too large for a metric that needs it as a whole."""


def images_together(batch: int | None, device: str) -> int:
    """Number of images of a job: as the user says, else several on a GPU and one on a CPU."""
    if batch is not None:
        return batch
    gpu = Path("/proc/driver/nvidia/version").exists() if device == "auto" else device != "cpu"
    return GPU_BATCH if gpu else 1


def measure_each(metric: Metric, inputs: Sequence[MetricInput], device: str) -> list[Score | Exception]:
    """The score of every image, or the error why it has none. No value depends on the other images.

    Args:
        metric: the metric.
        inputs: images to measure.
        device: torch device for ``batched`` metrics; all others run on the CPU, image by image.
    """
    results: dict[int, Score | Exception] = {}
    groups: dict[tuple[object, ...], list[int]] = {}
    inputs = [image.seen_by(metric.fidelity) for image in inputs]
    for index, image in enumerate(inputs):
        height, width = image.sr.shape[:2]
        if height * width > MAX_UNTILED_PIXELS and not metric.any_size:
            results[index] = TooLargeError(
                f"{width}x{height} pixels are more than '{metric.id}' takes at once ({MAX_UNTILED_PIXELS}); measure a"
                " crop (--crop)"
            )
            continue
        together = (height, width, image.hr is None) if metric.batched else (index,)
        groups.setdefault(together, []).append(index)
    for indices in groups.values():
        scores = _measure(metric, [inputs[index] for index in indices], device if metric.batched else "cpu")
        results.update(zip(indices, scores, strict=True))
    return [results[index] for index in range(len(inputs))]


def _measure(metric: Metric, inputs: Sequence[MetricInput], device: str) -> list[Score | Exception]:
    """Scores of a batch; if the batch fails, each of its images is tried alone."""
    try:
        scores = [_checked(score) for score in metric.measure(inputs, device)]
        if len(scores) != len(inputs):
            raise ValueError(f"the metric gave {len(scores)} scores for {len(inputs)} images")
    except (Exception, SystemExit) as raised:
        error = called_exit(raised) if isinstance(raised, SystemExit) else raised
        if len(inputs) == 1:
            return [error]
        return [result for image in inputs for result in _measure(metric, [image], device)]
    undefined = ValueError("the metric is not defined for this image (NaN)")
    return [undefined if isnan(score.value) and metric.of_set is None else score for score in scores]


def _checked(score: Score) -> Score:
    """Check a score, since a user's own metric may return anything."""
    if not isinstance(score, Score) or not isinstance(score.payload, NoneType | np.ndarray):
        raise TypeError(f"a metric gives Score(value, payload), payload an array or None, and not {score!r:.100}")
    return Score(float(score.value), score.payload)


def ahead(function: Callable[[Item], Result], items: Sequence[Item], window: int) -> Iterator[Result]:
    """Results in order, computed by threads up to ``window`` items in advance."""
    with ThreadPoolExecutor(_DECODERS) as pool:
        running: deque[Future[Result]] = deque()
        try:
            for position in range(len(items)):
                while len(running) < window and position + len(running) < len(items):
                    running.append(pool.submit(function, items[position + len(running)]))
                yield running.popleft().result()
        finally:
            for future in running:
                future.cancel()


def grouped(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Lists of up to ``size`` items."""
    group: list[Item] = []
    for item in items:
        group.append(item)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group
