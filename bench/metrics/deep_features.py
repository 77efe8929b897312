"""LPIPS and DISTS: distances between features of a network that learned to classify images.

Own code on torchvision's networks, so that both are free for any use: weights BSD (torchvision, LPIPS) and MIT (DISTS).
LPIPS: Zhang et al., CVPR 2018, v0.1. DISTS: Ding et al., IEEE TPAMI 44(5), 2022.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache, reduce
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ...methods.weights.files import read_tensors, verified, weight_file
from .batches import TOLERANCE, over_batches
from .card import MetricCard
from .metric import Metric
from .networks.winograd import RectifiedConvolution, applies
from .requirements import WeightFiles

if TYPE_CHECKING:
    import torch

    Step = Callable[[torch.Tensor], torch.Tensor]

VERSIONS = {"lpips": "1", "dists": "2"}  # DISTS 1 could fall below 0 by rounding
Backbone = Literal["alexnet", "vgg16"]

# Layers of torchvision's ``features`` after which LPIPS looks: every block's last ReLU.
_ENDS: dict[Backbone, tuple[int, ...]] = {"alexnet": (2, 5, 8, 10, 12), "vgg16": (4, 9, 16, 23, 30)}
# Pixels per place of these maps.
_STRIDES: dict[Backbone, tuple[int, ...]] = {"alexnet": (4, 8, 16, 16, 16), "vgg16": (1, 2, 4, 8, 16)}
# LPIPS' input normalisation, of images in [-1, 1].
_LPIPS_MEAN, _LPIPS_STD = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
_IMAGENET_MEAN, _IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_DISTS_CHANNELS = (3, 64, 128, 256, 512, 512)
_DISTS_CONSTANT = 1e-6  # c1 and c2 of DISTS, equations 3 and 4

_STEP = 16
"""Tiles begin at multiples of the deepest map's stride, so that its places fall where they fall in the whole image."""
_HALO = 112
"""Pixels around a tile: above half the receptive field (195 AlexNet, 196 VGG16, 211 with DISTS' pooling)."""
TILE = 512
_STRIP = 16
"""Rows of maps that are summed at once."""
_FEATURES = "features."
"""Prefix of the convolutions in torchvision's files; the classifier behind them is not used."""


_MAP_BYTES: dict[Backbone, int] = {"alexnet": 41, "vgg16": 500}
"""Of all maps of an image in float32, for each of its pixels."""
_KEPT = 384 << 20
"""Bytes of HR's maps that are kept on a CPU: those of two images of 512x512 through VGG16, thirty through AlexNet."""


