"""From what an engine finds in images to a metric: each image is looked at once, whatever is measured with it."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....datasets.images import as_rgb
from ..metric import Floats, Metric, Need, Pair, Payload
from .engine import EngineEntry, Image

_REMEMBERED = 512
"""HR images come back with every method."""


def task_metric(
    id: str, title: str, entry: EngineEntry, *, needs: Need, digits: int, version: str,
    score: Callable[[Sequence[Pair], str], list[Payload]], combine: Callable[[Sequence[Payload]], float],
    resample: Callable[[Sequence[Payload], Floats], Floats],
    missing: Callable[[], str] = lambda: "",
) -> Metric:  # fmt: skip
    """A metric in percent of payloads that an engine gives; its value of an image is that of a set of one.

    Args:
        score: payloads of images of one size, found on a device and kept in ``Pair.findings``.
        missing: what is lacking beside the engine; see ``Metric``.
    """

    def measure_many(pairs: Sequence[Pair], device: str) -> list[float]:
        return [combine([payload]) for payload in score(pairs, device)]

    source = ", HR" if needs == "reference" else ""
    return Metric(
        id, f"{title} ({entry.title}{source})", "%", digits, "higher", f"{version}, {entry.version}",
        lambda pair: measure_many([pair], "cpu")[0], needs=needs, payload=lambda pair: score([pair], "cpu")[0],
        combine=combine, resample=resample, missing=lambda: entry.missing() or missing(),
        weights=entry.weights, bounded=True, measure_many=measure_many,
    )  # fmt: skip


def found(pairs: Sequence[Pair], key: str, find: Callable[[list[Pair]], Iterable[Any]]) -> list[Any]:
    """What ``find`` gives for each pair; asked only for those whose findings lack the key."""
    lacking = [pair for pair in pairs if key not in pair.findings]
    if lacking:
        for pair, one in zip(lacking, find(lacking), strict=True):
            pair.findings[key] = one
    return [pair.findings[key] for pair in pairs]


def images_of(pairs: Sequence[Pair]) -> list[Image]:
    """SR of every pair as RGB."""
    return [as_rgb(pair.sr) for pair in pairs]


def in_hr(entry: EngineEntry, what: str, hr: NDArray[np.uint8], find: Callable[[list[Image]], list[Any]]) -> Any:
    """What an engine finds in an HR image; remembered, for it comes back with every method."""
    key = entry.name, entry.weights(), what, hashlib.sha256(hr.tobytes()).digest()
    if key not in _in_hr:
        _in_hr[key] = find([as_rgb(hr)])[0]
        if len(_in_hr) > _REMEMBERED:
            _in_hr.popitem(last=False)
    _in_hr.move_to_end(key)
    return _in_hr[key]


_in_hr: OrderedDict[tuple[object, ...], Any] = OrderedDict()
