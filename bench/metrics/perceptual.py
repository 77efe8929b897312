"""Metrics through pyiqa, an extra under a non-commercial licence: the core runs without it.

Every metric takes uint8 RGB / 255 of SR and HR under the protocol's crop, on the CPU or the run's device.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

import numpy as np

from .metric import Direction, Metric, Need, Pair

VERSION = "1"
_HOW = "install the extra: pip install 'asasr-bench[iqa]' (pyiqa is for non-commercial use)"


def missing() -> str:
    """Why these metrics cannot be measured here; '' if they can."""
    return "" if find_spec("pyiqa") is not None else f"pyiqa is not installed; {_HOW}"


@lru_cache(maxsize=1)
def library_version() -> str:
    """Version of pyiqa, which every score key carries; '' where it is not installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("pyiqa")
    except PackageNotFoundError:
        return ""


@lru_cache(maxsize=32)
def _network(name: str) -> Any:
    import pyiqa

    return pyiqa.create_metric(name, device="cpu")


def _measure(name: str, needs: Need) -> Callable[[Pair], float]:
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
            return float(_network(name)(*tensors))

    return measure


def _metric(name: str, title: str, digits: int, direction: Direction, needs: Need = "reference") -> Metric:
    return Metric(
        name, title, "", digits, direction, f"{VERSION}, pyiqa {library_version()}", _measure(name, needs), needs=needs,
        missing=missing,
    )  # fmt: skip


METRICS = (
    _metric("ms_ssim", "MS-SSIM", 4, "higher"),
    _metric("fsim", "FSIM", 4, "higher"),
    _metric("gmsd", "GMSD", 4, "lower"),
    _metric("vif", "VIF", 4, "higher"),
    _metric("vsi", "VSI", 4, "higher"),
    _metric("piqe", "PIQE", 2, "lower", "nothing"),
)
"""Those that need no weight file."""
