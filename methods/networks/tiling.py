"""Restore large images in overlapping tiles."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise, product
from math import ceil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

PIXELS_AT_ONCE = 320 * 320
"""LQ pixels that go through a network together, as one tile with its context, several of them, or several images."""
_BLEND = 8


def blend_of(overlap: int) -> int:
    """LQ pixels to each side of a cut over which tiles are blended: 8 where the context has room for them.

    Networks with attention or pooling over the whole tile differ there.
    """
    return min(_BLEND, overlap // 4)


def restore_tiled(
    forward: Callable[[Tensor], Tensor],
    lq: Tensor,
    scale: int,
    *,
    tile: int,
    overlap: int,
    blend: int,
    together: int = 1,
) -> Tensor:
    """Apply ``forward`` to tiles of nearly equal size, row by row, and blend their centres.

    Where ``overlap - blend`` is at least the network's receptive field, the result equals the untiled one. Networks
    that see a whole tile at once (attention, pooling) and samplers differ between tiles: blending hides the cuts.

    Args:
        forward: ``[B, 3, h, w]`` to ``[B, 3, scale * h, scale * w]``.
        lq: ``[B, 3, H, W]``.
        tile: largest side of a tile's centre in LQ pixels; images that fit into a tile with its context are not cut.
        overlap: LQ pixels of context around every centre.
        blend: LQ pixels on each side of a cut over which one tile gives way to the next; at most ``overlap``.
        together: tiles of one size that go through ``forward`` in one call; it changes the rounding of floats alone.
    """
    import torch

    height, width = lq.shape[-2:]
    if max(height, width) <= tile + 2 * overlap:
        return forward(lq)
    result = lq.new_zeros(*lq.shape[:-2], height * scale, width * scale)
    down, across = (_spans(length, tile, overlap, blend, scale) for length in (height, width))
    for group in _groups(list(product(down, across)), together):
        srs = forward(torch.cat([lq[..., rows.read, columns.read] for rows, columns in group]))
        for (rows, columns), sr in zip(group, srs.chunk(len(group)), strict=True):
            weights = torch.tensor(rows.weights)[:, None] * torch.tensor(columns.weights)
            result[..., rows.kept, columns.kept] += sr[..., rows.part, columns.part] * weights.to(sr)
    return result


def tiles_together(device: str, tile: int, overlap: int) -> int:
    """How many tiles of an image go through a network at once: on a processor more are not faster."""
    side = tile + 2 * overlap
    return 1 if device == "cpu" else max(1, PIXELS_AT_ONCE // (side * side))


@dataclass(frozen=True)
class _Span:
    """One tile along one axis."""

    read: slice
    """LQ pixels that the network sees."""
    kept: slice
    """SR pixels to which it contributes."""
    part: slice
    """Where these are in its own output."""
    weights: list[float]
    """Of each kept pixel; those of neighbours add up to one."""

    @property
    def side(self) -> int:
        """LQ pixels that the network sees of it."""
        return int(self.read.stop - self.read.start)


_Tile = tuple[_Span, _Span]
"""Rows and columns."""


def _groups(tiles: list[_Tile], together: int) -> Iterator[list[_Tile]]:
    """Tiles of one size, up to so many together; where each goes alone, in their order."""
    alike: dict[tuple[int, ...], list[_Tile]] = {}
    for number, (rows, columns) in enumerate(tiles):
        key = (number,) if together == 1 else (rows.side, columns.side)
        alike.setdefault(key, []).append((rows, columns))
    for places in alike.values():
        for first in range(0, len(places), together):
            yield places[first : first + together]


def _spans(length: int, tile: int, overlap: int, blend: int, scale: int) -> list[_Span]:
    number = ceil(length / tile)
    cuts = [round(index * length / number) for index in range(number + 1)]
    soft = min(blend, min(end - start for start, end in pairwise(cuts)) // 2)
    spans = []
    for start, end in pairwise(cuts):
        read = slice(max(start - overlap, 0), min(end + overlap, length))
        kept = slice(max(start - soft, 0) * scale, min(end + soft, length) * scale)
        part = slice(kept.start - read.start * scale, kept.stop - read.start * scale)
        # Linear over the 2 * soft LQ pixels around each cut that has a neighbour.
        weights = [
            (1.0 if start == 0 else _rise(position, start * scale, soft * scale))
            * (1.0 if end == length else 1.0 - _rise(position, end * scale, soft * scale))
            for position in range(kept.start, kept.stop)
        ]
        spans.append(_Span(read, kept, part, weights))
    return spans


def _rise(position: int, cut: int, soft: int) -> float:
    if soft == 0:
        return float(position >= cut)
    return min(max((position + 0.5 - cut) / (2 * soft) + 0.5, 0.0), 1.0)
