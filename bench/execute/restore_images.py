"""Restore many images with a loaded method of any kind, for ``run``, ``restore`` and the adversary's pairs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType

from ...datasets.images import read_image
from ...methods.interface import AnyMethod, FinishedImages, FolderMethod, Method, PixelMethod
from ..failures import Failure, called_exit
from ..store.images import StoreError
from .check_output import OutputError, has_colours, read_pixels
from .cost import Meter, Peaks
from .external_programs import restore_folder
from .restore_batches import ALONE, BatchCheck, Batches, restore_in_batches
from .restore_image import LqImage, Restored, counter_for, restore_image


def restore_images(
    method: AnyMethod,
    name: str,
    images: Sequence[LqImage],
    scale: float,
    seed: int,
    device: str,
    usual: Mapping[str, str | None] = MappingProxyType({}),
    batches: Batches = ALONE,
    check: BatchCheck | None = None,
    peaks: Peaks | None = None,
) -> Iterator[Restored | Failure]:
    """Restore images with a method of any kind; a failure affects one image only.

    Args:
        method: loaded on the device.
        name: what messages call it.
        images: each is loaded when it is its turn.
        device: as torch calls it; ``cpu`` for a method that is no ``Method``.
        usual: environment variables that external programs see instead of ours.
        batches: how many images of one size a ``Method`` restores together.
        check: what is known of the method in batches; None: nothing.
        peaks: what is known of the method's memory, to which this call adds.

    Yields:
        What became of each image, in their order.

    Raises:
        StoreError: from a ``load``: no further image would fare better.
    """
    if isinstance(method, FolderMethod):
        yield from restore_folder(method, name, [(image.name, image.load) for image in images], scale, seed, usual)
        return
    if batches.images > 1 and isinstance(method, Method):
        alone = partial(_outcome, method, scale=scale, seed=seed, device=device, peaks=peaks)
        yield from restore_in_batches(method, images, scale, seed, device, batches, check or BatchCheck(), alone)
        return
    for image in images:
        yield _outcome(method, image, scale, seed, device, peaks)


def _outcome(
    method: Method | PixelMethod | FinishedImages,
    image: LqImage,
    scale: float,
    seed: int,
    device: str,
    peaks: Peaks | None = None,
) -> Restored | Failure:
    try:
        return _restored(method, image, scale, seed, device, peaks)
    except StoreError:
        raise
    except SystemExit as error:
        return Failure.of(called_exit(error))
    except Exception as error:
        return Failure.of(error)


def _restored(
    method: Method | PixelMethod | FinishedImages,
    image: LqImage,
    scale: float,
    seed: int,
    device: str,
    peaks: Peaks | None,
) -> Restored:
    lq = image.load()
    if isinstance(method, FinishedImages):
        path = method.image_path(image.name, scale)
        return Restored(read_pixels(read_image(path), lq.shape, lambda: has_colours(lq), scale, str(path)), lq)
    place = "cpu" if isinstance(method, PixelMethod) else device
    counter = counter_for(method) if image.count else None
    with Meter(place, peaks, (lq.shape, lq.dtype)) as meter:
        sr = restore_image(method, lq, scale, seed, device, image.digest, counter)
    seconds, operations = meter.seconds, None
    if counter is not None:
        operations = counter.operations(lq.shape[1], lq.shape[0])
        seconds -= counter.seconds if place == "cpu" else 0  # a GPU goes on while Python counts
    return Restored(sr, lq, seconds, meter.memory, place, method.card.parameters, operations)


def or_raise(outcome: Restored | Failure) -> Restored:
    """A restored image, for whoever goes on with all of them or with none.

    Raises:
        Exception: what kept it from being restored.
    """
    if isinstance(outcome, Failure):
        raise outcome.error or OutputError(outcome.message)
    return outcome
