"""Networks of ONNX, run by onnxruntime (extra ``onnx``)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...datasets.names import leaves_folder
from ..errors import MethodError
from ..interface import MethodCard
from .exported import ExportedNetwork, Planes, find_sizes

SUFFIX = ".onnx"
_TYPES: dict[str, Any] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
}
_PLACE = re.compile(rb"\x0a\x08location\x12([\x01-\x7f])")
"""Bytes that begin an entry of external data in the file: the key ``location`` and the length of a file's name.

The whole file is searched, because tensors may be nested in graphs, nodes and functions. Weights that happen to contain
these bytes name a file that does not exist: an error, never a wrong result."""


def data_files(path: Path) -> list[Path]:
    """Files beside an ``.onnx`` file that hold its weights, as exporters write them for large networks.

    Raises:
        MethodError: such a file is missing or outside the folder.
    """
    content = path.read_bytes()
    names = []
    for match in _PLACE.finditer(content):
        names.append(content[match.end() : match.end() + match[1][0]].decode("utf-8", "replace"))
    files = [path.parent / name for name in dict.fromkeys(names)]
    for name, file in zip(dict.fromkeys(names), files, strict=True):
        if leaves_folder(name):
            raise MethodError(f"{path}: refused, its weights are said to be in {name!r}, outside of its folder")
        if not file.is_file():
            raise MethodError(f"{path}: its weights are in {name}, which is not beside it; put it there")
    return files


def load_onnx(path: Path, card: MethodCard, *, tile: int, overlap: int) -> ExportedNetwork:
    """Load an ``.onnx`` file; the network runs on the CPU in the precision of its own tensors.

    The network receives ``[1, 3, h, w]`` or ``[1, h, w, 3]``, as its input declares: RGB in [0, 1], or in 0..255 for an
    input of uint8.

    Args:
        path: the file.
        card: description of the method.
        tile: side of a tile's centre in LQ pixels.
        overlap: context around a tile in LQ pixels.

    Raises:
        MethodError: onnxruntime cannot read or run the file, or it is no network from RGB to RGB.
    """
    network = _Onnx(path)
    return ExportedNetwork(card, network, find_sizes(path, network, network.fixed), tile, overlap)


class _Onnx:
    """A ``Forward`` that runs a network with onnxruntime."""

    fixed: tuple[int, int] | None
    """The only accepted height and width; None: any."""

    def __init__(self, path: Path) -> None:
        import onnxruntime
        import torch

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.inter_op_num_threads = 1
        options.log_severity_level = 4  # errors are raised as exceptions as well
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime has a class for every status, most of them private
            reason = " ".join(str(error).split())[:300]
            raise MethodError(f"{path}: onnxruntime {onnxruntime.__version__} cannot load it ({reason})") from None
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        for word, nodes in (("input", inputs), ("output", outputs)):
            if len(nodes) != 1:
                names = ", ".join(node.name for node in nodes[:5])
                raise MethodError(f"{path}: has {len(nodes)} {word}s ({names}); a network for images has one")
        self._input = inputs[0].name
        if inputs[0].type not in _TYPES:
            raise MethodError(f"{path}: takes a {inputs[0].type}; images are tensors of floats or uint8")
        self._type = _TYPES[inputs[0].type]
        batch, self._channels_last, self.fixed = _layout(path, inputs[0].shape)
        if batch not in (None, 1):
            raise MethodError(f"{path}: takes {batch} images at a time; export it with a batch of one or any")

    def __call__(self, lq: Planes) -> NDArray[Any]:
        image = np.round(lq * 255).clip(0, 255) if self._type is np.uint8 else lq
        image = image.transpose(1, 2, 0) if self._channels_last else image
        (sr,) = self._session.run(None, {self._input: np.ascontiguousarray(image[None], dtype=self._type)})
        if sr.ndim == 4 and sr.shape[0] == 1:
            sr = sr[0].transpose(2, 0, 1) if self._channels_last else sr[0]
        return np.asarray(sr / 255 if self._type is np.uint8 else sr, dtype=np.float32)


def _layout(path: Path, shape: list[Any]) -> tuple[int | None, bool, tuple[int, int] | None]:
    """Batch size, whether the channels are last, and the fixed height and width, from the declared shape of an input.

    Dimensions of any size are names or None in ``shape``.
    """
    sides = [side if isinstance(side, int) and side > 0 else None for side in shape]
    if len(sides) != 4:
        raise MethodError(f"{path}: takes a tensor of {len(sides)} dimensions; images are [batch, 3, height, width]")
    last = sides[3] == 3 and sides[1] != 3
    channels, height, width = (sides[3], *sides[1:3]) if last else sides[1:]
    if channels not in (None, 3):
        raise MethodError(f"{path}: takes images of {channels} channels, not RGB")
    if (height is None) != (width is None):
        raise MethodError(f"{path}: fixes one of height and width; export it with both or none of them dynamic")
    return sides[0], last, None if height is None or width is None else (height, width)
