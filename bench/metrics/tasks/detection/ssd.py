"""SSD with MobileNet v2, trained on COCO, run by OpenCV: a detector of photos that is light on a CPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .....datasets.fetch.digests import digest_of
from .....methods.weights.files import find, lacking, verified, weight_file
from ...requirements import library_version, not_installed
from ..engine import Detection, EngineEntry, EngineError, Image

NAME = "ssd-coco"
VERSION = "1"
_FILES = "ssd-coco", "ssd-coco-graph"
"""Ids of its weights, and of the graph by which OpenCV reads them."""
_SIDE = 300
"""Every image is scaled to this square, as the network was trained."""
_LEAST_SCORE = 0.001
_DISTRIBUTIONS = ("opencv-python-headless", "opencv-python", "opencv-contrib-python-headless", "opencv-contrib-python")


class SsdDetector:
    """The network of ``ssd_mobilenet_v2_coco_2018_03_29`` in TensorFlow's collection."""

    def __init__(self, weights: str, graph: str) -> None:
        import torch
        from torchvision.models.detection import MaskRCNN_ResNet50_FPN_V2_Weights

        try:
            import cv2
        except ImportError as error:  # such as libGL, which OpenCV's wheel with windows wants
            raise EngineError(
                f"OpenCV does not load ({error}); install that library, or opencv-python-headless in place of"
                " opencv-python"
            ) from None
        cv2.setNumThreads(torch.get_num_threads())
        # COCO's own numbers of categories, with its gaps: the same in torchvision's list.
        self._names: list[str] = MaskRCNN_ResNet50_FPN_V2_Weights.COCO_V1.meta["categories"]
        self._network, self._blob = cv2.dnn.readNetFromTensorflow(weights, graph), cv2.dnn.blobFromImage

    def detect(self, images: Sequence[Image]) -> list[tuple[Detection, ...]]:
        """See ``Detector``."""
        return [self._of(image) for image in images]

    def _of(self, image: Image) -> tuple[Detection, ...]:
        height, width = image.shape[:2]
        self._network.setInput(self._blob(image, size=(_SIDE, _SIDE)))  # RGB as it is; the graph scales its values
        rows: Any = self._network.forward()[0, 0]  # of each: image, category, score, left, top, right, bottom
        return tuple(
            Detection(
                self._names[int(row[1])],
                (row[3] * width, row[4] * height, row[5] * width, row[6] * height),
                row[2],
            )
            for row in rows.tolist()
            if row[2] >= _LEAST_SCORE
        )


def ssd_entry() -> EngineEntry:
    """The engine, found and not loaded."""
    return EngineEntry(
        NAME, "SSD-MobileNet-v2", f"{VERSION}, opencv {_opencv_version()}", _load, missing=_missing, weights=_digest
    )


def _opencv_version() -> str:
    return next(filter(None, map(library_version, _DISTRIBUTIONS)), "")


def _missing() -> str:
    return not_installed("cv2", "detection", " (or opencv-python-headless)") or lacking(list(map(weight_file, _FILES)))


def _digest() -> str:
    paths = [find(weight_file(id)) for id in _FILES]
    return "".join("" if path is None else digest_of(path)[:16] for path in paths)


def _load(device: str) -> SsdDetector:
    weights, graph = (str(verified(weight_file(id))) for id in _FILES)
    return SsdDetector(weights, graph)
