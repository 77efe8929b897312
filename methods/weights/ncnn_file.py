"""Read files of ncnn: a ``.param`` file lists the layers, a ``.bin`` file holds their weights one after the other.

The layout is that of ncnn's own documents: https://github.com/Tencent/ncnn/wiki/param-and-model-file-structure.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...datasets.errors import BenchError

_MAGIC = "7767517"
_HALF, _FLOAT = 0x01306B47, 0
"""Tags before the weights of a layer: half precision, padded to four bytes, or float32."""
_CHANNELS, _KERNEL, _KERNEL_HEIGHT, _BIAS, _COUNT = "0", "1", "11", "5", "6"
"""Keys of a convolution: channels out, kernel width and height, whether it has a bias, number of weights."""


class NcnnError(BenchError, ValueError):
    """Files that are not of ncnn, or do not belong together."""


@dataclass(frozen=True)
class Convolution:
    """Weights of one convolution."""

    weight: NDArray[np.float32]
    """``[out, in, height, width]``"""
    bias: NDArray[np.float32]
    """``[out]``"""


@dataclass(frozen=True)
class Structure:
    """Structure of a network, from its ``.param`` file."""

    kinds: tuple[str, ...]
    """Types of its layers, without repetition."""
    inputs: tuple[str, ...]
    """Names of the blobs that enter the network."""
    outputs: tuple[str, ...]
    """Names of the blobs that no layer consumes."""
    channels: int | None
    """Channels of its input, if a convolution consumes it; None: unknown."""


def read_structure(content: bytes) -> Structure:
    """Read the structure of a network and check that its layers are connected, which ncnn itself hardly does.

    Raises:
        NcnnError: the format is unknown, the numbers of layers and blobs disagree with the file's head, or a layer
            consumes a blob that no layer before it produces.
    """
    lines = _lines(content)
    try:
        layers, blobs = (int(number) for number in lines[1].split())
    except (IndexError, ValueError):
        raise NcnnError("its second line does not tell the numbers of layers and blobs") from None
    rows = [line.split() for line in lines[2:] if line.strip()]
    if len(rows) != layers:
        raise NcnnError(f"it has {len(rows)} layers and says {layers}; it is cut or damaged")
    kinds: dict[str, None] = {}
    inputs: list[str] = []
    consumed: dict[str, bool] = {}  # blob to whether a layer consumes it
    image: set[str] = set()
    channels: int | None = None
    for row in rows:
        takes, gives = _blobs(row)
        kinds[row[0]] = None
        if missing := [name for name in takes if name not in consumed]:
            raise NcnnError(f"layer {row[1]} takes '{missing[0]}', which no layer before gives")
        if repeated := [name for name in gives if name in consumed]:
            raise NcnnError(f"layer {row[1]} gives '{repeated[0]}', as another before does")
        consumed.update(dict.fromkeys(takes, True))
        consumed.update(dict.fromkeys(gives, False))
        if row[0] == "Input":
            inputs += gives
        if row[0] == "Input" or (row[0] == "Split" and image & set(takes)):
            image |= set(gives)
        if row[0] == "Convolution" and image & set(takes):
            channels = _kernel(row)[1]
    if len(consumed) != blobs:
        raise NcnnError(f"it has {len(consumed)} blobs and says {blobs}; it is cut or damaged")
    return Structure(
        tuple(kinds), tuple(inputs), tuple(name for name, is_consumed in consumed.items() if not is_consumed), channels
    )


def _lines(content: bytes) -> list[str]:
    lines = content.decode("utf-8", "replace").splitlines()
    if not lines or lines[0].strip() != _MAGIC:
        raise NcnnError("the .param does not begin as ncnn's text files do")
    return lines


def _blobs(row: list[str]) -> tuple[list[str], list[str]]:
    """Names of the blobs that a layer consumes and produces. Row: type, name, both counts, both names, parameters."""
    try:
        takes, gives = int(row[2]), int(row[3])
        names = row[4 : 4 + takes + gives]
        if min(takes, gives) < 0 or len(names) != takes + gives:
            raise ValueError
    except (IndexError, ValueError):
        raise NcnnError(f"its line '{' '.join(row)[:60]}' is no layer") from None
    return names[:takes], names[takes:]


def read_convolutions(structure: bytes, weights: bytes) -> list[Convolution]:
    """All convolutions in the order of the ``.param`` file; every byte of the ``.bin`` file belongs to one of them.

    Raises:
        NcnnError: the format is unknown, a layer with weights is no convolution, or there are too few or many bytes.
    """
    layers = []
    start = 0
    for line in _lines(structure)[2:]:
        words = line.split()
        if words and words[0] in _OTHERS_WITH_WEIGHTS:
            raise NcnnError(f"layer {words[1]} is of type {words[0]}, which is not read here")
        if not words or words[0] != "Convolution":
            continue
        layer, start = _convolution(words, weights, start)
        layers.append(layer)
    if start != len(weights):
        raise NcnnError(f"the .bin has {len(weights) - start} bytes more than the layers of the .param take")
    return layers


_OTHERS_WITH_WEIGHTS = frozenset(
    [
        "ConvolutionDepthWise",
        "Deconvolution",
        "DeconvolutionDepthWise",
        "InnerProduct",
        "PReLU",
        "BatchNorm",
        "Scale",
        "MemoryData",
        "Embed",
        "LSTM",
        "GRU",
        "RNN",
        "LayerNorm",
        "GroupNorm",
        "InstanceNorm",
        "MultiHeadAttention",
        "Convolution1D",
        "Convolution3D",
        "Bias",
        "Gemm",
    ]
)


def _kernel(words: list[str]) -> tuple[int, int, int, int, bool]:
    """Output and input channels, height and width of a convolution's kernel, and whether it has a bias."""
    keys = dict(word.split("=", 1) for word in words if "=" in word)
    try:
        channels, width, count = int(keys[_CHANNELS]), int(keys[_KERNEL]), int(keys[_COUNT])
        height = int(keys.get(_KERNEL_HEIGHT, width))
        with_bias = keys.get(_BIAS, "0") == "1"
    except (KeyError, ValueError) as error:
        raise NcnnError(f"layer {words[1]}: cannot be read ({error})") from None
    inputs, remainder = divmod(count, max(1, channels * width * height))
    if min(channels, width, height, inputs) < 1 or remainder:
        raise NcnnError(f"layer {words[1]}: {count} weights do not make {channels} kernels of {width}x{height}")
    return channels, inputs, height, width, with_bias


def _convolution(words: list[str], weights: bytes, start: int) -> tuple[Convolution, int]:
    channels, inputs, height, width, with_bias = _kernel(words)
    count = channels * inputs * height * width
    tag = int.from_bytes(weights[start : start + 4], "little")
    if tag not in (_HALF, _FLOAT):
        raise NcnnError(f"layer {words[1]}: its weights are stored in a way that is not read here (tag {tag:#x})")
    kind, size = ("<f2", (2 * count + 3) // 4 * 4) if tag == _HALF else ("<f4", 4 * count)
    end = start + 4 + size + (4 * channels if with_bias else 0)
    if end > len(weights):
        raise NcnnError(f"layer {words[1]}: the .bin ends before its weights do")
    kernel = np.frombuffer(weights, kind, count, start + 4).astype(np.float32).reshape(channels, inputs, height, width)
    bias = np.zeros(channels, np.float32)
    if with_bias:
        bias = np.frombuffer(weights, "<f4", channels, start + 4 + size).astype(np.float32)
    return Convolution(kernel, bias), end
