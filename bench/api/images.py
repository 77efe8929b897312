"""Convert images of any usual Python type to the uint8 pixels that metrics and methods take."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...datasets.errors import UsageError
from ...datasets.images import OPAQUE_MODES, is_transparent, read_image
from ..execute.check_output import range_problem

if TYPE_CHECKING:
    from torch import Tensor

    AnyImage = str | os.PathLike[str] | Image.Image | NDArray[Any] | Tensor
    """A path; a PIL image; an array ``[H, W]`` or ``[H, W, C]``; a tensor ``[C, H, W]``."""
    AnyImages = AnyImage | Sequence[AnyImage]
    """The same, several in a list, an array ``[N, H, W, C]`` or a tensor ``[N, C, H, W]``."""

_CHANNELS = (1, 3)


class ImageInputError(UsageError, ValueError):
    """A value is not an image of an accepted type, shape and range; the message says what is accepted."""


def pixels_of(images: AnyImages, label: str) -> tuple[list[NDArray[np.uint8]], bool]:
    """Pixels of one or several images, and whether it was a single image.

    Floating point in [0, 1] is rounded to 8 bits in the same way as outputs of methods; values slightly outside are
    clipped.

    Args:
        images: see ``AnyImages``; uint8 in 0..255, or floating point in 0..1.
        label: name of the images in messages, such as "SR".

    Returns:
        Arrays ``[H, W]`` or ``[H, W, 3]`` of uint8; and True for a single image.

    Raises:
        ImageInputError: another type, shape or range.
        ImageError: a file cannot be used.
    """
    if isinstance(images, list | tuple):
        if not images:
            raise ImageInputError(f"{label}: no images; the list is empty")
        several = [pixels_of(image, f"{label} {number}") for number, image in enumerate(images)]
        if not all(alone for _, alone in several):
            raise ImageInputError(f"{label}: a list holds single images; give a batch by itself")
        return [pixels for (pixels,), _ in several], False
    if isinstance(images, str | os.PathLike):
        return [read_image(Path(images))], True
    if isinstance(images, Image.Image):
        return [_of_pillow(images, label)], True
    if isinstance(images, np.ndarray):
        return _of_array(images, label)
    if _is_tensor(images):
        return _of_tensor(images, label)
    raise ImageInputError(
        f"{label}: a {type(images).__name__} is no image; give a path, a PIL image, a NumPy array [H, W, 3], a tensor"
        " [3, H, W], or a list of them"
    )


def _of_pillow(image: Image.Image, label: str) -> NDArray[np.uint8]:
    mode = OPAQUE_MODES.get(image.mode, image.mode)
    if mode not in ("RGB", "L"):
        raise ImageInputError(f"{label}: a PIL image of mode {image.mode}; convert it to RGB or L of 8 bits")
    if is_transparent(image):
        raise ImageInputError(f"{label}: has transparent pixels; flatten it onto a background")
    return np.array(image.convert(mode), dtype=np.uint8)


def _of_array(array: NDArray[Any], label: str) -> tuple[list[NDArray[np.uint8]], bool]:
    expected = "a NumPy image is [H, W], [H, W, 3] or a batch [N, H, W, 3]"
    if array.ndim not in (2, 3, 4) or (array.ndim > 2 and array.shape[-1] not in _CHANNELS):
        first = array.ndim > 2 and array.shape[-3] in _CHANNELS
        hint = "; channels come last: use .transpose, or give a torch tensor" if first else ""
        raise ImageInputError(f"{label}: shape {array.shape}; {expected}{hint}")
    if array.dtype != np.uint8 and not np.issubdtype(array.dtype, np.floating):
        raise ImageInputError(
            f"{label}: an array of {array.dtype}; expected uint8 in 0..255, or floating point in 0..1"
        )
    if array.dtype != np.uint8:
        _require_range(array, label)
        array = np.rint(np.clip(array, 0, 1) * 255).astype(np.uint8)
    images = list(array) if array.ndim == 4 else [array]
    return [np.ascontiguousarray(image[..., 0] if image.shape[2:] == (1,) else image) for image in images], (
        array.ndim < 4
    )


def _is_tensor(value: object) -> bool:
    """Without importing torch for those who do not use it."""
    return type(value).__module__.partition(".")[0] == "torch" and hasattr(value, "detach")


def _of_tensor(tensor: Any, label: str) -> tuple[list[NDArray[np.uint8]], bool]:
    import torch

    if tensor.ndim not in (3, 4) or tensor.shape[-3] not in _CHANNELS:
        last = tensor.ndim in (3, 4) and tensor.shape[-1] in _CHANNELS
        hint = "; channels come first: use .permute, or give a NumPy array" if last else ""
        raise ImageInputError(
            f"{label}: shape {tuple(tensor.shape)}; a tensor is [3, H, W] or a batch [N, 3, H, W]{hint}"
        )
    tensor = tensor.detach()
    if tensor.is_floating_point():
        tensor = tensor.float()  # half precision as well: it is what methods' outputs go through
        _require_range(tensor.cpu().numpy(), label)
        tensor = tensor.clamp(0, 1).mul(255).round().to(torch.uint8)
    elif tensor.dtype != torch.uint8:
        kind = str(tensor.dtype).removeprefix("torch.")
        raise ImageInputError(f"{label}: a tensor of {kind}; expected floating point in 0..1, or uint8 in 0..255")
    channels_last = tensor.movedim(-3, -1).cpu().numpy()
    return _of_array(channels_last, label)


def _require_range(values: NDArray[Any], label: str) -> None:
    if problem := range_problem(values):
        raise ImageInputError(f"{label}: floating point images are in 0..1; this has {problem}")
