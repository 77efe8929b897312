"""Engines through their real loading code, on weight files that the tests make."""

from __future__ import annotations

import contextlib
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asasr_bench.bench.metrics.registry import get_metric
from asasr_bench.bench.metrics.tasks.checkpoints import Unread, read_checkpoint
from asasr_bench.bench.metrics.tasks.detection.engines import detector
from asasr_bench.bench.metrics.tasks.engine import Detector, EngineError, Segmenter, TextReader, engine_of
from asasr_bench.bench.metrics.tasks.ocr.engines import readers
from asasr_bench.bench.metrics.tasks.segmentation.engines import segmenter
from asasr_bench.methods.weights import files as weight_files
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont


def test_transformers_segformer(weights: Path, photo: NDArray[np.uint8]) -> None:
    import torch
    from transformers import SegformerConfig, SegformerForSemanticSegmentation, SegformerImageProcessor

    torch.manual_seed(0)
    names = {0: "sky", 1: "road", 2: "tree"}
    config = SegformerConfig(
        depths=[1, 1, 1, 1],
        hidden_sizes=[8, 8, 16, 16],
        num_attention_heads=[1, 1, 1, 1],
        decoder_hidden_size=16,
        id2label=names,
        label2id={name: number for number, name in names.items()},
    )
    network = SegformerForSemanticSegmentation(config).eval()
    network.save_pretrained(weights / "org" / "tiny")
    processor = SegformerImageProcessor(size={"height": 64, "width": 64})
    processor.save_pretrained(weights / "org" / "tiny")
    entry = segmenter("transformers", "org/tiny")
    assert entry.missing() == ""
    assert len(entry.weights()) == 32
    engine = engine_of(entry)
    assert isinstance(engine, Segmenter)
    assert engine.classes == ("sky", "road", "tree")
    result = engine.segment([photo[:100, :140]])[0]
    inputs = processor(images=photo[:100, :140], return_tensors="pt")
    with torch.inference_mode():
        logits = network(**inputs).logits
    expected = torch.nn.functional.interpolate(logits, (100, 140), mode="bilinear", align_corners=False)[0].argmax(0)
    assert result.shape == (100, 140)
    assert float((result == expected.numpy()).mean()) > 0.999


def test_transformers_upernet_and_mask2former(weights: Path, photo: NDArray[np.uint8]) -> None:
    import torch
    from transformers import (
        Mask2FormerConfig,
        Mask2FormerForUniversalSegmentation,
        Mask2FormerImageProcessor,
        SegformerImageProcessor,
        SwinConfig,
        UperNetConfig,
        UperNetForSemanticSegmentation,
    )

    torch.manual_seed(0)
    names = {number: f"class {number}" for number in range(4)}
    swin = SwinConfig(
        embed_dim=8,
        depths=[1, 1, 1, 1],
        num_heads=[1, 1, 2, 2],
        window_size=4,
        image_size=64,
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )
    upernet = UperNetForSemanticSegmentation(
        UperNetConfig(backbone_config=swin, hidden_size=16, auxiliary_channels=8, id2label=names)
    )
    upernet.save_pretrained(weights / "upernet")
    SegformerImageProcessor(size={"height": 64, "width": 64}).save_pretrained(weights / "upernet")
    mask2former = Mask2FormerForUniversalSegmentation(
        Mask2FormerConfig(
            backbone_config=swin,
            feature_size=32,
            mask_feature_size=32,
            hidden_dim=32,
            encoder_feedforward_dim=16,
            encoder_layers=1,
            decoder_layers=2,
            num_attention_heads=2,
            dim_feedforward=16,
            num_queries=5,
            id2label=names,
        )
    )
    mask2former.save_pretrained(weights / "mask2former")
    Mask2FormerImageProcessor(size={"height": 64, "width": 64}).save_pretrained(weights / "mask2former")
    for name in ("upernet", "mask2former"):
        engine = engine_of(segmenter("transformers", name))
        found, again = engine.segment([photo[:96, :80]] * 2)
        np.testing.assert_array_equal(found, again)
        assert found.shape == (96, 80)
        assert int(found.max()) < len(engine.classes) == 4


