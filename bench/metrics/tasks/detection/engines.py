"""Engines that detect objects: small referees, OpenCV's SSD, torchvision's Mask R-CNN, ultralytics' YOLO (AGPL-3.0)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .....datasets.fetch.digests import digest_of
from .....methods.weights.files import WeightsError, find, own_folder, weight_file
from ...requirements import library_version, not_installed
from ..engine import Detection, EngineEntry, EngineError, Image, tensor_of
from ..referees import DETECTORS, referee
from .ssd import NAME as SSD
from .ssd import ssd_entry

VERSION = "1"
_LEAST_SCORE = 0.001
"""AP ranks all detections: weak ones belong to it (ultralytics' own validation uses the same)."""
_MOST = 100
"""Detections of an image that COCO counts."""


class YoloDetector:
    """A YOLO of ultralytics; its ``.pt`` files are pickles, so use only those that you trust."""

    def __init__(self, path: Path, device: str) -> None:
        os.environ["YOLO_OFFLINE"] = "true"  # no update checks, no usage reports, no downloads
        os.environ.setdefault("YOLO_AUTOINSTALL", "false")
        os.environ.setdefault("YOLO_VERBOSE", "false")
        from ultralytics import YOLO

        self._network, self._device = YOLO(str(path)), device

    def detect(self, images: Sequence[Image]) -> list[tuple[Detection, ...]]:
        """See ``Detector``; letterboxed to 640 pixels, as the models were trained."""
        results = self._network.predict(
            [np.ascontiguousarray(image[..., ::-1]) for image in images],
            conf=_LEAST_SCORE,
            iou=0.7,
            max_det=_MOST,
            device=self._device,
            verbose=False,
            retina_masks=True,
        )
        return [_of_yolo(result) for result in results]


def _of_yolo(result: Any) -> tuple[Detection, ...]:
    boxes = result.boxes
    masks = [None] * len(boxes) if result.masks is None else list(result.masks.data.cpu().numpy() > 0.5)
    rows = zip(boxes.xyxy.tolist(), boxes.conf.tolist(), boxes.cls.tolist(), masks, strict=True)
    return tuple(
        Detection(result.names[int(number)], (box[0], box[1], box[2], box[3]), score, mask)
        for box, score, number, mask in rows
    )


class MaskRcnnDetector:
    """torchvision's Mask R-CNN, ResNet-50 FPN v2, trained on COCO."""

    def __init__(self, path: Path, device: str) -> None:
        import torch
        from torchvision.models.detection import MaskRCNN_ResNet50_FPN_V2_Weights, maskrcnn_resnet50_fpn_v2

        self._names: list[str] = MaskRCNN_ResNet50_FPN_V2_Weights.COCO_V1.meta["categories"]
        network = maskrcnn_resnet50_fpn_v2(weights=None, weights_backbone=None, num_classes=len(self._names))
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        self._network, self._device = network.to(device).eval(), device

    def detect(self, images: Sequence[Image]) -> list[tuple[Detection, ...]]:
        """See ``Detector``; torchvision resizes the shorter side to 800 pixels."""
        import torch

        with torch.inference_mode():
            return [self._of(result) for result in self._network(list(tensor_of(images, self._device)))]

    def _of(self, result: dict[str, Any]) -> tuple[Detection, ...]:
        rows = zip(
            result["boxes"].tolist(),
            result["scores"].tolist(),
            result["labels"].tolist(),
            (result["masks"][:, 0] > 0.5).cpu().numpy(),
            strict=True,
        )
        return tuple(
            Detection(self._names[number], (box[0], box[1], box[2], box[3]), score, mask)
            for box, score, number, mask in rows
        )


def detector(kind: str, name: str) -> EngineEntry:
    """The entry of a small referee, of ``ssd-coco``, ``maskrcnn`` or of ``yolo/FILE.pt``.

    Raises:
        EngineError: no such kind.
    """
    if kind in DETECTORS and not name:
        return referee(kind)
    if kind == SSD and not name:
        return ssd_entry()
    if kind == "maskrcnn" and not name:
        return EngineEntry(
            kind,
            "Mask R-CNN",
            f"{VERSION}, torchvision {library_version('torchvision')}",
            _load_maskrcnn,
            missing=_maskrcnn_missing,
            weights=_maskrcnn_digest,
        )
    if kind == "yolo" and name:
        return EngineEntry(
            f"{kind}/{name}",
            Path(name).stem,
            f"{VERSION}, ultralytics {library_version('ultralytics')}",
            partial(_load_yolo, name),
            missing=partial(_yolo_missing, name),
            weights=partial(_yolo_digest, name),
        )
    raise EngineError(
        f"unknown detection engine '{kind}{'/' if name else ''}{name}'"
        f" (known: {', '.join(DETECTORS)}, {SSD}, maskrcnn, yolo/FILE such as yolo/yolo11n-seg.pt)"
    )


_MASKRCNN = "maskrcnn-resnet50-fpn-v2"


def _maskrcnn_missing() -> str:
    try:
        file = weight_file(_MASKRCNN)
        path = find(file)
    except WeightsError as error:
        return str(error)
    return "" if path else f"weight file {file.file} is missing; {file.remedy}"


def _maskrcnn_digest() -> str:
    path = find(weight_file(_MASKRCNN))
    return "" if path is None else digest_of(path)[:32]


def _load_maskrcnn(device: str) -> MaskRcnnDetector:
    path = find(weight_file(_MASKRCNN))
    if path is None:
        raise EngineError(_maskrcnn_missing())
    return MaskRcnnDetector(path, device)


def _yolo_path(name: str) -> Path:
    return own_folder() / name


def _yolo_missing(name: str) -> str:
    note = " (ultralytics is under AGPL-3.0)"
    if problem := not_installed("ultralytics", "detection", note):
        return problem
    if _yolo_path(name).is_file():
        return ""
    return (
        f"weight file {name} is missing; download it from https://github.com/ultralytics/assets/releases (AGPL-3.0) and"
        f" put it into {own_folder()}"
    )


def _yolo_digest(name: str) -> str:
    return digest_of(_yolo_path(name))[:32] if _yolo_path(name).is_file() else ""


def _load_yolo(name: str, device: str) -> YoloDetector:
    return YoloDetector(_yolo_path(name), device)
