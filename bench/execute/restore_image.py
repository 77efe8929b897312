"""Restore LQ pixels to SR pixels with a loaded method."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...datasets.images import as_rgb, pixel_digest
from ...methods.interface import AnyMethod, Method, PixelMethod
from ..plan.image_seed import image_seed
from ..store.images import Pixels
from ..store.records import Operations
from .check_output import OutputError, array_pixels, tensor_pixels

if TYPE_CHECKING:
    from .count_operations import OperationCounter


@dataclass(frozen=True)
class LqImage:
    """An image to restore."""

    name: str
    load: Callable[[], Pixels]
    """Gives its pixels."""
    digest: str | None = None
    """Of its pixels, where it is known."""
    count: bool = False
    """Count its operations."""


@dataclass(frozen=True)
class Restored:
    """A restored image with its time and memory; in a batch, its share of them."""

    pixels: Pixels
    lq: Pixels | None = None
    """What it was made from, where that was read."""
    seconds: float | None = None
    memory: int | None = None
    """Peak bytes."""
    device: str = "cpu"
    parameters: int | None = None
    operations: Operations | None = None


def restore_image(
    method: Method | PixelMethod,
    lq: Pixels,
    scale: float,
    seed: int,
    device: str,
    digest: str | None = None,
    counter: AbstractContextManager[object] | None = None,
) -> NDArray[np.uint8]:
    """Restore one image.

    A tensor method gets a seed of the image's own, see ``image_seed``.

    Args:
        lq: uint8 ``[h, w]`` or ``[h, w, 3]``; or a float64 Y plane ``[h, w]`` in 0..255, for a ``PixelMethod``.
        device: where a tensor method was loaded, and where it gets its tensors.
        digest: of LQ's pixels, where it is known.
        counter: in which a tensor method computes; see ``OperationCounter``.

    Returns:
        uint8 SR image; grey stays grey for a ``PixelMethod`` and is RGB for networks.

    Raises:
        OutputError: the method returned another shape or type, or values out of range.
    """
    if isinstance(method, PixelMethod):
        return array_pixels(method.restore_pixels(lq, scale), lq, scale, method.card.id)

    import torch

    rgb = torch.from_numpy(np.ascontiguousarray(as_rgb(lq).transpose(2, 0, 1)))[None]
    batch = rgb.to(device=device, dtype=torch.float32).div_(255)
    with torch.inference_mode():
        with counter or nullcontext():
            sr = method.restore(batch, scale, [image_seed(seed, digest or pixel_digest(lq))])
        return tensor_pixels(sr, lq, scale, method.card.id)


def counter_for(method: AnyMethod) -> OperationCounter | None:
    """What counts the operations of an image; None for a method that needs no torch."""
    if not isinstance(method, Method):
        return None
    from .count_operations import OperationCounter

    return OperationCounter()


def restore_batch(
    method: Method, lqs: Sequence[Pixels], scale: float, seed: int, device: str, digests: Sequence[str | None]
) -> list[NDArray[np.uint8]]:
    """Restore images of one size as a batch, each with the same seed as alone; only rounding may differ.

    Args:
        method: the loaded method.
        lqs: LQ images of the same size.
        scale: scale factor.
        seed: seed of the run.
        device: torch device.
        digests: digest of each LQ image; None: it is computed.

    Returns:
        SR images; see ``restore_image``.
    """
    import torch

    stack = torch.stack([torch.from_numpy(np.ascontiguousarray(as_rgb(lq).transpose(2, 0, 1))) for lq in lqs])
    batch = stack.to(device=device, dtype=torch.float32).div_(255)
    seeds = [image_seed(seed, digest or pixel_digest(lq)) for lq, digest in zip(lqs, digests, strict=True)]
    with torch.inference_mode():
        sr = method.restore(batch, scale, seeds)
        if len(sr) != len(lqs):
            raise OutputError(f"method {method.card.id} returned {len(sr)} images for a batch of {len(lqs)}")
        return [tensor_pixels(output[None], lq, scale, method.card.id) for output, lq in zip(sr, lqs, strict=True)]


@lru_cache(maxsize=8)
def torch_device(device: str) -> str:
    """Resolve ``auto`` to the first GPU where torch finds one, else the CPU.

    Raises:
        ValueError: the device asked for is not there.
    """
    if device == "cpu":
        return "cpu"
    import torch

    if device == "auto":
        return "cuda:0" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"device '{device}' cannot be used ({error}); try --device cpu") from None
    return "cuda:0" if device == "cuda" else device
