"""3x3 convolutions of a CPU with a quarter of the products: Winograd's F(4x4, 3x3).

Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016. Windows of 6x6 pixels and the filters
are transformed, multiplied pointwise (over all channels: 36 matrix products) and transformed back to 4x4 pixels. The
points of the transforms are those of Barabasz et al., ACM TOMS 46(4), 2020, for which float32 loses least: results are
within 2e-6 of a map's deviation, where a plain convolution is within 1e-6.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..card import Floats

if TYPE_CHECKING:
    import torch

_OUT, _FILTER = 4, 3
_WINDOW = _OUT + _FILTER - 1
_POINTS = (0.0, 1.0, -1.0, 0.5, -2.0)  # and infinity
_TILES = 64
"""Windows that are transformed together: matrices of fewer multiply slower, arrays of more leave the cache."""
_LEAST_CHANNELS = 64
"""Below it the transforms cost more than the products that they save."""


def applies(convolution: torch.nn.Conv2d) -> bool:
    """Whether it is one of 3x3, stride 1 and a border of one zero, and gains by it."""
    shape = (convolution.kernel_size, convolution.stride, convolution.padding, convolution.dilation)
    plain = shape == ((3, 3), (1, 1), (1, 1), (1, 1)) and convolution.groups == 1
    return plain and min(convolution.in_channels, convolution.out_channels) >= _LEAST_CHANNELS


class RectifiedConvolution:
    """A 3x3 convolution with bias, and the ReLU behind it, of maps ``[B, C, H, W]``."""

    def __init__(self, convolution: torch.nn.Conv2d) -> None:
        import torch

        back, filters, forth = _transforms()
        # Of both axes at once: every row and column of one transform with every row and column of the other.
        self._forth, both, self._back = (
            torch.from_numpy(np.kron(each, each)).float() for each in (forth, filters, back)
        )
        weight = convolution.weight.detach().float().permute(2, 3, 1, 0)  # [3, 3, C, K]
        self._weight = (both @ weight.reshape(_FILTER**2, -1)).view(_WINDOW**2, *weight.shape[2:])  # [36, C, K]
        bias = convolution.bias
        self._bias = torch.zeros(convolution.out_channels) if bias is None else bias.detach().float()

    def __call__(self, state: torch.Tensor) -> torch.Tensor:
        """``[B, K, H, W]``, the channels innermost in memory."""
        import torch

        batch, _, height, width = state.shape
        down, across = -(-height // _OUT), -(-width // _OUT)
        result = state.new_empty(batch, down * _OUT, across * _OUT, len(self._bias))
        for source, target in zip(state.permute(0, 2, 3, 1), result, strict=True):
            self._convolve(source, target)
        return result[:, :height, :width].permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)

    def _convolve(self, source: torch.Tensor, target: torch.Tensor) -> None:
        """From ``[H, W, C]`` to ``[H, W, K]``, whose sides are brought up to multiples of 4, strip by strip."""
        import torch

        (height, width, channels), filters = source.shape, target.shape[2]
        across = target.shape[1] // _OUT
        rows = max(1, min(-(-_TILES // across), target.shape[0] // _OUT))
        points, places = _WINDOW**2, _OUT**2
        strip = source.new_zeros(rows * _OUT + 2, across * _OUT + 2, channels)
        windows = source.new_empty(_WINDOW, _WINDOW, rows, across, channels)
        transformed = source.new_empty(points, rows * across * channels)
        products = source.new_empty(points, rows * across, filters)
        values = source.new_empty(places, rows * across * filters)
        down, right, _ = strip.stride()
        shape = (_WINDOW, _WINDOW, rows, across, channels)
        seen = strip.as_strided(shape, (down, right, _OUT * down, _OUT * right, 1))
        for top in range(0, target.shape[0], rows * _OUT):
            first, last = max(0, top - 1), min(height, top + rows * _OUT + 1)
            begin = first - (top - 1)
            strip[:begin] = 0
            strip[begin : begin + last - first, 1 : width + 1] = source[first:last]
            strip[begin + last - first :] = 0
            windows.copy_(seen)
            torch.mm(self._forth, windows.view(points, -1), out=transformed)
            torch.bmm(transformed.view(points, -1, channels), self._weight, out=products)
            torch.mm(self._back, products.view(points, -1), out=values)
            values.view(-1, filters).add_(self._bias).relu_()
            part = target[top : top + rows * _OUT]
            kept = part.shape[0] // _OUT
            tiles = values.view(_OUT, _OUT, rows, across, filters)[:, :, :kept]
            part.view(kept, _OUT, across, _OUT, filters).copy_(tiles.permute(2, 0, 3, 1, 4))


def _transforms() -> tuple[Floats, Floats, Floats]:
    """Of products ``[4, 6]``, of filters ``[6, 3]`` and of windows ``[6, 6]``, after Toom and Cook.

    A filter of three values and one of four, as polynomials, are multiplied by their values at six points; a
    convolution is the transpose of that product.
    """
    points = np.array(_POINTS)
    others = [np.delete(points, index) for index in range(len(points))]
    scales = np.array([np.prod(point - rest) for point, rest in zip(points, others, strict=True)])
    back = np.zeros((_OUT, _WINDOW))
    back[:, :-1], back[-1, -1] = points ** np.arange(_OUT)[:, None], 1
    filters = np.zeros((_WINDOW, _FILTER))
    filters[:-1], filters[-1, -1] = points[:, None] ** np.arange(_FILTER) / scales[:, None], 1
    forth = np.zeros((_WINDOW, _WINDOW))
    for index, rest in enumerate(others):
        forth[index, :-1] = np.poly(rest)[::-1]
    forth[-1] = np.poly(points)[::-1]
    return back, filters, forth
