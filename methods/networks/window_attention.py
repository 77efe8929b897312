"""Attention within windows for a processor: what networks of spandrel compute, by torch's fused kernel.

Published code multiplies queries by keys, adds a bias and a mask, takes a softmax and multiplies by values, each for
all windows of an image: it writes and reads a matrix of all pairs of a window's pixels five times, and computes bias
and mask for each image anew. Fused, the matrix stays in the cache, and the bias is computed once. Results differ by
the rounding of floats alone.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

_LANES = 16
"""Floats of a vector register: the kernel is twice as fast where a head has a multiple of them."""
_APART = -100.0
"""What is added to the score of two pixels that only the cyclic shift of an image brought together."""


@torch.inference_mode()
def fuse_attention(network: torch.nn.Module) -> int:
    """Let a network of spandrel (DAT, SwinIR, HAT) compute its attention within windows by the fused kernel, in place.

    Returns:
        How many layers were changed; 0: it has none that is known.
    """
    changed = 0
    for layer in list(network.modules()):
        for name, child in list(layer.named_children()):
            fused = _fused(child, network)
            if fused is not None:
                setattr(layer, name, fused)
                changed += 1
    return changed


def _fused(layer: Any, network: Any) -> torch.nn.Module | None:
    """What takes the place of a layer; None: it stays."""
    place = type(layer).__module__.partition(".__arch")[0], type(layer).__name__
    if place == ("spandrel.architectures.DAT", "Adaptive_Spatial_Attention"):
        return _with_rectangles(layer)
    if place == ("spandrel.architectures.SwinIR", "WindowAttention"):
        return WindowAttention(layer, layer.relative_position_index)
    if place == ("spandrel.architectures.HAT", "WindowAttention"):
        return WindowAttention(layer, network.relative_position_index_SA)
    return None


def attend(query: Tensor, key: Tensor, value: Tensor, bias: Tensor, scale: float) -> Tensor:
    """``softmax(scale * query @ key.T + bias) @ value``.

    Args:
        query: ``[windows, heads, N, width]``, as ``key`` and ``value``.
        bias: ``[heads, N, N]``, or for each window ``[windows, heads, N, N]``.
    """
    width = query.shape[-1]
    if more := -width % _LANES:
        query, key, value = (functional.pad(part, (0, more)) for part in (query, key, value))
    attended = functional.scaled_dot_product_attention(
        query, key, value, bias[None] if bias.ndim == 3 else bias, scale=scale
    )
    return attended[..., :width]


class RectangleAttention(torch.nn.Module):
    """Attention within the rectangles of DAT (arXiv 2308.03364).

    Args:
        published: spandrel's ``Spatial_Attention``.
        shift: rows and columns by which images come shifted; None: they do not.
    """

    biases: Tensor
    """``[1 or 4, heads, N, N]``; see ``_edges``."""

    def __init__(self, published: Any, shift: tuple[int, int] | None) -> None:
        super().__init__()
        self.window = int(published.H_sp), int(published.W_sp)
        self.heads, self.scale = int(published.num_heads), float(published.scale)
        pairs = self.window[0] * self.window[1]
        positions = published.pos(published.rpe_biases)[published.relative_position_index.flatten()]
        bias = positions.view(pairs, pairs, -1).permute(2, 0, 1)
        edges = _edges(self.window, shift) if shift else torch.zeros(1, pairs, pairs)
        self.register_buffer("biases", (bias + edges[:, None].to(bias)).contiguous())

    def forward(self, qkv: Tensor, height: int, width: int, mask: Tensor | None = None) -> Tensor:
        """Images of ``[3, B, height * width, C]`` to ``[B, height, width, C]``; the sides are multiples of a window's.

        Args:
            mask: is not read: what it says depends on a window's place alone, and is in the biases.
        """
        (high, wide), (images, channels) = self.window, (qkv.shape[1], qkv.shape[3])
        down, across = height // high, width // wide
        sizes = (3, images, down, high, across, wide, self.heads, channels // self.heads)
        windows = qkv.reshape(sizes).permute(0, 1, 2, 4, 6, 3, 5, 7).flatten(5, 6)
        attended = torch.empty_like(windows[0], memory_format=torch.contiguous_format)
        ends = ([slice(0, -1), slice(-1, None)],) * 2 if len(self.biases) > 1 else ([slice(None)],) * 2
        for bias, (rows, columns) in zip(self.biases, product(*ends), strict=True):
            query, key, value = windows[:, :, rows, columns].flatten(1, 3)
            if len(query):
                part = attended[:, rows, columns]
                part.copy_(attend(query, key, value, bias, self.scale).view_as(part))
        ordered = attended.view(*attended.shape[:4], high, wide, -1).permute(0, 1, 4, 2, 5, 3, 6)
        return ordered.reshape(images, height, width, channels)


class WindowAttention(torch.nn.Module):
    """Attention within the square windows of SwinIR (arXiv 2108.10257) and HAT (arXiv 2205.04437).

    Args:
        published: spandrel's ``WindowAttention``.
        index: of each pair of pixels in the table of biases, ``[N, N]``.
    """

    bias: Tensor
    """``[heads, N, N]``."""

    def __init__(self, published: Any, index: Tensor) -> None:
        super().__init__()
        self.qkv, self.proj = published.qkv, published.proj
        self.heads, self.scale = int(published.num_heads), float(published.scale)
        bias = published.relative_position_bias_table[index.flatten()].view(*index.shape, -1)
        self.register_buffer("bias", bias.permute(2, 0, 1).contiguous())

    def forward(self, windows: Tensor, rpi: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        """Windows ``[B * W, N, C]`` to the same.

        Args:
            rpi: is not read: the bias is known.
            mask: of the ``W`` windows of an image that was shifted, ``[W, N, N]``.
        """
        number, pixels, channels = windows.shape
        parts = self.qkv(windows).view(number, pixels, 3, self.heads, channels // self.heads).permute(2, 0, 3, 1, 4)
        if mask is None:
            query, key, value = parts
            attended = attend(query, key, value, self.bias, self.scale)
        else:
            attended = self._masked(parts.unflatten(1, (-1, len(mask))), mask)
        return self.proj(attended.transpose(1, 2).reshape(number, pixels, channels))  # type: ignore[no-any-return]

    def _masked(self, parts: Tensor, mask: Tensor) -> Tensor:
        """Windows of ``[3, B, W, heads, N, width]`` to ``[B * W, heads, N, width]``; few of them have a mask at all."""
        attended = torch.empty_like(parts[0], memory_format=torch.contiguous_format)
        edge = mask.flatten(1).any(1)
        for chosen, bias in ((~edge, self.bias), (edge, self.bias + mask[edge][:, None])):
            for image, query, key, value in zip(attended, *parts, strict=True):
                image[chosen] = attend(query[chosen], key[chosen], value[chosen], bias, self.scale)
        return attended.flatten(0, 1)


def _with_rectangles(layer: Any) -> torch.nn.Module:
    """DAT's layer with both kinds of rectangle replaced, each of which has half of the channels."""
    shifted = layer.attn_mask_0 is not None
    shifts = tuple(layer.shift_size), tuple(reversed(layer.shift_size))
    for number, shift in enumerate(shifts):
        layer.attns[number] = RectangleAttention(layer.attns[number], shift if shifted else None)
    unread = torch.empty(0)
    layer.calculate_mask = lambda *_, **__: (unread, unread)
    return layer  # type: ignore[no-any-return]


def _edges(window: tuple[int, int], shift: tuple[int, int]) -> Tensor:
    """What a cyclic shift adds to the bias ``[4, N, N]``: inside, in the last column, in the last row, in both."""
    rows, columns = (torch.arange(side) >= side - by for side, by in zip(window, shift, strict=True))
    down, across = (torch.broadcast_to(side, window).flatten() for side in (rows[:, None], columns))
    other_rows, other_columns = (side[:, None] != side for side in (down, across))
    apart = torch.stack([torch.zeros_like(other_rows), other_columns, other_rows, other_rows | other_columns])
    return apart * _APART