class FeatureDistance:
    """LPIPS or DISTS of images ``[B, 3, H, W]`` in [0, 1].

    On a CPU the maps of the last HR images are kept: where several methods are measured on one image after the other,
    each but the first costs half.
    """

    def __init__(self, kind: Literal["lpips", "dists"], backbone: Backbone, features: Path, head: Path) -> None:
        import torch

        self._kind = kind
        self._strides = _STRIDES[backbone] if kind == "lpips" else (1, *_STRIDES[backbone])
        self._layers = _blocks(backbone, features, l2_pooling=kind == "dists")
        self._blocks: Sequence[Step] = self._layers
        state = read_tensors(head)
        if kind == "lpips":
            self._weights = [state[f"lin{number}.model.1.weight"].float() for number in range(len(self._layers))]
            mean, std = _LPIPS_MEAN, _LPIPS_STD
        else:
            total = state["alpha"].sum() + state["beta"].sum()
            split = [(state[name] / total).double().flatten().split(_DISTS_CHANNELS) for name in ("alpha", "beta")]
            self._weights = [torch.stack(pair) for pair in zip(*split, strict=True)]
            mean, std = _IMAGENET_MEAN, _IMAGENET_STD
        self._mean, self._std = (torch.tensor(values).view(3, 1, 1) for values in (mean, std))
        self._bytes = _MAP_BYTES[backbone]
        self._kept: OrderedDict[bytes, list[torch.Tensor]] = OrderedDict()

    def to(self, device: str) -> FeatureDistance:
        """Move the network; on a CPU with the channels innermost, and 3x3 convolutions of fewer products."""
        import torch

        layout = torch.channels_last if device == "cpu" else torch.preserve_format
        layers = [block.to(device, memory_format=layout) for block in self._layers]  # type: ignore[call-overload]
        self._blocks = [_with_fewer_products(block) for block in layers] if device == "cpu" else layers
        self._weights = [weight.to(device) for weight in self._weights]
        self._mean, self._std = self._mean.to(device), self._std.to(device)
        return self

    def __call__(self, sr: torch.Tensor, hr: torch.Tensor, *, tile: int = 0) -> torch.Tensor:
        """Distances ``[B]``.

        Args:
            tile: side in pixels of the pieces that go through the network one after the other, a multiple of 16; 0 for
                the whole at once. Every piece sees all that its features depend on, so that the value is the same.
        """
        import torch

        height, width = sr.shape[-2:]
        sums: list[torch.Tensor | float] = [0.0] * len(self._strides)
        places = [0] * len(self._strides)
        for window, core in _tiles(height, width, tile):
            first = self._maps(sr[..., window[0], window[1]])
            second = self._maps_of_hr(hr) if not tile else self._maps(hr[..., window[0], window[1]])
            for level, (a, b) in enumerate(zip(first, second, strict=True)):
                down, across = (_scaled(part, self._strides[level]) for part in core)
                a, b = a[..., down, across], b[..., down, across]
                sums[level] += self._reduce(level, a, b)
                places[level] += a.shape[-2] * a.shape[-1]
        means = [total / count for total, count in zip(sums, places, strict=True)]
        values: torch.Tensor = torch.stack([self._distance(level, mean) for level, mean in enumerate(means)]).sum(0)
        if self._kind == "lpips":
            return values
        return (1 - values).clamp(min=0)  # a similarity is 1 at most: what float32 weights give beyond it is rounding

    def _maps_of_hr(self, image: torch.Tensor) -> Iterable[torch.Tensor]:
        """Maps of one whole image on a CPU, from before where they are kept; of others as they come."""
        if image.device.type != "cpu" or len(image) != 1 or image[0, 0].numel() * self._bytes > _KEPT // 2:
            return self._maps(image)
        digest = hashlib.blake2b(image.contiguous().numpy().data).digest()
        maps = self._kept.pop(digest, None) or list(self._maps(image))
        self._kept[digest] = maps
        while len(self._kept) > 1 and sum(m.nbytes for kept in self._kept.values() for m in kept) > _KEPT:
            self._kept.popitem(last=False)
        return maps

    def _maps(self, image: torch.Tensor) -> Iterator[torch.Tensor]:
        if self._kind == "dists":
            yield image
        state = ((2 * image - 1 if self._kind == "lpips" else image) - self._mean) / self._std
        for block in self._blocks:
            state = block(state)
            yield state

    def _reduce(self, level: int, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """What a map contributes, summed over its places: ``[B]``, or five moments a channel ``[5, B, C]``."""
        import torch

        pairs = ((a[:, :, rows], b[:, :, rows]) for rows in _rows(a.shape[2]))
        if self._kind == "lpips":
            weights = self._weights[level].flatten()
            return torch.stack([_weighed_difference(*pair, weights) for pair in pairs]).sum(0)
        return torch.stack([_moments(*pair) for pair in pairs]).sum(0)

    def _distance(self, level: int, mean: torch.Tensor | float) -> torch.Tensor:
        assert not isinstance(mean, float)
        if self._kind == "lpips":
            return mean
        x, y, xx, yy, xy = mean
        texture = (2 * x * y + _DISTS_CONSTANT) / (x * x + y * y + _DISTS_CONSTANT)
        structure = (2 * (xy - x * y) + _DISTS_CONSTANT) / (xx - x * x + yy - y * y + _DISTS_CONSTANT)
        alpha, beta = self._weights[level]
        similarity: torch.Tensor = alpha * texture + beta * structure
        return similarity.sum(1)


def _rows(height: int) -> Iterator[slice]:
    """Strips that stay in a processor's cache while their products are summed."""
    yield from (slice(start, start + _STRIP) for start in range(0, height, _STRIP))


def _moments(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Sums of two maps ``[B, C, H, W]``, of their squares and of their product over all places: ``[5, B, C]``.

    Along a row they are added in float32, rows in float64: a tenth of the time of float64 alone, and the same to 1e-8.
    """
    import torch

    x, y = (part.permute(0, 2, 3, 1) for part in (a, b))  # as they lie in memory on a CPU
    return torch.stack([part.sum(2).sum(1, dtype=torch.float64) for part in (x, y, x * x, y * y, x * y)])


def _weighed_difference(a: torch.Tensor, b: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Squared differences of two maps of unit length at every place, weighed by channel and summed: ``[B]``."""
    import torch

    difference = _unit(a).sub_(_unit(b)).square_()
    return (difference.permute(0, 2, 3, 1) @ weights).sum((1, 2), dtype=torch.float64)


def _unit(features: torch.Tensor) -> torch.Tensor:
    """Features of every place scaled to length 1."""
    return features / (features.square().sum(1, keepdim=True).sqrt_().add_(1e-10))


def _tiles(height: int, width: int, tile: int) -> Iterator[tuple[tuple[slice, slice], tuple[slice, slice]]]:
    """Windows in the image, and their cores relative to them; a core's stop is None at the image's end."""
    for top, top_core in _spans(height, tile):
        for left, left_core in _spans(width, tile):
            yield (top, left), (top_core, left_core)


def _spans(length: int, tile: int) -> Iterator[tuple[slice, slice]]:
    if tile % _STEP:
        raise ValueError(f"a tile of {tile} pixels is no multiple of {_STEP}")
    # A last piece shorter than the halo would add nothing but its halo: it joins the one before.
    starts = range(0, max(1, length - _HALO), tile) if tile else range(1)
    for start in starts:
        last = start == starts[-1]
        stop = length if last else start + tile
        begin, end = max(0, start - _HALO), min(length, stop + _HALO)
        yield slice(begin, end), slice(start - begin, None if last else stop - begin)


def _scaled(part: slice, stride: int) -> slice:
    return slice(part.start // stride, None if part.stop is None else part.stop // stride)


def _blocks(backbone: Backbone, path: Path, *, l2_pooling: bool) -> list[torch.nn.Sequential]:
    """The convolutional part of torchvision's network, cut where the features are taken."""
    import torch
    from torchvision import models

    state = read_tensors(path)
    tensors = {name.removeprefix(_FEATURES): value for name, value in state.items() if name.startswith(_FEATURES)}
    with torch.device("meta"):  # the classifier's 60 to 120 million parameters are not needed
        network = getattr(models, backbone)().features
    network.load_state_dict(tensors, assign=True)
    layers = [layer.requires_grad_(False).eval() for layer in network]
    for index, layer in enumerate(layers):
        if isinstance(layer, torch.nn.ReLU):
            layer.inplace = True  # nobody looks at what a convolution gives before it
        elif l2_pooling and isinstance(layer, torch.nn.MaxPool2d):
            layers[index] = _l2_pooling()
    starts = (0, *_ENDS[backbone][:-1])
    return [torch.nn.Sequential(*layers[a:b]) for a, b in zip(starts, _ENDS[backbone], strict=True)]


def _with_fewer_products(block: torch.nn.Sequential) -> Step:
    """The same function, its 3x3 convolutions, each with the ReLU behind it, after Winograd."""
    import torch

    steps: list[Step] = []
    for layer in block:
        if isinstance(layer, torch.nn.Conv2d) and applies(layer):
            steps.append(RectifiedConvolution(layer))
        elif not (isinstance(layer, torch.nn.ReLU) and steps and isinstance(steps[-1], RectifiedConvolution)):
            steps.append(layer)
    return lambda state: reduce(lambda before, step: step(before), steps, state)


def _l2_pooling() -> torch.nn.Module:
    """DISTS' pooling: root of the Hann-weighted mean of squares over 3x3 pixels, stride 2."""
    import torch

    class L2Pooling(torch.nn.Module):
        def forward(self, state: torch.Tensor) -> torch.Tensor:
            side = state.new_tensor([0.25, 0.5, 0.25])
            channels = state.shape[1]
            kernel = torch.outer(side, side).expand(channels, 1, 3, 3)
            squares = torch.nn.functional.conv2d(state.square(), kernel, stride=2, padding=1, groups=channels)
            return (squares + 1e-12).sqrt()

    return L2Pooling()


@lru_cache(maxsize=8)
def _loaded(
    kind: Literal["lpips", "dists"], backbone: Backbone, features: Path, head: Path, device: str
) -> FeatureDistance:
    return FeatureDistance(kind, backbone, features, head).to(device)


def _metric(id: str, title: str, kind: Literal["lpips", "dists"], backbone: Backbone) -> Metric:
    files = (backbone, id.replace("_", "-"))

    def load(device: str) -> FeatureDistance:
        features, head = (verified(weight_file(name)) for name in files)
        return _loaded(kind, backbone, features, head, device)

    return Metric(
        MetricCard(id, title, direction="lower", range="0, 1", tolerance=TOLERANCE, version=VERSIONS[kind]),
        over_batches(load, "reference", tile=TILE),
        requires=(WeightFiles(files, tensors=(_FEATURES, "")),),
        batched=True,
    )


METRICS = (
    _metric("lpips_alex", "LPIPS", "lpips", "alexnet"),
    _metric("lpips_vgg", "LPIPS-VGG", "lpips", "vgg16"),
    _metric("dists", "DISTS", "dists", "vgg16"),
)
