"""Engines that segment: small referees, transformers' and mmsegmentation's networks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .....methods.weights.files import own_folder
from .....methods.weights.model_folders import joint_digest, missing_model, model_digest, model_folder
from ...requirements import library_version, not_installed
from ..engine import EngineEntry, EngineError, Image
from ..referees import REFEREES, referee

VERSION = "1"


class TransformersSegmenter:
    """SegFormer, UperNet, Mask2Former, ...: a folder as ``save_pretrained`` writes it."""

    def __init__(self, folder: Path, device: str) -> None:
        from transformers import AutoConfig, AutoImageProcessor
        from transformers.models.auto import modeling_auto

        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        universal = config.model_type in modeling_auto.MODEL_FOR_UNIVERSAL_SEGMENTATION_MAPPING_NAMES
        kind = "UniversalSegmentation" if universal else "SemanticSegmentation"
        auto = getattr(modeling_auto, f"AutoModelFor{kind}")
        self._network, self._device = auto.from_pretrained(folder, local_files_only=True).to(device).eval(), device
        self._processor = AutoImageProcessor.from_pretrained(folder, local_files_only=True)
        self.classes = tuple(config.id2label[number] for number in sorted(config.id2label))

    def segment(self, images: Sequence[Image]) -> list[NDArray[np.uint8]]:
        """See ``Segmenter``; resized as the model's own processor says, and back."""
        import torch

        pixels = self._processor(images=list(images), return_tensors="pt")["pixel_values"].to(self._device)
        with torch.inference_mode():
            outputs = self._network(pixel_values=pixels)
        sizes = [image.shape[:2] for image in images]
        maps = self._processor.post_process_semantic_segmentation(outputs, target_sizes=sizes)
        return [result.cpu().numpy().astype(np.uint8) for result in maps]


class MmsegSegmenter:
    """A network of mmsegmentation: its configuration ``NAME.py`` and its checkpoint beside it."""

    def __init__(self, config: Path, checkpoint: Path, device: str) -> None:
        _stub_compiled_ops()
        import mmseg.models  # noqa: F401 (registers the networks)
        from mmengine.config import Config
        from mmengine.registry import init_default_scope
        from mmseg.registry import MODELS

        from ..checkpoints import read_checkpoint

        settings = Config.fromfile(str(config))
        settings.model.pop("pretrained", None)
        for part in ("backbone", "decode_head"):
            settings.model.get(part, {}).pop("init_cfg", None)  # what it names would be downloaded
        init_default_scope("mmseg")
        stored = read_checkpoint(checkpoint)
        self._network = MODELS.build(settings.model).to(device).eval()
        lost, extra = self._network.load_state_dict(stored["state_dict"], strict=False)
        if lost:
            raise EngineError(
                f"{checkpoint}: does not fit {config.name} ({len(lost)} tensors missing, {len(extra)} more)"
            )
        self.classes = _class_names(stored, settings)

    def segment(self, images: Sequence[Image]) -> list[NDArray[np.uint8]]:
        """See ``Segmenter``."""
        import torch
        from mmseg.structures import SegDataSample

        bgr = [torch.from_numpy(np.ascontiguousarray(image[..., ::-1].transpose(2, 0, 1))) for image in images]
        size = images[0].shape[:2]
        samples = [SegDataSample(metainfo={"ori_shape": size, "img_shape": size}) for _ in images]
        with torch.inference_mode():
            results = self._network.test_step({"inputs": bgr, "data_samples": samples})
        return [result.pred_sem_seg.data[0].to(torch.uint8).cpu().numpy() for result in results]


def segmenter(kind: str, name: str) -> EngineEntry:
    """The entry of ``KIND`` or ``KIND/NAME``.

    Raises:
        EngineError: no such kind.
    """
    if kind in REFEREES and not name:
        return referee(kind)
    if kind == "transformers" and name:
        version = f"{VERSION}, transformers {library_version('transformers')}"
        return EngineEntry(
            f"{kind}/{name}",
            name.rpartition("/")[2],
            version,
            partial(_load_transformers, name),
            missing=partial(missing_model, name),
            weights=partial(model_digest, name),
        )
    if kind == "mmseg" and name:
        version = f"{VERSION}, mmsegmentation {library_version('mmsegmentation')}"
        return EngineEntry(
            f"{kind}/{name}",
            name,
            version,
            partial(_load_mmseg, name),
            missing=partial(_mmseg_missing, name),
            weights=partial(_mmseg_digest, name),
        )
    raise EngineError(
        f"unknown segmentation engine '{kind}{'/' if name else ''}{name}'"
        f" (known: {', '.join(REFEREES)}, transformers/NAME, mmseg/NAME)"
    )


def _load_transformers(name: str, device: str) -> TransformersSegmenter:
    folder = model_folder(name)
    if folder is None:
        raise EngineError(missing_model(name))
    return TransformersSegmenter(folder, device)


def _mmseg_files(name: str) -> tuple[Path | None, Path | None]:
    config = own_folder() / f"{name}.py"
    checkpoints = [own_folder() / f"{name}{suffix}" for suffix in (".safetensors", ".pth")]
    return config if config.is_file() else None, next((path for path in checkpoints if path.is_file()), None)


def _mmseg_missing(name: str) -> str:
    for module in ("mmseg", "mmengine", "mmcv"):
        if problem := not_installed(module, "segmentation"):
            return problem
    config, checkpoint = _mmseg_files(name)
    if config is None or checkpoint is None:
        lacking = f"{name}.py" if config is None else f"{name}.pth"
        return (
            f"{lacking} is missing in {own_folder()}; put a configuration of mmsegmentation (written out by its"
            " print_config tool) and its checkpoint there under one name"
        )
    return ""


def _mmseg_digest(name: str) -> str:
    return joint_digest([path for path in _mmseg_files(name) if path is not None])


def _load_mmseg(name: str, device: str) -> MmsegSegmenter:
    config, checkpoint = _mmseg_files(name)
    if config is None or checkpoint is None:
        raise EngineError(_mmseg_missing(name))
    return MmsegSegmenter(config, checkpoint, device)


def _class_names(stored: dict[str, Any], settings: Any) -> tuple[str, ...]:
    meta = stored.get("meta") or {}
    known = (meta.get("dataset_meta") or {}).get("classes") or meta.get("CLASSES") or settings.get("classes")
    if known:
        return tuple(map(str, known))
    return tuple(map(str, range(int(settings.model.decode_head.num_classes))))


def _stub_compiled_ops() -> None:
    """Let mmcv-lite's ``mmcv.ops`` import: its compiled part is missing, and the networks used here do without it."""
    import sys
    import types

    os.environ.setdefault("MMENGINE_LOG_LEVEL", "ERROR")
    if "mmcv._ext" in sys.modules:
        return

    class Missing(types.ModuleType):
        def __getattr__(self, name: str) -> Any:
            if name.startswith("__"):
                raise AttributeError(name)

            def fail(*_: object, **__: object) -> None:
                raise NotImplementedError(f"mmcv's compiled operation '{name}' is not in mmcv-lite")

            return fail

    sys.modules["mmcv._ext"] = Missing("mmcv._ext")
