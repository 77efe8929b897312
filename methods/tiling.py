"""Restore large images in overlapping tiles."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def restore_tiled(forward: Callable[[Tensor], Tensor], lq: Tensor, scale: int, *, tile: int, overlap: int) -> Tensor:
    """Apply ``forward`` to tiles and keep their centres.

    Where ``overlap`` is at least the network's receptive field, the result equals the untiled one.

    Args:
        forward: ``[B, 3, h, w]`` to ``[B, 3, scale * h, scale * w]``.
        lq: ``[B, 3, H, W]``.
        tile: side of the kept centre in LQ pixels; images up to this size (plus overlap) are not cut.
        overlap: LQ pixels of context around every centre.
    """
    height, width = lq.shape[-2:]
    if height <= tile and width <= tile:
        return forward(lq)
    result = lq.new_empty(*lq.shape[:-2], height * scale, width * scale)
    for top in range(0, height, tile):
        for left in range(0, width, tile):
            bottom, right = min(top + tile, height), min(left + tile, width)
            outer_top, outer_left = max(top - overlap, 0), max(left - overlap, 0)
            piece = lq[..., outer_top : bottom + overlap, outer_left : right + overlap]
            sr = forward(piece)
            y, x = (top - outer_top) * scale, (left - outer_left) * scale
            result[..., top * scale : bottom * scale, left * scale : right * scale] = sr[
                ..., y : y + (bottom - top) * scale, x : x + (right - left) * scale
            ]
    return result
