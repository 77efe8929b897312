"""Restore images of one size as batches; each result is the same as alone, and a failure affects one image only."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from ...methods.interface import Method, PixelMethod
from ...methods.networks.tiling import PIXELS_AT_ONCE
from ..failures import Failure
from ..metrics.measure import grouped
from ..store.images import Pixels, StoreError
from .cost import Meter
from .restore_image import LqImage, Restored, counter_for, restore_batch, restore_image

MOST_DIFFERENCE = 1.0
"""Largest root mean square difference, in grey levels, between an image in a batch and the same image alone. The order
of sums depends on the size of the batch: with float32 one pixel in ten thousand changes by a level, with 16 bits about
one in ten."""


@dataclass
class BatchCheck:
    """What is known of a loaded method in batches; it is tried once, on the first of them."""

    depends: bool | None = None
    """Whether an image depends on what it is restored with, as where a network normalises over its batch: then images
    are restored one by one. None: not tried yet."""


@dataclass(frozen=True)
class Batches:
    """How many images go together."""

    images: int = 1
    """At most."""
    pixels: int | None = PIXELS_AT_ONCE
    """LQ pixels of them together, which bounds memory; None: any number. One image may have more."""

    def size(self, height: int, width: int) -> int:
        """How many images of this LQ size."""
        return self.images if self.pixels is None else max(1, min(self.images, self.pixels // (height * width)))


ALONE = Batches()
"""Image by image."""


def restore_in_batches(
    method: Method,
    images: Sequence[LqImage],
    scale: float,
    seed: int,
    device: str,
    batches: Batches,
    check: BatchCheck,
    alone: Callable[[LqImage], Restored | Failure],
) -> Iterator[Restored | Failure]:
    """Restore images, those of one LQ size together; as many are in memory as go together at most.

    The seconds and memory of an image are its share of its batch. If a batch fails, for example for lack of memory,
    each of its images is restored alone.

    Args:
        method: loaded on the device.
        images: each is loaded when it is its turn.
        alone: restores one image, or says why it cannot.

    Yields:
        What became of each image, in their order.

    Raises:
        StoreError: an image cannot be loaded since the store cannot be read; no further image could be loaded either.
    """
    for window in grouped(images, batches.images):
        outcomes: dict[int, Restored | Failure] = {}
        loaded: dict[int, LqImage] = {}
        by_size: dict[tuple[int, int], list[int]] = {}
        for place, image in enumerate(window):
            try:
                lq = image.load()
            except StoreError:
                raise
            except Exception as error:
                outcomes[place] = Failure.of(error)
                continue
            loaded[place] = replace(image, load=partial(_given, lq))
            by_size.setdefault((lq.shape[0], lq.shape[1]), []).append(place)
        for (height, width), places in by_size.items():
            for part in grouped(places, batches.size(height, width)):
                group = [loaded[place] for place in part]
                together = _together(method, group, scale, seed, device, check)
                outcomes.update(zip(part, together or map(alone, group), strict=True))
        yield from (outcomes[place] for place in range(len(window)))


def _together(
    method: Method, group: Sequence[LqImage], scale: float, seed: int, device: str, check: BatchCheck
) -> list[Restored] | None:
    """A group in one call; None where its images must be restored alone, as by a ``PixelMethod``."""
    if len(group) == 1 or check.depends or isinstance(method, PixelMethod):
        return None
    lqs, digests = [image.load() for image in group], [image.digest for image in group]
    try:
        with Meter(device) as meter:
            srs = restore_batch(method, lqs, scale, seed, device, digests)
        first = next((place for place, image in enumerate(group) if image.count), 0)
        counter = counter_for(method) if group[first].count else None
        if check.depends is None or counter is not None:
            sr = restore_image(method, lqs[first], scale, seed, device, digests[first], counter)
            check.depends = _differs(srs[first], sr) if check.depends is None else check.depends
    except (Exception, SystemExit):
        return None
    if check.depends:
        return None
    seconds, memory = meter.seconds / len(group), meter.memory
    share = None if memory is None else -(-memory // len(group))
    restored = [
        Restored(sr, lq, seconds, share, device, method.card.parameters) for sr, lq in zip(srs, lqs, strict=True)
    ]
    if counter is not None:
        operations = counter.operations(lqs[first].shape[1], lqs[first].shape[0])
        restored[first] = replace(restored[first], operations=operations)
    return restored


def _given(lq: Pixels) -> Pixels:
    return lq


def _differs(first: Pixels, second: Pixels) -> bool:
    difference = first.astype(np.float32) - second
    return float(np.sqrt(np.square(difference).mean())) > MOST_DIFFERENCE
