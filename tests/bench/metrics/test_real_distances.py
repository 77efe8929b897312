"""LPIPS and DISTS with their published weights, against the packages of their authors and of pyiqa on the same ones."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from asasr_bench.bench.metrics import deep_features
from asasr_bench.bench.metrics.metric_input import MetricInput
from asasr_bench.bench.metrics.registry import get_metric
from asasr_bench.bench.protocols import get_protocol
from asasr_bench.methods.weights.files import read_tensors, verified, weight_file
from measured import measured
from numpy.typing import NDArray

Image = NDArray[np.uint8]


def pairs() -> Iterator[tuple[str, Image, Image]]:
    """Photos that scikit-image ships, damaged in five ways, at even and odd sizes."""
    from PIL import Image as Pillow
    from scipy.ndimage import gaussian_filter
    from skimage import data

    rng = np.random.default_rng(0)
    astronaut, coffee, cat = data.astronaut(), data.coffee(), data.chelsea()
    noisy = np.clip(astronaut[:256, :256] + rng.normal(0, 20, (256, 256, 3)), 0, 255).astype(np.uint8)
    yield "noise", noisy, astronaut[:256, :256]
    yield "blur", gaussian_filter(coffee[:201, :333], (2, 2, 0)), coffee[:201, :333]
    file = io.BytesIO()
    Pillow.fromarray(cat).save(file, "JPEG", quality=15)
    yield "jpeg", np.asarray(Pillow.open(file))[:177, :255], cat[:177, :255]
    yield "shift", np.roll(astronaut, (3, 5), (0, 1))[200:400, 100:301], astronaut[200:400, 100:301]
    yield "coarse", coffee[::4, ::4].repeat(4, 0).repeat(4, 1)[:320, :288], coffee[:320, :288]


def tensors(*images: Image) -> list[torch.Tensor]:
    return [torch.from_numpy(image.copy()).movedim(-1, 0)[None].float() / 255 for image in images]


def features(backbone: str) -> dict[int, dict[str, torch.Tensor]]:
    """Weight and bias of the convolutions by their place in torchvision's ``features``."""
    layers: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in read_tensors(verified(weight_file(backbone))).items():
        if name.startswith("features."):
            _, place, part = name.split(".")
            layers.setdefault(int(place), {})[part] = value
    return layers


def fill(stages: list[torch.nn.Module], backbone: str) -> None:
    """Put the published numbers into the layers of somebody else's stages, which keep torchvision's places."""
    layers = features(backbone)
    for stage in stages:
        for place, layer in stage.named_children():
            if isinstance(layer, torch.nn.Conv2d):
                layer.load_state_dict(layers.pop(int(place)))
    assert not layers


@pytest.fixture(autouse=True)
def _fresh() -> None:
    deep_features._loaded.cache_clear()


@pytest.mark.parametrize(("id", "net", "backbone"), [("lpips_alex", "alex", "alexnet"), ("lpips_vgg", "vgg", "vgg16")])
def test_lpips_is_the_authors_package(id: str, net: str, backbone: str, request: pytest.FixtureRequest) -> None:
    """Their code with their heads; of AlexNet with what comes with this package."""
    lpips: Any = pytest.importorskip("lpips")
    if backbone == "vgg16":
        request.getfixturevalue("published_weights")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it calls torchvision in an old way
        reference_network = lpips.LPIPS(net=net, pnet_rand=True, verbose=False)
    fill([getattr(reference_network.net, f"slice{number}") for number in range(1, 6)], backbone)
    metric = get_metric(id)
    for name, sr, hr in pairs():
        with torch.inference_mode():
            expected = float(reference_network(*tensors(sr, hr), normalize=True))
        ours = measured(metric, MetricInput(sr, hr, get_protocol("asasr", None)))
        assert ours == pytest.approx(expected, abs=1e-6), name
        assert ours > 0.05


def test_dists_is_pyiqas(published_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pyiqa's network with torchvision's VGG16 and the authors' head."""
    import torchvision

    pytest.importorskip("pyiqa", reason="pyiqa is not installed")
    from pyiqa.archs.dists_arch import DISTS

    empty = torchvision.models.vgg16(weights=None)
    monkeypatch.setattr("torchvision.models.vgg16", lambda **_: empty)
    torch.save(read_tensors(verified(weight_file("dists"))), tmp_path / "dists.pth")
    reference_network = DISTS(pretrained_model_path=str(tmp_path / "dists.pth")).eval()
    monkeypatch.undo()
    monkeypatch.setenv("ASASR_BENCH_WEIGHTS", str(published_weights))
    fill([getattr(reference_network, f"stage{number}") for number in range(1, 6)], "vgg16")
    metric = get_metric("dists")
    for name, sr, hr in pairs():
        with torch.inference_mode():
            expected = float(reference_network(*tensors(sr, hr)))
        ours = measured(metric, MetricInput(sr, hr, get_protocol("asasr", None)))
        assert ours == pytest.approx(expected, abs=1e-6), name
        assert ours > 0.02
