"""From what an engine finds in images to a metric: each image is looked at once, whatever is measured with it."""

from __future__ import annotations

import hashlib
import pickle
import zlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, TypeVar

from ....datasets.images import as_rgb
from ..card import MetricCard
from ..kept import kept_of_hr
from ..metric import Metric, Payload, Score, SetMetric
from ..metric_input import MetricInput
from ..requirements import Requirement
from .engine import Detection, EngineEntry, Image
from .ocr.rules import Reading

Finding = TypeVar("Finding")
Look = Callable[[list[Image]], Sequence[Finding]]


class Memory:
    """What an engine found in the images that it saw last, by their pixels.

    Args:
        limit: bytes that are kept, compressed; beyond it what was not asked for the longest is forgotten.
    """

    def __init__(self, limit: int = 1 << 26) -> None:
        self._limit, self._size = limit, 0
        self._kept: OrderedDict[tuple[object, ...], bytes] = OrderedDict()

    def recall(self, kind: str, images: Sequence[Image], look: Look[Finding]) -> list[Finding]:
        """What was found in each image; ``look`` is asked for all those together that are new.

        Args:
            kind: of what is looked for: an engine may look in several ways.
        """
        keys = [(kind, image.shape, hashlib.sha256(image.tobytes()).digest()) for image in images]
        new = {key: image for key, image in zip(keys, images, strict=True) if key not in self._kept}
        fresh = dict(zip(new, look(list(new.values())), strict=True)) if new else {}
        findings = [fresh[key] if key in fresh else self._recalled(key) for key in keys]
        for key, finding in fresh.items():
            self._keep(key, zlib.compress(pickle.dumps(finding), 1))
        return findings

    def _recalled(self, key: tuple[object, ...]) -> Any:
        self._kept.move_to_end(key)
        return pickle.loads(zlib.decompress(self._kept[key]))

    def _keep(self, key: tuple[object, ...], packed: bytes) -> None:
        self._kept[key] = packed
        self._size += len(packed)
        while self._size > self._limit:
            self._size -= len(self._kept.popitem(last=False)[1])


def in_sr(
    entry: EngineEntry, device: str, inputs: Sequence[MetricInput], kind: str, look: Look[Finding]
) -> list[Finding]:
    """What an engine finds in SR images of one size; it sees each once, whichever measures ask.

    Args:
        entry: of the engine.
        device: on which it is loaded.
        inputs: the images.
        kind: see ``Memory.recall``.
        look: the engine's method.
    """
    return _memory(entry, entry.weights(), device).recall(kind, [as_rgb(image.sr) for image in inputs], look)


def in_hr(
    entry: EngineEntry, device: str, inputs: Sequence[MetricInput], kind: str, look: Look[Finding]
) -> list[Finding]:
    """The same of HR, which comes back with every method; image by image, so that it depends on no batch.

    Other workers and later runs read it from disk.

    Args:
        entry, device, inputs, kind, look: see ``in_sr``.
    """
    weights = entry.weights()
    memory, kept = _memory(entry, weights, device), kept_of_hr(Reading, Detection)
    identity = ("findings", entry.name, entry.version, weights, device.partition(":")[0], kind)

    def look_once(images: list[Image]) -> list[Finding]:
        (image,) = images
        return [kept.of_image(image, identity, lambda: look([image])[0])]

    once = look_once if entry.kept else look
    return [memory.recall(kind, [as_rgb(image.hr)], once)[0] for image in inputs if image.hr is not None]


@lru_cache(maxsize=8)
def _memory(entry: EngineEntry, weights: str, device: str) -> Memory:
    return Memory()


Payloads = Callable[[Sequence[MetricInput], str], list[Payload]]
"""Payloads of images of one size, on a device."""


def task_metric(
    card: MetricCard, entry: EngineEntry, payloads: Payloads, of_set: SetMetric, *requires: Requirement
) -> Metric:
    """A metric in percent of payloads that an engine gives; its value of an image is that of a set of one.

    Args:
        card: without unit; the engine joins its title and its version.
        entry: of the engine.
        payloads: what the engine finds, as ``of_set`` counts it.
        of_set: the value of a set from them.
        requires: what it needs beside the engine.
    """

    def measure(inputs: Sequence[MetricInput], device: str) -> list[Score]:
        return [Score(of_set.combine([payload]), payload) for payload in payloads(inputs, device)]

    title = f"{card.title} ({entry.title}{', HR' if card.needs == 'reference' else ''})"
    version = f"{card.version}, {entry.version}"
    card = replace(card, title=title, unit="%", direction="higher", bounded=True, version=version, note=entry.note)
    return Metric(card, measure, of_set, (entry, *requires), batched=True)
