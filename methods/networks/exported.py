"""Networks in inference formats (ONNX, ncnn) as methods.

Such a file does not state its scale and not always the sizes that it accepts: both are found by running it on small
images.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MethodError
from ..interface import MethodCard
from .tiling import blend_of, restore_tiled

if TYPE_CHECKING:
    from torch import Tensor

Planes = NDArray[np.float32]
"""RGB in [0, 1], ``[3, h, w]``."""
Forward = Callable[[Planes], NDArray[Any]]
"""Runs the network on LQ and returns its unchecked output; raises what the network's library raises."""

_MULTIPLES = (1, 2, 4, 8, 16, 32, 64)
"""Numbers that sides may have to be divisible by: windows of attention, levels of a pyramid."""
_LEAST_SIDE = 32
"""Shortest side of the test images in pixels: enough for networks that pad by reflection."""
LEAST_FIXED = 16
"""Shortest accepted side of a network with one fixed input size: below it a tile would consist of context alone."""


@dataclass(frozen=True)
class Sizes:
    """The scale of a network and the input sizes that it accepts."""

    scale: int
    multiple: int = 1
    """Both sides of its input must be divisible by this number."""
    fixed: tuple[int, int] | None = None
    """The only accepted height and width; None: any."""

    def padded(self, height: int, width: int) -> tuple[int, int]:
        """Height and width to which an image is padded before it enters the network."""
        if self.fixed is not None:
            return self.fixed
        return tuple(-(-side // self.multiple) * self.multiple for side in (height, width))  # type: ignore[return-value]

    def tiles(self, tile: int, overlap: int) -> tuple[int, int]:
        """Side of a tile's centre and of its context, reduced to fit into the input of a network with fixed size."""
        if self.fixed is None:
            return tile, overlap
        side = min(self.fixed)
        context = min(overlap, side // 4)
        return min(tile, side - 2 * context), context


class ExportedNetwork:
    """A ``Method`` that runs a network of an inference format on the CPU.

    Args:
        card: description of the method.
        forward: runs the network on one image.
        sizes: scale and accepted input sizes.
        tile: side of a tile's centre in LQ pixels.
        overlap: context around a tile in LQ pixels.
    """

    def __init__(self, card: MethodCard, forward: Forward, sizes: Sizes, tile: int, overlap: int) -> None:
        self.card = card
        self._forward, self._sizes = forward, sizes
        self._tile, self._overlap = sizes.tiles(tile, overlap)

    def restore(self, lq: Tensor, scale: float, seeds: Sequence[int]) -> Tensor:
        """See ``Method``; deterministic, the seeds change nothing."""
        if scale != self._sizes.scale:
            raise MethodError(f"{self.card.id} is a network for scale {self._sizes.scale}, not {scale}; give --scale")
        return restore_tiled(
            self._batch, lq, self._sizes.scale, tile=self._tile, overlap=self._overlap, blend=blend_of(self._overlap)
        )

    def _batch(self, lq: Tensor) -> Tensor:
        import torch

        images = [torch.from_numpy(self._image(image)) for image in lq.detach().float().cpu().numpy()]
        return torch.stack(images).to(lq)

    def _image(self, lq: Planes) -> Planes:
        height, width = lq.shape[1:]
        padding = [
            padded - side for padded, side in zip(self._sizes.padded(height, width), (height, width), strict=True)
        ]
        # "symmetric" has no least size: an image of one pixel can be extended by it.
        extended = np.pad(lq, ((0, 0), (0, padding[0]), (0, padding[1])), mode="symmetric")
        scale = self._sizes.scale
        sr = np.asarray(self._forward(extended), dtype=np.float32)
        return np.ascontiguousarray(sr[:, : scale * height, : scale * width])


def find_sizes(path: Path, forward: Forward, fixed: tuple[int, int] | None = None) -> Sizes:
    """Find the scale and the accepted input sizes of a network by running it on small images.

    Args:
        path: the network's file, for messages.
        forward: runs the network on one image.
        fixed: the only accepted height and width, if the file states them.

    Raises:
        MethodError: for no tested size the network returns an RGB image that is larger by a whole number.
    """
    if fixed is not None:
        if min(fixed) < LEAST_FIXED:
            raise MethodError(
                f"{path}: takes images of {fixed[1]}x{fixed[0]} alone, too small for tiles; export it"
                " with dynamic height and width"
            )
        return Sizes(_scale(path, forward, *fixed), fixed=fixed)
    problems = []
    for multiple in _MULTIPLES:
        # The least odd numbers of multiples: sizes that no larger multiple divides.
        blocks = -(-_LEAST_SIDE // multiple) | 1
        try:
            return Sizes(_scale(path, forward, multiple * blocks, multiple * (blocks + 2)), multiple)
        except MethodError as error:
            problems.append(error)
    raise problems[0]


def _scale(path: Path, forward: Forward, height: int, width: int) -> int:
    lq = np.broadcast_to(np.linspace(0.2, 0.8, width, dtype=np.float32), (3, height, width))
    try:
        sr = np.asarray(forward(np.ascontiguousarray(lq)))
    except MethodError:
        raise
    except Exception as error:  # libraries raise whatever their code in C++ threw
        reason = " ".join(str(error).split())[:300]
        raise MethodError(f"{path}: cannot be run on an RGB image of {width}x{height} ({reason})") from None
    if sr.ndim != 3 or sr.shape[0] != 3 or sr.shape[1] % height or sr.shape[1] * width != sr.shape[2] * height:
        raise MethodError(
            f"{path}: not a network from one RGB image to one that is larger by a whole number: from 3x{height}x{width}"
            f" it makes {'x'.join(map(str, sr.shape)) or 'one number'} (channels, height, width)"
        )
    if not np.isfinite(sr).all():
        raise MethodError(f"{path}: from an ordinary image it makes numbers that are not finite; export it in float32")
    return int(sr.shape[1] // height)