def test_mmsegmentation(weights: Path, photo: NDArray[np.uint8]) -> None:
    pytest.importorskip("mmseg")
    import torch
    from asasr_bench.bench.metrics.tasks.segmentation.engines import _stub_compiled_ops

    (weights / "segformer.py").write_text(
        "norm = dict(type='BN', requires_grad=True)\n"
        "model = dict(type='EncoderDecoder',\n"
        "    data_preprocessor=dict(type='SegDataPreProcessor',\n"
        "        mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375],\n"
        "        bgr_to_rgb=True, pad_val=0, seg_pad_val=255, size_divisor=32, test_cfg=dict(size_divisor=32)),\n"
        "    backbone=dict(type='MixVisionTransformer', in_channels=3, embed_dims=8, num_stages=4,\n"
        "        num_layers=[1, 1, 1, 1], num_heads=[1, 1, 1, 1], patch_sizes=[7, 3, 3, 3], sr_ratios=[8, 4, 2, 1],\n"
        "        out_indices=(0, 1, 2, 3),\n"
        "        mlp_ratio=2, init_cfg=dict(type='Pretrained', checkpoint='https://nowhere.invalid/x.pth')),\n"
        "    decode_head=dict(type='SegformerHead', in_channels=[8, 8, 8, 8], in_index=[0, 1, 2, 3], channels=16,\n"
        "        num_classes=3, norm_cfg=norm, align_corners=False,\n"
        "        loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0)),\n"
        "    train_cfg=dict(), test_cfg=dict(mode='whole'))\n"
    )
    _stub_compiled_ops()
    import mmseg.models  # noqa: F401
    from mmengine.config import Config
    from mmengine.logging.history_buffer import HistoryBuffer
    from mmengine.registry import init_default_scope
    from mmseg.registry import MODELS

    init_default_scope("mmseg")
    settings = Config.fromfile(str(weights / "segformer.py"))
    settings.model.backbone.pop("init_cfg")
    torch.manual_seed(0)
    network = MODELS.build(settings.model).eval()
    meta = {"dataset_meta": {"classes": ("sky", "road", "tree")}, "history": HistoryBuffer([1.0], [1])}
    torch.save({"state_dict": network.state_dict(), "meta": meta}, weights / "segformer.pth")
    entry = segmenter("mmseg", "segformer")
    assert entry.missing() == ""
    engine = engine_of(entry)
    assert engine.classes == ("sky", "road", "tree")
    image = photo[:90, :130]
    mean, std = (torch.tensor(values)[:, None, None] for values in ([123.675, 116.28, 103.53], [58.395, 57.12, 57.375]))
    batch = (torch.from_numpy(image.copy()).permute(2, 0, 1).float() - mean) / std
    padded = torch.nn.functional.pad(batch, (0, 160 - 130, 0, 96 - 90))[None]
    with torch.inference_mode():
        logits = network.decode_head(network.extract_feat(padded))
    logits = torch.nn.functional.interpolate(logits, (96, 160), mode="bilinear", align_corners=False)
    np.testing.assert_array_equal(engine.segment([image, image])[1], logits[0, :, :90, :130].argmax(0).numpy())


