"""Methods from files of ONNX and ncnn, not loaded yet."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from ...datasets.fetch.digests import digest_of
from ..entry import MethodEntry
from ..errors import MethodError, MissingWeightsError
from ..interface import Interface, MethodCard
from .exported import ExportedNetwork
from .ncnn_network import NUMBERS, STRUCTURE, load_ncnn, pair_of
from .onnx_network import SUFFIX, data_files, load_onnx
from .tiling import blend_of

SUFFIXES = frozenset({SUFFIX, STRUCTURE, NUMBERS})


def exported_entry(path: Path, name: str, scales: tuple[float, ...], *, tile: int, overlap: int) -> MethodEntry:
    """The method of an ``.onnx`` file, or of either file of an ncnn pair.

    Args:
        path: the file.
        name: name of the method.
        scales: scales that the user declares; empty: found when the network is loaded.
        tile: side of a tile's centre in LQ pixels.
        overlap: context around a tile in LQ pixels.

    Raises:
        MissingWeightsError: a file is missing, or the package that runs it.
        MethodError: the file refers to files outside its folder.
    """
    if path.suffix.lower() == SUFFIX:
        files, package, extra = [path], "onnxruntime", "onnx"
        load_exported: Callable[..., ExportedNetwork] = load_onnx
    else:
        files, package, extra = list(pair_of(path)), "ncnn", "ncnn"
        load_exported = load_ncnn
    for file in files:
        if not file.is_file():
            explanation = f"; a network of ncnn is a pair, {files[0].name} and {files[1].name}" if files[1:] else ""
            raise MissingWeightsError(
                name, f"{name}: weight file {file} is missing{explanation}; put it there or correct the path"
            )
    if find_spec(package) is None:
        raise MissingWeightsError(
            name, f"{name}: {package} is not installed; install the extra: pip install 'asasr-bench[{extra}]'"
        )
    if extra == "onnx":
        files += data_files(path)
    digest = _digest(files)
    # The file does not say how the network was trained, so its family is the neutral "network".
    card = MethodCard(
        name, "network", f"Network from {files[0].name}", scales, weights=tuple(file.name for file in files)
    )

    def load_network(device: str) -> ExportedNetwork:
        network = load_exported(files[0], card, tile=tile, overlap=overlap)
        if _digest(files) != digest:
            raise MethodError(f"{path} was replaced while it was read; run again")
        return network

    settings = {"tile": tile, "overlap": overlap, "blend": blend_of(overlap)}
    return MethodEntry(card, Interface.TENSOR, load_network, settings, digest, origin=extra)


def _digest(files: list[Path]) -> str:
    """SHA-256 of a single file, or of the digests of several files in order."""
    digests = [digest_of(file) for file in files]
    return digests[0] if len(digests) == 1 else hashlib.sha256("\n".join(digests).encode()).hexdigest()
