"""One metric over several images: networks take those of one size together, and a bad image costs itself alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import compress
from pathlib import Path
from typing import TypeVar

import numpy as np

from ...datasets.errors import BenchError
from ..failures import called_exit, no_exit
from .metric import Metric, Pair

Item = TypeVar("Item")
Result = TypeVar("Result")

GPU_BATCH = 8
"""Images that go through a network together on a GPU unless the user says otherwise: 512x512 fits 8 GiB."""
MOST_AT_ONCE = 1 << 25
"""Pixels of the largest image that metrics take which need all of it at once (7680x4320 is just below): some keep
hundreds of bytes for each pixel."""
_DECODERS = 2


class TooLargeError(BenchError, ValueError):
    """An image that a metric does not take as a whole."""


def images_together(batch: int | None, device: str) -> int:
    """How many images a job has: what the user says, else several where there is a GPU and one where there is none."""
    if batch is not None:
        return batch
    gpu = Path("/proc/driver/nvidia/version").exists() if device == "auto" else device != "cpu"
    return GPU_BATCH if gpu else 1


def measure_each(metric: Metric, pairs: Sequence[Pair], device: str) -> list[float | Exception]:
    """The value of every pair, or why it has none. No value depends on what it is measured together with.

    Args:
        device: for networks; all other metrics run on the CPU.
    """
    if not metric.any_size:
        small = [pair.sr.shape[0] * pair.sr.shape[1] <= MOST_AT_ONCE for pair in pairs]
        if not all(small):
            found = iter(measure_each(metric, list(compress(pairs, small)), device))
            return [next(found) if one else _too_large(metric, pair) for pair, one in zip(pairs, small, strict=True)]
    if metric.measure_many is None:
        return [_alone(metric, pair) for pair in pairs]
    groups: dict[tuple[object, ...], list[int]] = {}
    for index, pair in enumerate(pairs):
        groups.setdefault((pair.sr.shape[:2], pair.hr is None), []).append(index)
    results: dict[int, float | Exception] = {}
    for indices in groups.values():
        results.update(zip(indices, _together(metric, [pairs[index] for index in indices], device), strict=True))
    return [results[index] for index in range(len(pairs))]


def _too_large(metric: Metric, pair: Pair) -> TooLargeError:
    height, width = pair.sr.shape[:2]
    return TooLargeError(
        f"{width}x{height} pixels are more than '{metric.id}' takes at once ({MOST_AT_ONCE}); measure a crop (--crop)"
    )


def _together(metric: Metric, pairs: Sequence[Pair], device: str) -> list[float | Exception]:
    assert metric.measure_many is not None
    try:
        with no_exit():
            values = metric.measure_many(pairs, device)
    except Exception as error:
        if len(pairs) == 1:
            return [error]
        return [result for pair in pairs for result in _together(metric, [pair], device)]
    return [_defined(metric, value) for value in values]


def _alone(metric: Metric, pair: Pair) -> float | Exception:
    try:
        return _defined(metric, metric.measure(pair))
    except SystemExit as error:
        return called_exit(error)
    except Exception as error:
        return error


def _defined(metric: Metric, value: float) -> float | Exception:
    if np.isnan(value) and metric.combine is None:  # one that is defined for sets alone has payloads
        return ValueError("the metric is not defined for this image (NaN)")
    return value


def ahead(function: Callable[[Item], Result], items: Sequence[Item], window: int) -> Iterator[Result]:
    """Results in order, computed by threads up to ``window`` items before they are asked for."""
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
