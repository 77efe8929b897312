"""What must hold on a GPU. Without one, ``cpu:0`` stands for it: the package takes the same branches for both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import full_size
import numpy as np
import pytest
import torch
import yaml
from asasr_bench import evaluate, open_store
from asasr_bench.asasr.config import load_config, preset_names
from asasr_bench.bench.metrics.measure import measure_each
from asasr_bench.bench.metrics.metric import Metric, Score
from asasr_bench.bench.metrics.metric_input import MetricInput
from asasr_bench.bench.metrics.shipped import shipped_metrics
from asasr_bench.bench.protocols import get_protocol
from asasr_bench.datasets.images import write_png
from asasr_bench.methods.asasr import find_model, shipped_names
from asasr_bench.methods.registry import resolve_and_load
from measuring import device
from numpy.typing import NDArray
from safetensors.torch import save_file
from tiny_networks import FAMILIES

LATENT = sorted(set(FAMILIES) - {"small"})
OWN = [name for name in shipped_names() if load_config(find_model(name)).model.family == "small"]


def lq(batch: int = 2, side: int = 16) -> torch.Tensor:
    return torch.rand(batch, 3, side, side, generator=torch.Generator().manual_seed(3))


def on(place: str, reference: str | dict[str, Any]) -> torch.Tensor:
    """What a method makes of ``lq`` on a device."""
    method = resolve_and_load(reference, place)
    return method.restore(lq().to(place), 4, [5, 6]).float().cpu()


def alike(first: torch.Tensor, second: torch.Tensor, mean: float) -> None:
    """Images without NaN whose mean difference is small."""
    assert first.shape == second.shape == (2, 3, 64, 64)
    assert torch.isfinite(first).all()
    assert float((first - second).abs().mean()) <= mean


@pytest.mark.parametrize("precision", ["no", "bf16"])
@pytest.mark.parametrize("name", OWN)
def test_shipped_models_restore_as_on_the_cpu(name: str, precision: str) -> None:
    """Two steps: each doubles what rounding changes. A GPU multiplies float32 as TF32, of 10 bits."""
    sampling = {"steps": 2, "samples": 1, "precision": precision}
    reference = {"name": "m", "id": name, "sampling": sampling}
    expected = on("cpu", {**reference, "sampling": {**sampling, "precision": "no"}})
    alike(on(device(), reference), expected, 2e-3 if precision == "no" else 1e-2)


def random_model(folder: Path, family: str, sampling: dict[str, Any]) -> str:
    content = {"name": family, "model": {"family": family, **FAMILIES[family]}, "sampling": sampling}
    (folder / "model.yaml").write_text(yaml.safe_dump(content))
    return f"asasr:{folder}"


CONFIGURATIONS = [
    *(name for name in preset_names() if load_config(name).model.family != "small"),
    *(name for name in shipped_names() if name not in OWN),
]
"""Of families whose weights do not come with the package."""


@pytest.mark.parametrize("precision", [None, "no", "bf16"])
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_every_configuration_samples_with_tiny_networks(tmp_path: Path, name: str, precision: str | None) -> None:
    """As its file says, and in each number format that it may say."""
    config = load_config(find_model(name) if name in shipped_names() else name)
    sampling = {**config.sampling.model_dump(mode="json"), "steps": 2, "colour_fix": "none"}
    if precision is not None:
        sampling["precision"] = precision
    reference = random_model(tmp_path, config.model.family, sampling)
    expected = on("cpu", {"name": "m", "id": reference, "sampling": {"precision": "no"}})
    alike(on(device(), reference), expected, 5e-2)


@pytest.mark.parametrize("id", ["realesr-animevideov3", "realesrgan-x4plus", "swinir-gan"])
def test_networks_restore_as_on_the_cpu(tmp_path: Path, id: str) -> None:
    torch.manual_seed(0)
    save_file(full_size.network(id).state_dict(), tmp_path / "network.safetensors")
    reference = str(tmp_path / "network.safetensors")
    expected, measured = (
        resolve_and_load(reference, place).restore(lq().to(place), 4, [0, 0]) for place in ("cpu", device())
    )
    assert float((measured.cpu() - expected).abs().mean()) <= 2e-3 * max(1.0, float(expected.abs().mean()))


def photos(photo: NDArray[np.uint8]) -> list[MetricInput]:
    rng, protocol = np.random.default_rng(0), get_protocol("osediff-512", 4)
    return [
        MetricInput(np.clip(photo + rng.normal(0, level, photo.shape), 0, 255).astype(np.uint8), photo, protocol)
        for level in (4, 8, 16)
    ]


BY_DEVICE = [metric for metric in shipped_metrics().values() if metric.batched and not metric.missing()]


@pytest.mark.parametrize("metric", BY_DEVICE, ids=lambda metric: metric.id)
def test_metrics_are_those_of_the_cpu(metric: Metric, photo: NDArray[np.uint8]) -> None:
    """Within the tolerance that the metric declares, whatever the batch."""
    assert metric.card.tolerance > 0
    expected = [metric.measure([image], "cpu")[0].value for image in photos(photo)]
    scores = measure_each(metric, photos(photo), device())
    measured = [score.value for score in scores if isinstance(score, Score)]
    np.testing.assert_allclose(measured, expected, rtol=metric.card.tolerance)


def test_a_run_is_done_on_the_device(tmp_path: Path, photo: NDArray[np.uint8]) -> None:
    write_png(tmp_path / "hr" / "photo.png", photo[:64, :64])
    evaluate(
        "realsr", tmp_path / "store", datasets=[f"D={tmp_path / 'hr'}"], methods=["asasr:small-supervised"],
        metrics=["psnr_y", "lpips_alex"], seeds=[0], device="auto",
    )  # fmt: skip
    with open_store(tmp_path / "store") as store:
        scores = store.scores()
        outputs = store.outputs()
    assert list(scores["status"]) == ["done", "done"]
    assert np.isfinite(scores["value"].to_numpy(float)).all()
    assert set(outputs["device"]) == {device().replace("cpu:0", "cpu")}


@pytest.mark.parametrize("family", LATENT)
def test_training_steps_are_taken_in_bf16(tmp_path: Path, family: str, session: Any) -> None:
    """Prior and preference through the command line, the adapter used afterwards."""
    from skimage import data

    for number in range(3):
        write_png(tmp_path / "hq" / f"{number}.png", np.ascontiguousarray(data.astronaut()[90 * number :][:100, :100]))
    stage = {"steps": 1, "batch": 2, "learning_rate": 1e-3, "warmup": 0, "workers": 0, "precision": "bf16",
             "checkpointing": True}  # fmt: skip
    content = {
        "name": family, "model": {"family": family, "rank": 4, "alpha": 4, **FAMILIES[family]},
        "data": {"hq": ["hq"], "crop": 64, "margin": 8, "degradation": "stablesr-x4"},
        "prior": {**stage, "what": "sr"}, "preference": {**stage, "beta": 50, "negatives": [{"kind": "lq"}]},
        "sampling": {"steps": 2, "colour_fix": "none"},
    }  # fmt: skip
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(content))
    for name in ("prior", "preference"):
        assert session("train", name, "own.yaml", "--out", "runs").status == 0
    write_png(tmp_path / "lq.png", np.full((16, 16, 3), 90, np.uint8))
    assert session("restore", "asasr:runs/preference", "lq.png", "sr.png", "--device", device()).status == 0
