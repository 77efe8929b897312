"""Convert weight files of other frameworks to arrays with torch's names; no code in the files is run."""

from __future__ import annotations

import hashlib
import io
import pickle
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...datasets.errors import BenchError
from .ncnn_file import NcnnError, read_convolutions

Arrays = dict[str, NDArray[np.float32]]


class ConversionError(BenchError, ValueError):
    """The content is not what a conversion expects."""


def convert(name: str, members: Sequence[bytes]) -> Arrays:
    """Convert the files of a package to named arrays.

    Args:
        name: conversion: ``jax-alexnet``, ``jax-vgg16`` (convolutions of torchvision's networks), or ``ncnn-rrdbnet``.
        members: content of the files, in the order of the package's description.

    Raises:
        ConversionError: the name is unknown or the content is not what the conversion expects.
    """
    if name in _LAYERS:
        return _torchvision_features(members[0], *_LAYERS[name])
    if name == "ncnn-rrdbnet":
        return _rrdbnet(*members)
    raise ConversionError(f"no conversion is called '{name}'")


def tensor_digest(arrays: Mapping[str, NDArray[Any]]) -> str:
    """Hex SHA-256 of names, types, shapes and values: equal for equal tensors in different file formats."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
        digest.update(array.data)
    return digest.hexdigest()


# The network's name in the file, and the indices of its convolutions in torchvision's ``features``.
_LAYERS = {
    "jax-alexnet": ("AlexNet_0", (0, 3, 6, 8, 10)),
    "jax-vgg16": ("VGG16_0", (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)),
}


def _torchvision_features(content: bytes, network: str, places: Sequence[int]) -> Arrays:
    """Kernels of flax are [height, width, in, out], those of torch [out, in, height, width]."""
    table = _plain_pickle(content)
    arrays: Arrays = {}
    try:
        for number, place in enumerate(places):
            layer = table[network][f"Conv_{number}"]
            kernel = np.transpose(layer["kernel"], (3, 2, 0, 1))
            arrays[f"features.{place}.weight"] = np.ascontiguousarray(kernel, dtype=np.float32)
            arrays[f"features.{place}.bias"] = np.asarray(layer["bias"], dtype=np.float32)
    except (KeyError, TypeError, ValueError) as error:
        raise ConversionError(f"it holds no {network} with {len(places)} convolutions ({error})") from None
    return arrays


class _ArraysOnly(pickle.Unpickler):
    """Unpickles numpy arrays only: any other name in a pickle could run a command."""

    _ALLOWED = frozenset(
        {
            ("numpy", "ndarray"),
            ("numpy", "dtype"),
            ("numpy.core.multiarray", "_reconstruct"),
            ("numpy._core.multiarray", "_reconstruct"),
        }
    )

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def _plain_pickle(content: bytes) -> Any:
    try:
        return _ArraysOnly(io.BytesIO(content)).load()
    except Exception as error:  # damaged bytes may raise any error
        raise ConversionError(f"refused, it is no plain table of arrays ({error})") from None


_RESIDUAL_BLOCKS, _DENSE, _LAYERS_OF_DENSE = 23, 3, 5


def _rrdbnet(structure: bytes, weights: bytes) -> Arrays:
    """The 351 convolutions of Real-ESRGAN's x4plus, in the order of its forward pass."""
    names = ["conv_first"]
    names += [
        f"body.{block}.rdb{dense}.conv{layer}"
        for block in range(_RESIDUAL_BLOCKS)
        for dense in range(1, _DENSE + 1)
        for layer in range(1, _LAYERS_OF_DENSE + 1)
    ]
    names += ["conv_body", "conv_up1", "conv_up2", "conv_hr", "conv_last"]
    try:
        layers = read_convolutions(structure, weights)
    except NcnnError as error:
        raise ConversionError(str(error)) from None
    if len(layers) != len(names):
        raise ConversionError(f"it has {len(layers)} convolutions, an RRDBNet of 23 blocks has {len(names)}")
    arrays: Arrays = {}
    for name, layer in zip(names, layers, strict=True):
        arrays[f"{name}.weight"], arrays[f"{name}.bias"] = layer.weight, layer.bias
    return arrays
