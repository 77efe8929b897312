"""LPIPS and DISTS against the packages of their authors and others, on the same weight files."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import random_weights
import torch
from asasr_bench.bench.metrics import deep_features
from asasr_bench.bench.metrics.batches import OutOfMemoryError, measure_batch
from asasr_bench.bench.metrics.deep_features import FeatureDistance
from asasr_bench.bench.metrics.metric import Metric
from asasr_bench.bench.metrics.metric_input import MetricInput
from asasr_bench.bench.metrics.registry import get_metric
from asasr_bench.bench.protocols import get_protocol
from asasr_bench.methods.weights import files as weights
from asasr_bench.methods.weights.files import find, tensors_of, verified, weight_file
from measured import measured
from safetensors.torch import save_file

PROTOCOL = get_protocol("osediff-512", 4)
FILES = {
    "lpips_alex": ("alexnet", "lpips-alex"),
    "lpips_vgg": ("vgg16", "lpips-vgg"),
    "dists": ("vgg16", "dists"),
}
THEIR_NAMES = {"lpips_alex": "lpips", "lpips_vgg": "lpips-vgg", "dists": "dists"}

every_metric = pytest.mark.parametrize("metric", deep_features.METRICS, ids=lambda metric: metric.id)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of weights, which is torchvision's as well."""
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    monkeypatch.setenv("ASASR_BENCH_WEIGHTS", str(folder))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(weights, "_shipped", lambda entry: tmp_path / "nothing comes with the package")
    deep_features._loaded.cache_clear()
    return folder


@pytest.fixture
def pair(photo: np.ndarray) -> MetricInput:
    noisy = np.clip(photo + np.random.default_rng(0).normal(0, 15, photo.shape), 0, 255).astype(np.uint8)
    return MetricInput(noisy[:, :224], photo[:, :224], PROTOCOL)


def tensors(pair: MetricInput) -> list[torch.Tensor]:
    assert pair.hr is not None
    return [torch.from_numpy(image.copy()).movedim(-1, 0)[None].float() / 255 for image in (pair.sr, pair.hr)]


def distance(metric: Metric, folder: Path) -> FeatureDistance:
    backbone, head = FILES[metric.id]
    kind: Any = "dists" if metric.id == "dists" else "lpips"
    return FeatureDistance(kind, backbone, *(verified(weight_file(id)) for id in (backbone, head)))  # type: ignore[arg-type]