def test_checkpoints_are_read_without_running_what_they_name(tmp_path: Path) -> None:
    import torch

    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (tmp_path / "sprung",)  # type: ignore[return-value]

    weights = {"a.weight": torch.arange(6.0).reshape(2, 3), "half": torch.ones(2, dtype=torch.float16)}
    torch.save({"state_dict": weights, "meta": {"CLASSES": ("x",), "trap": Trap()}}, tmp_path / "c.pth")
    read = read_checkpoint(tmp_path / "c.pth")
    assert not (tmp_path / "sprung").exists()
    assert isinstance(read["meta"]["trap"], Unread)
    assert all(torch.equal(read["state_dict"][name], weights[name]) for name in weights)
    for legacy in (True, False):  # files older than torch 1.6: a stream of pickles, the first of which is no mapping
        stream = [Trap(), 1001, {}] if legacy else [{"trap": Trap()}]
        (tmp_path / "old.pth").write_bytes(b"".join(map(pickle.dumps, stream)))
        with contextlib.suppress(EngineError):
            read_checkpoint(tmp_path / "old.pth")
        assert not (tmp_path / "sprung").exists()
    torch.save(weights, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert torch.equal(read_checkpoint(tmp_path / "old.pth")["state_dict"]["half"], weights["half"])
    (tmp_path / "bad.pth").write_bytes(b"no checkpoint")
    with pytest.raises(EngineError, match=r"bad.pth"):
        read_checkpoint(tmp_path / "bad.pth")


@pytest.mark.parametrize("model", ["yolo11n", "yolo11n-seg"])
def test_yolo(weights: Path, photo: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch, model: str) -> None:
    monkeypatch.setenv("YOLO_OFFLINE", "true")
    monkeypatch.setenv("YOLO_CONFIG_DIR", str(weights))
    ultralytics = pytest.importorskip("ultralytics")
    import torch

    torch.manual_seed(0)
    network = ultralytics.YOLO(f"{model}.yaml")
    network.model.names = {number: f"thing {number}" for number in range(80)}
    head = network.model.model[-1]
    for scores in head.cv3:  # an untrained network is sure of nothing: this one finds the same thing everywhere
        torch.nn.init.constant_(scores[-1].bias[7:8], 2.0)
    network.save(weights / f"{model}.pt")
    entry = detector("yolo", f"{model}.pt")
    assert entry.missing() == ""
    engine = engine_of(entry)
    assert isinstance(engine, Detector)
    detections = engine.detect([photo])[0]
    expected = ultralytics.YOLO(weights / f"{model}.pt").predict(
        Image.fromarray(photo), conf=0.001, iou=0.7, max_det=100, device="cpu", verbose=False, retina_masks=True
    )[0]  # its own reading of an RGB image
    assert 0 < len(detections) <= 100
    assert [detection.category for detection in detections] == [
        expected.names[int(number)] for number in expected.boxes.cls
    ]
    np.testing.assert_allclose([detection.box for detection in detections], expected.boxes.xyxy.numpy(), atol=1e-3)
    np.testing.assert_allclose([detection.score for detection in detections], expected.boxes.conf.numpy(), atol=1e-6)
    if model.endswith("seg"):
        masks = np.stack([detection.mask for detection in detections])
        np.testing.assert_array_equal(masks, expected.masks.data.numpy() > 0.5)
        assert masks.shape[1:] == photo.shape[:2]


def test_mask_rcnn(weights: Path, photo: NDArray[np.uint8]) -> None:
    import torch
    from torchvision.models.detection import maskrcnn_resnet50_fpn_v2

    assert "maskrcnn_resnet50_fpn_v2_coco" in get_metric("ap_mask:maskrcnn").missing()
    torch.manual_seed(0)
    network = maskrcnn_resnet50_fpn_v2(weights=None, weights_backbone=None, num_classes=91)
    path = weights / "own.pth"
    torch.nn.init.zeros_(network.roi_heads.box_predictor.cls_score.weight)
    network.roi_heads.box_predictor.cls_score.bias.data[18] = 6.0  # dogs everywhere: untrained it is sure of nothing
    torch.save(network.state_dict(), path)
    from asasr_bench.bench.metrics.tasks.detection.engines import MaskRcnnDetector

    detections = MaskRcnnDetector(path, "cpu").detect([photo[:128, :128]])[0]
    with torch.inference_mode():
        (expected,) = network.eval()([torch.from_numpy(photo[:128, :128].transpose(2, 0, 1) / np.float32(255))])
    assert 0 < len(detections) <= 100
    assert {detection.category for detection in detections} == {"dog"}
    np.testing.assert_allclose([detection.box for detection in detections], expected["boxes"].numpy(), atol=1e-3)
    np.testing.assert_allclose([detection.score for detection in detections], expected["scores"].numpy(), atol=1e-6)
    masks = np.stack([detection.mask for detection in detections])
    np.testing.assert_array_equal(masks, (expected["masks"][:, 0] > 0.5).numpy())


def test_rapidocr_reads_a_drawn_sign() -> None:
    pytest.importorskip("rapidocr")
    pytest.importorskip("onnxruntime")
    _reads_a_sign(engine_of(readers()["rapidocr"]))


def test_tesseract_reads_a_drawn_sign() -> None:
    entry = readers()["tesseract"]
    if entry.missing():
        pytest.skip(entry.missing())
    _reads_a_sign(engine_of(entry))


def _reads_a_sign(engine: TextReader) -> None:
    from asasr_bench.datasets.drawn.lettering import font_file

    sign = Image.new("RGB", (400, 160), "white")
    ImageDraw.Draw(sign).text(
        (40, 40), "PLATFORM 27", fill="black", font=ImageFont.truetype(str(font_file("DejaVuSans")), 48)
    )
    pixels = np.asarray(sign)
    result = engine.read([pixels], one_word=False)[0]
    text = "".join(one.text for one in sorted(result, key=lambda one: one.polygon[0]))
    assert text.replace(" ", "") == "PLATFORM27"
    xs = [x for one in result for x, _ in one.polygon]
    assert min(xs) == pytest.approx(45, abs=20)  # engines leave some room around the ink
    word = engine.read([np.ascontiguousarray(pixels[30:110, 30:300])], one_word=True)[0]
    assert [one.text for one in word] == ["PLATFORM"]
    assert word[0].polygon == ()
    assert engine.read([np.full((80, 80, 3), 255, dtype=np.uint8)], one_word=False) == [()]


def test_easyocr(weights: Path, photo: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch) -> None:
    easyocr = pytest.importorskip("easyocr")
    import hashlib

    import torch
    from easyocr import config
    from easyocr.craft import CRAFT
    from easyocr.model.vgg_model import Model

    assert "craft_mlt_25k.pth is missing" in readers()["easyocr"].missing()
    torch.manual_seed(0)
    torch.save(_parallel(CRAFT()), weights / "craft_mlt_25k.pth")
    signs = len(config.recognition_models["gen2"]["english_g2"]["characters"]) + 1
    torch.save(_parallel(Model(1, 256, 256, signs)), weights / "english_g2.pth")
    for entry, name in (
        (config.detection_models["craft"], "craft_mlt_25k.pth"),
        (config.recognition_models["gen2"]["english_g2"], "english_g2.pth"),
    ):
        digest = hashlib.md5((weights / name).read_bytes(), usedforsecurity=False).hexdigest()
        monkeypatch.setitem(entry, "md5sum", digest)
    described = {
        id: replace(entry, sha256="") if id.startswith("easyocr-") else entry
        for id, entry in weight_files.manifest().items()
    }
    monkeypatch.setattr(weight_files, "manifest", lambda: described)
    assert readers()["easyocr"].missing() == ""
    words = engine_of(readers()["easyocr"]).read([photo[:96, :128]], one_word=True)[0]
    grey = np.asarray(Image.fromarray(photo[:96, :128]).convert("L"))
    reader = easyocr.Reader(["en"], gpu=False, model_storage_directory=str(weights), download_enabled=False)
    expected = reader.recognize(grey, [[0, 128, 0, 96]], [])
    assert [word.text for word in words] == [text for _, text, _ in expected if text]


def _parallel(network: Any) -> dict[str, Any]:
    """Weights under the names that ``DataParallel`` gives them, as EasyOCR's files have them."""
    return {f"module.{name}": tensor for name, tensor in network.state_dict().items()}
