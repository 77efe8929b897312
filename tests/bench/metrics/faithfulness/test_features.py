"""Deep-feature distances: tiny random models against a plain computation, and what is told without a model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from asasr_bench.bench.metrics.batches import TOLERANCE
from asasr_bench.bench.metrics.faithfulness.features import CLIP, DINO
from asasr_bench.bench.metrics.measure import measure_each
from asasr_bench.bench.metrics.metric import MetricError
from asasr_bench.bench.metrics.metric_input import MetricInput
from asasr_bench.bench.metrics.registry import get_metric
from asasr_bench.bench.protocols import get_protocol
from asasr_bench.methods.weights.model_folders import model_folder
from numpy.typing import NDArray
from transformers import CLIPConfig, CLIPModel, Dinov2Config, Dinov2Model, Dinov2WithRegistersConfig
from transformers import Dinov2WithRegistersModel as WithRegisters

SIDE = 28
MEAN, STD = np.array([0.48, 0.46, 0.41]), np.array([0.27, 0.26, 0.28])
PROTOCOL = get_protocol("osediff-512", 4)


def processor(folder: Path, kind: str) -> None:
    from transformers import BitImageProcessor, CLIPImageProcessor

    maker = {"bit": BitImageProcessor, "clip": CLIPImageProcessor}[kind]
    size = {"height": SIDE, "width": SIDE}
    maker(
        size={"shortest_edge": SIDE},
        crop_size=size,
        image_mean=MEAN.tolist(),
        image_std=STD.tolist(),
        do_convert_rgb=True,
    ).save_pretrained(folder)


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("ASASR_BENCH_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    model_folder.cache_clear()
    torch.manual_seed(0)
    shape = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": SIDE, "patch_size": 7}
    Dinov2Model(Dinov2Config(**shape)).save_pretrained(tmp_path / DINO)
    WithRegisters(Dinov2WithRegistersConfig(num_register_tokens=3, **shape)).save_pretrained(tmp_path / "me/registers")
    text = {
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 16,
        "vocab_size": 32,
        "max_position_embeddings": 8,
    }
    config = CLIPConfig(text_config=text, vision_config={**shape, "intermediate_size": 32}, projection_dim=12)
    CLIPModel(config).save_pretrained(tmp_path / CLIP)
    for name, kind in ((DINO, "bit"), ("me/registers", "bit"), (CLIP, "clip")):
        processor(tmp_path / name, kind)
    yield tmp_path
    model_folder.cache_clear()


def images(count: int = 3) -> list[MetricInput]:
    rng = np.random.default_rng(1)
    pairs = [rng.integers(0, 256, (2, SIDE, SIDE, 3), dtype=np.uint8) for _ in range(count)]
    return [MetricInput(sr, hr, PROTOCOL) for sr, hr in pairs]


def normalised(image: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(((image / 255 - MEAN) / STD).transpose(2, 0, 1)[None]).float()


def cosine(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    return float(np.sum(a * b) / np.sqrt(np.sum(a * a) * np.sum(b * b)))


def values(id: str, inputs: list[MetricInput]) -> list[float]:
    results = measure_each(get_metric(id), inputs, "cpu")
    assert not any(isinstance(result, Exception) for result in results), results
    return [result.value for result in results]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("id", "name", "skipped"), [("dino_distance", DINO, 1), ("features:me/registers", "me/registers", 4)]
)
def test_dino_is_the_mean_over_places(models: Path, id: str, name: str, skipped: int) -> None:
    """16 places of 7x7 pixels behind the class token and the registers, each compared with its own."""
    from transformers import AutoModel

    network = AutoModel.from_pretrained(models / name).eval()
    inputs = images()
    for value, image in zip(values(id, inputs), inputs, strict=True):
        assert image.hr is not None
        with torch.no_grad():
            a, b = (
                network(normalised(each)).last_hidden_state[0, skipped:].double().numpy()
                for each in (image.sr, image.hr)
            )
        assert len(a) == 16
        assert value == pytest.approx(1 - np.mean([cosine(x, y) for x, y in zip(a, b, strict=True)]), rel=1e-4)


def test_clip_is_of_the_whole_image(models: Path) -> None:
    network = CLIPModel.from_pretrained(models / CLIP).eval()
    inputs = images()
    for value, image in zip(values("clip_distance", inputs), inputs, strict=True):
        assert image.hr is not None
        with torch.no_grad():
            pooled = (
                network.vision_model(pixel_values=normalised(each)).pooler_output for each in (image.sr, image.hr)
            )
            a, b = (network.visual_projection(each)[0].double().numpy() for each in pooled)
        assert value == pytest.approx(1 - cosine(a, b), rel=1e-3, abs=1e-6)


def test_an_image_and_itself_have_no_distance_and_a_batch_changes_nothing(models: Path) -> None:
    inputs = images()
    for id in ("dino_distance", "clip_distance"):
        (same,) = values(id, [MetricInput(inputs[0].sr, inputs[0].sr, PROTOCOL)])
        assert same == pytest.approx(0, abs=1e-6)
        alone = [values(id, [image])[0] for image in inputs]
        np.testing.assert_allclose(values(id, inputs), alone, rtol=TOLERANCE, atol=1e-6)


def test_weights_and_processor_are_in_the_key(models: Path) -> None:
    before = get_metric("dino_distance").implementation
    processor(models / DINO, "clip")
    assert get_metric("dino_distance").implementation != before


def test_without_a_model_it_says_how_to_get_it(models: Path) -> None:
    message = get_metric("features:me/none").missing()
    assert "model me/none is not here; get it with 'hf download me/none', or put its folder at" in message
    assert get_metric("dino_distance").missing() == ""
    for name in ("features:", "features:/etc", "features:../x"):
        with pytest.raises(MetricError, match="a model is named as on the Hub"):
            get_metric(name)
