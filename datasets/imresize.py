"""MATLAB's `imresize`, exactly: the resampling that every bicubic number of the literature rests on."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import ceil, prod
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Kernel = Literal["box", "triangle", "cubic", "lanczos3"]
Pixel = TypeVar("Pixel", bound=np.generic)
_BLOCK = 1 << 24
"""Values that are worked on at once, as float64: 128 MiB."""


def imresize(
    image: NDArray[Pixel],
    scale: float | None = None,
    *,
    output_shape: tuple[int, int] | None = None,
    kernel: Kernel = "cubic",
    antialias: bool = True,
) -> NDArray[Pixel]:
    """Resize as MATLAB's ``imresize`` does (R2007a and later), up or down.

    The two passes go over the dimension with the smaller scale first, rows on ties. On ``uint8`` the intermediate is
    rounded and clamped BETWEEN the passes: without that, 8 to 17 % of the pixels of a published LR image differ.

    Args:
        image: ``[H, W]`` or ``[H, W, C]``, ``uint8`` 0..255 or floating point of any range.
        scale: factor for both sides; an output side is ``ceil(scale * side)``.
        output_shape: ``(height, width)`` instead of ``scale``.
        kernel: MATLAB's ``box`` (nearest), ``triangle`` (bilinear), ``cubic`` (Keys, a = -0.5) or ``lanczos3``.
        antialias: widen the kernel when shrinking, MATLAB's default for all but ``nearest``.

    Returns:
        The resized image in the dtype of the input; floating point is neither rounded nor clamped.

    Raises:
        ValueError: neither or both of ``scale`` and ``output_shape``, an empty image, or a dtype that is neither.
    """
    if (scale is None) == (output_shape is None):
        raise ValueError("imresize takes exactly one of scale and output_shape")
    if image.ndim not in (2, 3) or 0 in image.shape:
        raise ValueError(f"imresize takes [H, W] or [H, W, C] with at least one pixel, got shape {image.shape}")
    is_uint8 = image.dtype == np.uint8
    if not is_uint8 and not np.issubdtype(image.dtype, np.floating):
        raise ValueError(f"imresize takes uint8 or floating point, got {image.dtype}")

    height, width = image.shape[:2]
    if output_shape is None:
        assert scale is not None
        if not scale > 0:
            raise ValueError(f"scale must be above 0, got {scale}")
        sides, scales = (ceil(scale * height), ceil(scale * width)), (scale, scale)
    else:
        sides, scales = output_shape, (output_shape[0] / height, output_shape[1] / width)

    pixels: NDArray[Any] = image
    for axis in sorted((0, 1), key=lambda side: scales[side]):
        weights = _weights(pixels.shape[axis], sides[axis], scales[axis], kernel, antialias)
        pixels = _in_blocks(weights, pixels, axis, np.uint8 if is_uint8 else np.float64)
    return pixels.astype(image.dtype, copy=False)


def _in_blocks(weights: csr_array, pixels: NDArray[Any], axis: int, dtype: Any) -> NDArray[Any]:
    """``_apply`` to some lines at a time, so that floats of a large image are never there as a whole."""
    lines, lengths = pixels.shape[1 - axis], (weights.shape[0], pixels.shape[1 - axis])
    result = np.empty((*(lengths if axis == 0 else lengths[::-1]), *pixels.shape[2:]), dtype)
    lines_per_block = max(1, _BLOCK // (max(weights.shape) * prod(pixels.shape[2:])))
    for first in range(0, lines, lines_per_block):
        selection = (slice(None), slice(first, first + lines_per_block))[:: 1 if axis == 0 else -1]
        block = _apply(weights, pixels[selection].astype(np.float64), axis)
        if dtype == np.uint8:
            np.add(block, 0.5, out=block)
            np.clip(np.floor(block, out=block), 0, 255, out=block)
        result[selection] = block
    return result


def _apply(weights: csr_array, pixels: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Multiply ``weights`` [out, in] onto one axis of ``pixels``."""
    result: NDArray[np.float64]
    if axis == 0:
        result = np.asarray(weights @ pixels.reshape(pixels.shape[0], -1))
        return result.reshape(weights.shape[0], *pixels.shape[1:])
    turned = np.ascontiguousarray(pixels.swapaxes(0, 1)).reshape(pixels.shape[1], -1)
    result = np.asarray(weights @ turned).reshape(weights.shape[0], pixels.shape[0], *pixels.shape[2:])
    return np.ascontiguousarray(result.swapaxes(0, 1))


@lru_cache(maxsize=256)
def _weights(length: int, out_length: int, scale: float, kernel: Kernel, antialias: bool) -> csr_array:
    """Resampling matrix ``[out_length, length]``; rows sum to one; borders are mirrored with the edge repeated."""
    from scipy.sparse import csr_array  # a quarter of a second to import, and a run that is done needs none of it

    function, width = _KERNELS[kernel]
    stretch = scale if antialias and scale < 1 else 1.0
    width /= stretch
    # 1-based pixel centres, as in MATLAB: output x lies at input position u.
    u = np.arange(1, out_length + 1) / scale + 0.5 * (1 - 1 / scale)
    taps = ceil(width) + 2  # one spare tap on each side; unused ones get weight 0
    index = np.floor(u - width / 2)[:, None] + np.arange(taps)
    weight = stretch * function(stretch * (u[:, None] - index))
    weight /= weight.sum(axis=1, keepdims=True)
    mirrored = np.concatenate([np.arange(length), np.arange(length)[::-1]])
    column = mirrored[(index.astype(np.int64) - 1) % (2 * length)]
    row = np.repeat(np.arange(out_length), taps)
    matrix = csr_array((weight.ravel(), (row, column.ravel())), shape=(out_length, length))
    matrix.eliminate_zeros()
    return matrix


def _box(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return ((x >= -0.5) & (x < 0.5)).astype(np.float64)


def _triangle(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return (1 - np.abs(x)).clip(min=0)


def _cubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keys' cubic convolution with a = -0.5 (IEEE TASSP 29(6), 1981, eq. 15)."""
    a = np.abs(x)
    inner = 1.5 * a**3 - 2.5 * a**2 + 1
    outer = -0.5 * a**3 + 2.5 * a**2 - 4 * a + 2
    return np.where(a <= 1, inner, np.where(a <= 2, outer, 0.0))


def _lanczos3(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0.0)


_KERNELS: dict[Kernel, tuple[Callable[[Any], Any], float]] = {
    "box": (_box, 1.0),
    "triangle": (_triangle, 2.0),
    "cubic": (_cubic, 4.0),
    "lanczos3": (_lanczos3, 6.0),
}
"""Kernel functions and their support in pixels."""