@every_metric
def test_it_is_pyiqas_value(metric: Metric, pair: MetricInput, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its weight files it is unavailable; with them it equals the library called directly."""
    pyiqa = pytest.importorskip("pyiqa", reason="pyiqa is not installed")
    ids = FILES[metric.id]
    for id in ids:
        assert weight_file(id).file in metric.missing()
    assert f"weights fetch {' '.join(ids)}" in metric.missing()
    random_weights.place(ids, folder, monkeypatch)
    assert metric.missing() == ""
    monkeypatch.setattr("pyiqa.utils.download_util.DEFAULT_CACHE_DIR", str(folder))
    reference_network = pyiqa.create_metric(THEIR_NAMES[metric.id], device="cpu")
    assert measured(metric, pair) == pytest.approx(float(reference_network(*tensors(pair))), rel=1e-5)
    assert reference_network.lower_better == (metric.card.direction == "lower")
    assert reference_network.score_range == metric.card.range


@pytest.mark.parametrize(("id", "net"), [("lpips_alex", "alex"), ("lpips_vgg", "vgg")])
def test_lpips_is_the_authors_value(
    id: str, net: str, pair: MetricInput, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The authors' package with its own trained heads, on the same backbone."""
    lpips = pytest.importorskip("lpips")
    ids = FILES[id]
    random_weights.place(ids, folder, monkeypatch)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it calls torchvision in an old way
        reference_network = lpips.LPIPS(net=net, verbose=False)
    torch.save(
        {
            f"{name}.model.1.weight": getattr(reference_network, name).model[1].weight.detach()
            for name in ("lin0", "lin1", "lin2", "lin3", "lin4")
        },
        folder / weight_file(ids[1]).file,
    )
    random_weights.describe(ids, folder, monkeypatch)
    with torch.inference_mode():
        expected = float(reference_network(*tensors(pair), normalize=True))
    assert measured(get_metric(id), pair) == pytest.approx(expected, rel=1e-5)


def test_dists_is_torchmetrics_value(pair: MetricInput, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An independent implementation with the authors' trained weights, on the same backbone."""
    module = pytest.importorskip("torchmetrics.functional.image.dists")
    ids = FILES["dists"]
    random_weights.place(ids, folder, monkeypatch)
    reference_network = module.DISTSNetwork(load_weights=True).eval()
    torch.save(
        {"alpha": reference_network.alpha.detach(), "beta": reference_network.beta.detach()},
        folder / weight_file("dists").file,
    )
    random_weights.describe(ids, folder, monkeypatch)
    with torch.inference_mode():
        expected = float(reference_network(*tensors(pair)))
    assert measured(get_metric("dists"), pair) == pytest.approx(expected, rel=1e-5)


@every_metric
def test_an_image_has_no_distance_to_itself(
    metric: Metric, photo: np.ndarray, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    random_weights.place(FILES[metric.id], folder, monkeypatch)
    for image in (photo, photo[:, ::-1], photo[:128, 64:], photo // 2, np.zeros_like(photo)):
        value = measured(metric, MetricInput(image, image, PROTOCOL))
        assert 0 <= value < 1e-6
        assert not np.signbit(value)


def test_rounded_weights_make_no_negative_distance(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Divided by their sum in float32, the weights of these heads sum to a little more than 1."""
    random_weights.place(FILES["dists"], folder, monkeypatch)
    head = verified(weight_file("dists"))
    shapes = {name: part.shape for name, part in torch.load(head, weights_only=True).items()}
    image = torch.rand(1, 3, 32, 32)
    above = 0
    for seed in range(60):
        generator = torch.Generator().manual_seed(seed)
        state = {name: torch.rand(shape, generator=generator) for name, shape in shapes.items()}
        total = state["alpha"].sum() + state["beta"].sum()
        if float(sum((state[name] / total).double().sum() for name in ("alpha", "beta"))) <= 1 + 1e-8:
            continue
        above += 1
        torch.save(state, folder / "head.pt")
        network = FeatureDistance("dists", "vgg16", verified(weight_file("vgg16")), folder / "head.pt")
        value = float(network(image, image))
        assert (value, np.signbit(value)) == (0, False)
        if above == 2:
            return
    pytest.fail("no head of these sums to more than 1")


@every_metric
@pytest.mark.parametrize("size", [(192, 208), (203, 187)])
def test_tiles_and_batches_do_not_change_a_value(
    metric: Metric, size: tuple[int, int], photo: np.ndarray, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By tiles of 64 pixels, in batches, and image by image, on sizes that no stride divides."""
    random_weights.place(FILES[metric.id], folder, monkeypatch)
    rng = np.random.default_rng(1)
    hr = torch.from_numpy(np.resize(photo, (2, *size, 3)).copy()).movedim(-1, 1).float() / 255
    sr = (hr + torch.from_numpy(rng.normal(0, 0.1, hr.shape))).clamp(0, 1).float()
    network = distance(metric, folder)
    with torch.inference_mode():
        alone = torch.cat([network(sr[i : i + 1], hr[i : i + 1]) for i in range(2)])
        together = network(sr, hr)
        tiled = network(sr, hr, tile=64)
    assert len(set(alone.tolist())) == 2
    assert together.tolist() == pytest.approx(alone.tolist(), rel=metric.card.tolerance)
    assert tiled.tolist() == pytest.approx(alone.tolist(), rel=metric.card.tolerance)


class Small:
    """A device that holds so many pixels at once."""

    def __init__(self, pixels: int) -> None:
        self.pixels = pixels
        self.calls: list[int] = []

    def __call__(self, image: torch.Tensor) -> torch.Tensor:
        self.calls.append(len(image))
        if image.shape[0] * image.shape[2] * image.shape[3] > self.pixels:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return image.mean((1, 2, 3))


def test_out_of_memory_halves_the_batch_then_tiles_then_gives_up() -> None:
    images = torch.rand(3, 3, 8, 8)
    expected = pytest.approx(images.mean((1, 2, 3)).tolist(), rel=1e-6)
    device = Small(2 * 64)
    assert measure_batch(device, [images], "cpu") == expected
    assert device.calls == [3, 1, 2]
    tiles = Small(64)
    assert measure_batch(Small(0), [images], "cpu", by_tiles=tiles) == expected
    assert tiles.calls == [1] * 3
    with pytest.raises(OutOfMemoryError, match="8x8 pixels needs more memory than cpu has"):
        measure_batch(Small(0), [images], "cpu")
    with pytest.raises(RuntimeError, match="another"):
        measure_batch(broken, [images], "cpu")


def broken(image: torch.Tensor) -> torch.Tensor:
    raise RuntimeError("another error")


def test_lpips_is_here_without_any_download(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("ASASR_BENCH_WEIGHTS", str(folder))
    monkeypatch.setenv("TORCH_HOME", str(folder))
    assert get_metric("lpips_alex").missing() == ""
    assert "weight file vgg16" in get_metric("lpips_vgg").missing()
    assert "lpips-vgg" not in get_metric("lpips_vgg").missing()  # the head comes with the package


def test_what_identifies_a_backbone_is_its_convolutions_not_its_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same tensors in the publisher's file, classifier and all, and in one from elsewhere: one identity."""
    metric = get_metric("lpips_alex")
    random_weights.place(FILES[metric.id], folder, monkeypatch)
    identity, official = metric.implementation, folder / weight_file("alexnet").file
    features = {name: value for name, value in torch.load(official).items() if name.startswith("features.")}
    official.unlink()
    save_file(features, folder / weight_file("alexnet").converted)
    described = {
        **weights.manifest(),
        "alexnet": replace(weight_file("alexnet"), tensors=tensors_of(folder / weight_file("alexnet").converted)),
    }
    monkeypatch.setattr(weights, "manifest", lambda: described)
    assert find(weight_file("alexnet")) == folder / weight_file("alexnet").converted
    assert metric.implementation == identity
    features["features.0.bias"][0] += 1
    save_file(features, folder / weight_file("alexnet").converted)
    assert "does not hold the tensors of alexnet" in metric.missing()


@pytest.mark.parametrize(("kind", "backbone"), [("lpips", "alexnet"), ("dists", "vgg16")])
def test_maps_of_hr_are_kept_and_change_no_value(
    kind: str, backbone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = {"lpips": "lpips-alex", "dists": "dists"}[kind]
    random_weights.place((backbone, head), tmp_path, monkeypatch)
    paths = [tmp_path / weight_file(id).file for id in (backbone, head)]
    network = deep_features.FeatureDistance(kind, backbone, *paths).to("cpu")  # type: ignore[arg-type]
    generator = torch.Generator().manual_seed(0)
    hr, first, second = (torch.rand((1, 3, 96, 80), generator=generator) for _ in range(3))
    calls: list[int] = []
    maps = network._maps
    monkeypatch.setattr(network, "_maps", lambda image: calls.append(1) or maps(image))
    values = [float(network(sr, hr)) for sr in (first, second, first)]
    assert len(calls) == 3 + 1
    assert values[0] == values[2]
    assert float(network(first, hr + 0.01)) != values[0]  # another HR is not taken for this one
    monkeypatch.setattr(deep_features, "_KEPT", 0)
    network._kept.clear()
    assert [float(network(sr, hr)) for sr in (first, second)] == values[:2]
    assert network._kept == {}


def test_moments_are_those_of_float64() -> None:
    generator = torch.Generator().manual_seed(1)
    a, b = (torch.rand((2, 5, 37, 23), generator=generator) for _ in range(2))
    sums = torch.stack([deep_features._moments(a[:, :, rows], b[:, :, rows]) for rows in deep_features._rows(37)]).sum(
        0
    )
    x, y = a.double(), b.double()
    exact = torch.stack([part.sum((2, 3)) for part in (x, y, x * x, y * y, x * y)])
    torch.testing.assert_close(sums, exact, rtol=1e-7, atol=0)
