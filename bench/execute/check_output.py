"""Check the outputs of methods, so that a wrong shape, type or range gives a message and never a score."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, isfinite
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...datasets.errors import BenchError
from ...datasets.images import as_rgb
from ...datasets.scales import sr_size
from ..metrics.similarity import row_strips
from ..store.images import Pixels

if TYPE_CHECKING:
    from torch import Tensor

# BT.601 studio range, to which MATLAB-era scripts clip a restored Y plane; grey images are clipped alike, which the
# printed Set14 rows show (bicubic x4: 26.0043 dB, and 26.0053 without).
_Y_MIN, _Y_MAX = 16.0, 235.0

_OVERSHOOT = 1.0
"""Share of the range by which a restored edge may leave it; networks and Lanczos stay far below."""
_BELOW, _SHARE = -0.1, 0.1
"""If at least this share of values is far below black, the output is an image in -1..1, not an undershoot."""
_DARK = 8
"""Grey level of LQ: if a pixel of LQ is above it, an SR image in 0..255 has a pixel above 1."""


class OutputError(BenchError, ValueError):
    """A method returned a value that is not a restored image; the message says what it returned, and the remedy."""


def tensor_pixels(sr: Tensor, lq: Pixels, scale: float, method: str) -> NDArray[np.uint8]:
    """What a tensor method returned for one image, rounded to uint8; values just outside of [0, 1] are clipped.

    Args:
        sr: the output; expected is float ``[1, 3, scale * h, scale * w]`` in [0, 1].
        lq: pixels ``[h, w]`` or ``[h, w, 3]`` of the method's input.

    Returns:
        RGB ``[scale * h, scale * w, 3]``.

    Raises:
        OutputError: the output is not such a tensor.
    """
    import torch

    if not isinstance(sr, torch.Tensor):
        raise OutputError(f"method {method} returned {_kind(sr)}, expected a tensor [B, 3, H, W] in 0..1")
    if not sr.is_floating_point():
        raise OutputError(
            f"method {method} returned a tensor of {str(sr.dtype).removeprefix('torch.')}, expected floating point in"
            " 0..1; convert it, and divide by 255 where it holds grey levels"
        )
    height, width = sr_size(lq.shape, scale)
    if tuple(sr.shape) != (1, 3, height, width):
        raise OutputError(f"method {method} returned shape {tuple(sr.shape)}, expected {(1, 3, height, width)}")
    pixels = np.empty((height, width, 3), np.uint8)
    low, high, below = inf, -inf, 0
    for rows in row_strips(height, width):
        strip = sr[0, :, rows].float()
        least, most = (float(value) for value in strip.aminmax())  # both NaN where any value is
        if not (isfinite(least) and isfinite(most)):
            raise OutputError(f"method {method} returned values that are not finite (NaN or infinity)")
        low, high = min(low, least), max(high, most)
        if least < _BELOW:
            below += int((strip < _BELOW).sum())
        pixels[rows] = strip.clamp(0, 1).mul_(255).round_().to(torch.uint8).permute(1, 2, 0).cpu().numpy()
    message = f"method {method} returned values of {low:.3g} to {high:.3g}, expected 0..1"
    if high > 1 + _OVERSHOOT:
        raise OutputError(f"{message}; this looks like 0..255: divide by 255")
    if low < -_OVERSHOOT or below > _SHARE * pixels.size:
        raise OutputError(f"{message}; where it is -1..1, add 1 and halve; where it is meant, clip it")
    return pixels


def range_problem(values: NDArray[Any]) -> str:
    """The reason why floating point values are not an image in 0..1; '' if they are, up to overshoot at edges."""
    low, high = float(values.min()), float(values.max())  # NaN where any is
    if not (np.isfinite(low) and np.isfinite(high)):
        return "values that are not finite (NaN or infinity)"
    if high > 1 + _OVERSHOOT:
        return f"{low:.3g} to {high:.3g}, which looks like 0..255: divide by 255, or give uint8"
    if low < -_OVERSHOOT or np.count_nonzero(values < _BELOW) > _SHARE * values.size:
        return f"{low:.3g} to {high:.3g}; where it is -1..1, add 1 and halve"
    return ""


def array_pixels(sr: NDArray[Any], lq: Pixels, scale: float, method: str) -> NDArray[np.uint8]:
    """What a pixel method returned for one image, rounded to uint8 (halves up).

    Floats are grey levels 0..255, as in the method's input. They are clipped to this range, and a Y plane (LQ is float)
    to 16..235, as in the classic protocols.

    Args:
        sr: the output; expected is uint8 or floating point, ``scale`` times the size of LQ, with the same channels; a
            grey uint8 LQ may become RGB.
        lq: pixels ``[h, w]`` or ``[h, w, 3]`` of the method's input.

    Returns:
        ``[scale * h, scale * w]`` or ``[scale * h, scale * w, 3]``.

    Raises:
        OutputError: the output is not such an array.
    """
    if not isinstance(sr, np.ndarray):
        raise OutputError(f"method {method} returned {_kind(sr)}, expected a NumPy array")
    if sr.dtype != np.uint8 and not np.issubdtype(sr.dtype, np.floating):
        raise OutputError(
            f"method {method} returned an array of {sr.dtype}, expected uint8, or floating point in 0..255; convert it"
        )
    size = sr_size(lq.shape, scale)
    on_luma = lq.dtype != np.uint8
    allowed = [size + lq.shape[2:]] + ([(*size, 3)] if lq.ndim == 2 and not on_luma else [])
    if sr.shape not in allowed:
        raise OutputError(f"method {method} returned shape {sr.shape}, expected {' or '.join(map(str, allowed))}")
    if sr.dtype == np.uint8 and not on_luma:
        return np.ascontiguousarray(sr)
    low, high = float(sr.min()), float(sr.max())  # NaN where any is
    if not (np.isfinite(low) and np.isfinite(high)):
        raise OutputError(f"method {method} returned values that are not finite (NaN or infinity)")
    message = f"method {method} returned values of {low:.3g} to {high:.3g}, expected grey levels 0..255"
    if high <= 1 and lq.max() > _DARK:
        raise OutputError(f"{message}; this looks like 0..1: multiply by 255")
    if low < -255 * _OVERSHOOT or high > 255 * (1 + _OVERSHOOT):
        raise OutputError(f"{message}; scale it, or clip it where it is meant")
    bottom, top = (_Y_MIN, _Y_MAX) if on_luma else (0.0, 255.0)
    pixels = np.empty(sr.shape, np.uint8)
    for rows in row_strips(*size):
        pixels[rows] = np.floor(np.clip(sr[rows], bottom, top) + 0.5)
    return pixels


def read_pixels(
    sr: NDArray[np.uint8], shape: tuple[int, ...], coloured: Callable[[], bool], scale: float, label: str
) -> NDArray[np.uint8]:
    """Check a restored image that was read from a file; the result is RGB if LQ has three channels.

    Args:
        sr: pixels of the file.
        shape: shape of LQ, ``(h, w)`` or ``(h, w, 3)``.
        coloured: says whether any pixel of LQ is not grey; called if SR is grey and LQ has three channels.
        scale: scale factor of SR to LQ.
        label: name of SR in messages.

    Raises:
        OutputError: SR has another size, or is grey although LQ has colours.
    """
    expected = sr_size(shape, scale)
    if sr.shape[:2] != expected:
        raise OutputError(
            f"{label} is {sr.shape[1]}x{sr.shape[0]} pixels, expected {expected[1]}x{expected[0]}"
            f" (LQ {shape[1]}x{shape[0]} at scale {scale}); nothing is resized to fit"
        )
    if sr.ndim < len(shape) and coloured():
        raise OutputError(f"{label} is grey, its LQ has colours; write RGB")
    return as_rgb(sr) if len(shape) == 3 else sr


def has_colours(image: Pixels) -> bool:
    """Whether any pixel of ``[H, W]`` or ``[H, W, 3]`` is not grey."""
    return image.ndim == 3 and not (image == image[..., :1]).all()


def _kind(value: object) -> str:
    return f"a {type(value).__name__}" if value is not None else "nothing (None)"
