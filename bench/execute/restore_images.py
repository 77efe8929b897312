"""Many images through a loaded method of any kind: the loop behind ``run``, ``restore`` and the adversary's pairs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType

from ...datasets.images import read_image
from ...methods.interface import AnyMethod, FinishedImages, FolderMethod, Method, PixelMethod
from ..failures import Failure, called_exit
from ..store.images import Pixels, StoreError
from .check_output import OutputError, has_colours, read_pixels
from .cost import Meter
from .external_programs import Load, restore_folder
from .restore_image import Restored, restore_batch, restore_image


@dataclass(frozen=True)
class LqImage:
    """An image to restore."""

    name: str
    load: Load
    """Gives its pixels."""
    digest: str | None = None
    """Of its pixels, where it is known."""


def restore_images(
    method: AnyMethod,
    name: str,
    images: Sequence[LqImage],
    scale: int,
    seed: int,
    device: str,
    usual: Mapping[str, str | None] = MappingProxyType({}),
    batch: int = 1,
) -> Iterator[Restored | Failure]:
    """Restore images by a method of any kind; one that fails costs itself alone.

    Args:
        method: loaded on the device.
        name: what messages call it.
        images: each is loaded when it is its turn.
        device: as torch calls it; ``cpu`` for a method that is no ``Method``.
        usual: environment variables that external programs see instead of ours.
        batch: most images of one size, neighbours in their order, that a ``Method`` restores together.

    Yields:
        What became of each image, in their order.

    Raises:
        StoreError: from a ``load``: no further image would fare better.
    """
    if isinstance(method, FolderMethod):
        yield from restore_folder(method, name, [(image.name, image.load) for image in images], scale, seed, usual)
        return
    if batch > 1 and isinstance(method, Method):
        for group in _groups(images, batch):
            yield from _together(method, group, scale, seed, device)
        return
    for image in images:
        yield _outcome(method, image, scale, seed, device)


def _groups(images: Sequence[LqImage], batch: int) -> Iterator[list[LqImage]]:
    """Neighbours of one size, loaded; an image that cannot be loaded stands alone and fails where it is restored."""
    group: list[LqImage] = []
    shape: tuple[int, ...] | None = None
    for image in images:
        try:
            lq = image.load()
        except Exception:
            yield from [group] * bool(group)
            yield [image]
            group, shape = [], None
            continue
        if group and (len(group) == batch or lq.shape[:2] != shape):
            yield group
            group = []
        shape = lq.shape[:2]
        group.append(replace(image, load=partial(_given, lq)))
    yield from [group] * bool(group)


def _given(lq: Pixels) -> Pixels:
    return lq


def _together(
    method: Method, group: Sequence[LqImage], scale: int, seed: int, device: str
) -> Iterator[Restored | Failure]:
    """A group in one call; each alone where that fails, as it does for want of memory."""
    done: list[Restored] = []
    if len(group) > 1:
        lqs = [image.load() for image in group]
        with suppress(Exception):
            srs = restore_batch(method, lqs, scale, seed, device, [image.digest for image in group])
            done = [
                Restored(sr, lq, None, None, device, method.card.parameters) for sr, lq in zip(srs, lqs, strict=True)
            ]
    if done:
        yield from done
        return
    for image in group:
        yield _outcome(method, image, scale, seed, device)


def _outcome(
    method: Method | PixelMethod | FinishedImages, image: LqImage, scale: int, seed: int, device: str
) -> Restored | Failure:
    try:
        return _restored(method, image, scale, seed, device)
    except StoreError:
        raise
    except SystemExit as error:
        return Failure.of(called_exit(error))
    except Exception as error:
        return Failure.of(error)


def _restored(
    method: Method | PixelMethod | FinishedImages, image: LqImage, scale: int, seed: int, device: str
) -> Restored:
    lq = image.load()
    if isinstance(method, FinishedImages):
        path = method.image_path(image.name, scale)
        return Restored(read_pixels(read_image(path), lq.shape, lambda: has_colours(lq), scale, str(path)), lq)
    place = "cpu" if isinstance(method, PixelMethod) else device
    with Meter(place) as meter:
        sr = restore_image(method, lq, scale, seed, device, image.digest)
    return Restored(sr, lq, meter.seconds, meter.memory, place, method.card.parameters)


def or_raise(outcome: Restored | Failure) -> Restored:
    """A restored image, for whoever goes on with all of them or with none.

    Raises:
        Exception: what kept it from being restored.
    """
    if isinstance(outcome, Failure):
        raise outcome.error or OutputError(outcome.message)
    return outcome
