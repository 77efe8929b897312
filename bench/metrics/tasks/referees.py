"""The small referees: networks trained here in minutes, found by name; weights are shipped or the user's own."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ....datasets.fetch.digests import digest_of
from ....methods.weights.files import own_folder
from .engine import Detection, EngineEntry, EngineError, Image, tensor_of

VERSION = "1"
REFEREES = {"camvid": "Small CamVid referee", "toys": "Small toy referee"}
"""Title by name; weights are ``shipped/NAME.safetensors``."""
DETECTORS = ("toys",)
"""Those that find objects as well."""


class SmallReferee:
    """A ``SmallSegmenter`` from its weight file."""

    def __init__(self, path: Path, device: str) -> None:
        from .small_segmenter import load_segmenter

        self._network, self.classes = load_segmenter(path, device)
        self._device = device

    def segment(self, images: Sequence[Image]) -> list[NDArray[np.uint8]]:
        """See ``Segmenter``."""
        import torch

        with torch.inference_mode():
            planes = self._network(tensor_of(images, self._device))[:, : len(self.classes)]
            return list(planes.argmax(1).to(torch.uint8).cpu().numpy())

    def detect(self, images: Sequence[Image]) -> list[tuple[Detection, ...]]:
        """See ``Detector``; only of those that were trained for it."""
        import torch

        from .small_detector import objects_of

        with torch.inference_mode():
            planes = self._network(tensor_of(images, self._device)).cpu()
            return [objects_of(image_planes, self.classes) for image_planes in planes]


def referee(name: str) -> EngineEntry:
    """The entry of one of ``REFEREES``."""
    return EngineEntry(
        name,
        REFEREES[name],
        VERSION,
        partial(_load, name),
        missing=partial(_missing, name),
        weights=partial(_digest, name),
    )


def own_file(name: str) -> Path:
    """Where a user's own weights of a referee go before the shipped ones."""
    return own_folder() / f"referee-{name}.safetensors"


def _file(name: str) -> Path | None:
    shipped = Path(str(files(__package__).joinpath("shipped", f"{name}.safetensors")))
    return next((path for path in (own_file(name), shipped) if path.is_file()), None)


def _load(name: str, device: str) -> SmallReferee:
    path = _file(name)
    if path is None:
        raise EngineError(_missing(name))
    return SmallReferee(path, device)


def _missing(name: str) -> str:
    if _file(name) is not None:
        return ""
    return f"no weights of the {name} referee; install asasr-bench again, or train it: asasr-bench train referee {name}"


def _digest(name: str) -> str:
    path = _file(name)
    return "" if path is None else digest_of(path)[:32]
