"""Networks of ncnn: a ``.param`` file with the layers and a ``.bin`` file with the weights (extra ``ncnn``)."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MethodError
from ..interface import MethodCard
from ..weights.ncnn_file import NcnnError, Structure, read_structure
from .exported import ExportedNetwork, Planes, find_sizes

STRUCTURE, NUMBERS = ".param", ".bin"


def pair_of(path: Path) -> tuple[Path, Path]:
    """The ``.param`` and the ``.bin`` file of a network, given either of them."""
    return path.with_suffix(STRUCTURE), path.with_suffix(NUMBERS)


def load_ncnn(path: Path, card: MethodCard, *, tile: int, overlap: int) -> ExportedNetwork:
    """Load a pair of files; the network computes in float32 on the CPU, whatever precision the weights are stored in.

    Args:
        path: the ``.param`` or the ``.bin`` file.
        card: description of the method.
        tile: side of a tile's centre in LQ pixels.
        overlap: context around a tile in LQ pixels.

    Raises:
        MethodError: the files are not of ncnn, do not fit each other, or are no network from RGB to RGB.
    """
    structure_file, numbers_file = pair_of(path)
    try:
        structure = read_structure(structure_file.read_bytes())
    except NcnnError as error:
        raise MethodError(f"{structure_file}: {error}") from None
    _require_rgb(structure_file, structure)
    network = _Ncnn(structure_file, numbers_file, structure)
    return ExportedNetwork(card, network, find_sizes(structure_file, network), tile, overlap)


def _require_rgb(path: Path, structure: Structure) -> None:
    for word, names in (("input", structure.inputs), ("output", structure.outputs)):
        if len(names) != 1:
            raise MethodError(
                f"{path}: has {len(names)} {word}s ({', '.join(names[:5])}); a network for images has one"
            )
    # ncnn itself would read beyond the image where its first layer wants more channels.
    if structure.channels not in (None, 3):
        raise MethodError(f"{path}: takes images of {structure.channels} channels, not RGB")


class _Ncnn:
    """A ``Forward`` that runs a network of ncnn."""

    def __init__(self, structure_file: Path, numbers_file: Path, structure: Structure) -> None:
        import ncnn
        import torch

        unknown = [kind for kind in structure.kinds if ncnn.layer_to_index(kind) < 0]
        if unknown:
            raise MethodError(
                f"{structure_file}: ncnn {ncnn.__version__} has no layer of type {', '.join(unknown[:5])}; get a newer"
                " ncnn, or a network without layers of one's own"
            )
        self._input, self._output = structure.inputs[0], structure.outputs[0]
        self._network = ncnn.Net()
        options = self._network.opt
        options.num_threads = torch.get_num_threads()
        options.use_vulkan_compute = False
        # Half precision would give other pixels on processors that have it than on those that do not.
        options.use_fp16_packed = options.use_fp16_storage = options.use_fp16_arithmetic = False
        options.use_bf16_packed = options.use_bf16_storage = False
        if self._network.load_param(str(structure_file)):
            raise MethodError(f"{structure_file}: ncnn {ncnn.__version__} cannot read it; get it again")
        content = numbers_file.read_bytes()
        reader = _reader(content)
        if self._network.load_model(reader) or reader.lacks:
            raise MethodError(
                f"{numbers_file}: does not fit {structure_file.name}: it ends before the weights of its"
                " layers do; get both again"
            )
        if reader.read_bytes != len(content):
            raise MethodError(
                f"{numbers_file}: does not fit {structure_file.name}: it has {len(content) - reader.read_bytes} bytes"
                " more than its layers take; get both again"
            )

    def __call__(self, lq: Planes) -> NDArray[Any]:
        import ncnn

        with self._network.create_extractor() as extractor:
            failed = extractor.input(self._input, ncnn.Mat(np.ascontiguousarray(lq)).clone())
            if not failed:
                failed, sr = extractor.extract(self._output)
        if failed:
            raise RuntimeError(f"ncnn ended with status {failed}")
        return np.array(sr)


def _reader(content: bytes) -> Any:
    """A reader that passes the weights to ncnn and counts the bytes; ncnn itself accepts files that are too long."""
    import ncnn

    address = ctypes.pythonapi.PyCapsule_GetPointer
    address.restype, address.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)

    class Reader(ncnn.DataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.read_bytes = 0
            self.lacks = False

        def read(self, buffer: object, size: int) -> int:
            chunk = content[self.read_bytes : self.read_bytes + size]
            ctypes.memmove(address(buffer, None), chunk, len(chunk))
            self.read_bytes += len(chunk)
            self.lacks |= len(chunk) < size
            return len(chunk)

    return Reader()
