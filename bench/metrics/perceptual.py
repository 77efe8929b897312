"""Metrics through pyiqa, an extra under a non-commercial licence: the core runs without it.

Every metric takes uint8 RGB / 255 of SR and HR under the protocol's crop, on the CPU or the run's device.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from ...methods.weights import WeightsError, digest_of, find, weight_file
from .metric import Direction, Metric, Need, Pair

VERSION = "1"
_HOW = "install the extra: pip install 'asasr-bench[iqa]' (pyiqa is for non-commercial use)"


def missing(weights: str = "") -> str:
    """Why a metric cannot be measured here, by its weights' id; '' if it can."""
    if find_spec("pyiqa") is None:
        return f"pyiqa is not installed; {_HOW}"
    if not weights:
        return ""
    file = weight_file(weights)
    try:
        return "" if find(file) else f"weight file {file.file} is missing; {file.remedy}"
    except WeightsError as error:
        return str(error)


@lru_cache(maxsize=1)
def library_version() -> str:
    """Version of pyiqa, which every score key carries; '' where it is not installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("pyiqa")
    except PackageNotFoundError:
        return ""


@lru_cache(maxsize=32)
def _network(name: str, weights: Path | None) -> Any:
    """The library's metric; its weights were verified before they get here, and it downloads nothing."""
    import pyiqa

    options = {} if weights is None else {"pretrained_model_path": str(weights)}
    return pyiqa.create_metric(name, device="cpu", **options)


def _path(weights: str) -> Path | None:
    return find(weight_file(weights)) if weights else None


def _measure(name: str, needs: Need, weights: str) -> Callable[[Pair], float]:
    def measure(pair: Pair) -> float:
        import torch

        from ...datasets.images import as_rgb
        from .similarity import shave

        if pair.hr is not None and pair.sr.ndim < pair.hr.ndim:
            raise ValueError(f"protocol {pair.protocol.name} restores Y alone here; {name} needs RGB")
        images = [pair.sr] if needs == "nothing" else [pair.sr, pair.hr]
        tensors = []
        for image in images:
            assert image is not None
            pixels = np.ascontiguousarray(as_rgb(shave(image, pair.protocol.shave)).transpose(2, 0, 1))
            tensors.append(torch.from_numpy(pixels)[None].float() / 255)
        with torch.inference_mode():
            return float(_network(name, _path(weights))(*tensors))

    return measure


def _metric(
    name: str, title: str, digits: int, direction: Direction, needs: Need = "reference", weights: str = ""
) -> Metric:
    def digest() -> str:
        path = _path(weights)
        return "" if path is None else digest_of(path)

    return Metric(
        name, title, "", digits, direction, f"{VERSION}, pyiqa {library_version()}", _measure(name, needs, weights),
        needs=needs, missing=lambda: missing(weights), weights=digest,
    )  # fmt: skip


METRICS = (
    _metric("ms_ssim", "MS-SSIM", 4, "higher"),
    _metric("fsim", "FSIM", 4, "higher"),
    _metric("gmsd", "GMSD", 4, "lower"),
    _metric("vif", "VIF", 4, "higher"),
    _metric("vsi", "VSI", 4, "higher"),
    _metric("niqe", "NIQE", 3, "lower", "nothing", "niqe"),
    _metric("piqe", "PIQE", 2, "lower", "nothing"),
    _metric("musiq", "MUSIQ", 2, "higher", "nothing", "musiq-koniq"),
)
