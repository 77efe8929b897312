"""Metrics through pyiqa, against the library called directly on the same tensors and weight files."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import random_weights
import torch
from asasr_bench import evaluate, open_store
from asasr_bench.bench.metrics import perceptual, requirements
from asasr_bench.bench.metrics.library import load_network
from asasr_bench.bench.metrics.metric import Metric
from asasr_bench.bench.metrics.metric_input import MetricInput
from asasr_bench.bench.metrics.networks import musiq
from asasr_bench.bench.metrics.registry import get_metric
from asasr_bench.bench.protocols import get_protocol
from asasr_bench.datasets.images import write_png
from asasr_bench.methods.weights.files import weight_file
from measured import measured

WEIGHTS = {
    "brisque": ("brisque",),
    "musiq_koniq": ("musiq-koniq",),
    "maniqa_koniq": ("maniqa-koniq",),
    "maniqa_pipal": ("maniqa-pipal",),
    "clipiqa": ("clip-rn50",),
    "clipiqa+": ("clip-rn50", "clipiqa-plus"),
    "topiq_nr_koniq": ("topiq-nr-koniq",),
    "topiq_fr_kadid": ("topiq-fr-kadid",),
    "afine_all_scale": ("clip-vit-b32", "afine"),
    "afine_fr": ("clip-vit-b32", "afine"),
    "afine_nr": ("clip-vit-b32", "afine"),
}
THEIR_NAMES = {
    "musiq_koniq": "musiq",
    "maniqa_koniq": "maniqa",
    "maniqa_pipal": "maniqa-pipal",
    "topiq_nr_koniq": "topiq_nr",
    "topiq_fr_kadid": "topiq_fr",
    "piqe_pyiqa": "piqe",
}
SLOW = ("maniqa_koniq", "maniqa_pipal", "afine_fr", "afine_nr")  # 20 crops through a ViT-B/8; as afine_all_scale

every_metric = pytest.mark.parametrize(
    "metric",
    [pytest.param(metric, marks=pytest.mark.slow if metric.id in SLOW else ()) for metric in perceptual.METRICS],
    ids=lambda metric: metric.id,
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of weights."""
    monkeypatch.setenv("ASASR_BENCH_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    (tmp_path / "weights").mkdir()
    load_network.cache_clear()
    return tmp_path / "weights"


@pytest.fixture
def random_backbones(monkeypatch: pytest.MonkeyPatch) -> None:
    """timm's networks begin with random numbers, as if their files had been found."""
    timm = pytest.importorskip("timm")
    create = timm.create_model
    monkeypatch.setattr(timm, "create_model", lambda *args, **more: create(*args, **{**more, "pretrained": False}))


def the_librarys(id: str, folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The library's own metric, which finds the files where it looks for them."""
    import pyiqa
    from pyiqa.utils import download_util

    for place in (home / "hub" / "pyiqa", home / "hub" / "clip", home / ".cache" / "clip"):
        place.mkdir(parents=True, exist_ok=True)
        for path in folder.iterdir():
            (place / path.name).write_bytes(path.read_bytes())
    monkeypatch.setenv("TORCH_HOME", str(home))
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr(download_util, "DEFAULT_CACHE_DIR", str(home / "hub" / "pyiqa"))
    return pyiqa.create_metric(THEIR_NAMES.get(id, id), device="cpu")


@pytest.fixture
def place(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[tuple[str, ...]], None]:
    """Put random weight files where the manager finds them; CLIP's own digest check is told of them."""

    def put(ids: tuple[str, ...]) -> None:
        random_weights.place(ids, folder, monkeypatch)
        from pyiqa.archs import afineclip_model, clip_model

        for module, name, id in ((clip_model, "RN50", "clip-rn50"), (afineclip_model, "ViT-B/32", "clip-vit-b32")):
            if id in ids:
                path = folder / weight_file(id).file
                monkeypatch.setitem(module._MODELS, name, f"https://nowhere/{random_weights.sha256(path)}/{path.name}")

    return put


@every_metric
def test_it_is_the_librarys_value(
    metric: Metric,
    photo: np.ndarray,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    place: Callable[[tuple[str, ...]], None],
    random_backbones: None,
) -> None:
    """Without its weight files it is unavailable; with them it loads those, and equals the library."""
    pytest.importorskip("pyiqa", reason="pyiqa is not installed")
    ids = WEIGHTS.get(metric.id, ())
    for id in ids:
        assert weight_file(id).file in metric.missing()
        assert id in metric.missing()
        assert "weights fetch" in metric.missing()
    place(ids)
    assert metric.missing() == ""
    assert metric.implementation == " ".join(
        (metric.card.version, *(random_weights.sha256(folder / weight_file(id).file) for id in ids))
    )
    noisy = np.clip(photo + np.random.default_rng(0).normal(0, 15, photo.shape), 0, 255).astype(np.uint8)
    value = measured(metric, MetricInput(noisy, photo, get_protocol("osediff-512", 4)))
    theirs = the_librarys(metric.id, folder, tmp_path / "home", monkeypatch)
    tensors = [torch.from_numpy(image.copy()).movedim(-1, 0)[None].float() / 255 for image in (noisy, photo)]
    with torch.inference_mode():
        expected = float(theirs(*tensors[: 1 if metric.card.needs == "nothing" else 2]))
    assert np.isfinite(expected)
    assert value == pytest.approx(expected, rel=1e-6, abs=5e-7)  # float32 sums of terms near 1 that end near 0
    assert theirs.lower_better == (metric.card.direction == "lower")
    assert theirs.metric_mode == ("NR" if metric.card.needs == "nothing" else "FR") or metric.id == "afine_nr"
    assert theirs.score_range == metric.card.range


def test_a_flat_hr_has_no_information(photo: np.ndarray) -> None:
    pytest.importorskip("pyiqa", reason="pyiqa is not installed")
    vif, flat = get_metric("vif"), np.full_like(photo, 90)
    for sr in (flat, photo):
        with pytest.raises(ValueError, match="flat HR"):
            measured(vif, MetricInput(sr, flat, get_protocol("osediff-512", 4)))
    assert measured(vif, MetricInput(flat, photo, get_protocol("osediff-512", 4))) == pytest.approx(0, abs=1e-6)


def test_the_crop_is_the_protocols(photo: np.ndarray) -> None:
    pytest.importorskip("pyiqa", reason="pyiqa is not installed")
    metric = get_metric("vif")
    noisy = np.clip(photo + np.random.default_rng(0).normal(0, 15, photo.shape), 0, 255).astype(np.uint8)
    inner = (slice(4, -4), slice(4, -4))
    whole = measured(metric, MetricInput(noisy, photo, get_protocol("classic-x4-float", 4)))
    assert whole == measured(metric, MetricInput(noisy[inner], photo[inner], get_protocol("osediff-512", 4)))


def test_nothing_is_unpickled_before_its_digest_is_verified(
    photo: np.ndarray, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A swapped file with code inside is refused by name; the code does not run."""
    pytest.importorskip("pyiqa", reason="pyiqa is not installed")
    fired = folder / "fired"
    torch.save(Bomb(fired), folder / weight_file("musiq-koniq").file)
    metric = get_metric("musiq_koniq")
    assert weight_file("musiq-koniq").file in metric.missing()
    assert "is not used" in metric.missing()
    with pytest.raises(ValueError, match="is not musiq-koniq"):
        measured(metric, MetricInput(photo, None, get_protocol("osediff-512", 4)))
    assert not fired.exists()


def test_a_file_without_a_published_digest_is_read_as_plain_tensors(photo: np.ndarray, folder: Path) -> None:
    pytest.importorskip("pyiqa", reason="pyiqa is not installed")
    fired = folder / "fired"
    torch.save(Bomb(fired), folder / weight_file("brisque").file)
    metric = get_metric("brisque")
    assert metric.missing() == ""
    with pytest.raises(ValueError, match=r"cannot build brisque from brisque_svm_weights\.pth"):
        measured(metric, MetricInput(photo, None, get_protocol("osediff-512", 4)))
    assert not fired.exists()


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, (str(self.target), "w"))


def test_the_library_cannot_fetch_what_was_not_verified(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that a metric's table forgot is neither taken from a cache nor downloaded."""
    pytest.importorskip("pyiqa", reason="pyiqa is not installed")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "*")
    monkeypatch.setattr(urllib.request, "_opener", urllib.request.build_opener())  # as after another download
    random_weights.write("musiq-koniq", folder / weight_file("musiq-koniq").file)
    with pytest.raises(Exception, match=r"refused"):
        load_network("musiq", (), (), "cpu")


@pytest.mark.parametrize(("height", "width", "factor"), [(224, 224, 1), (320, 481, 1), (97, 260, 1), (600, 40, 3)])
def test_musiq_with_less_work_is_the_librarys(
    height: int, width: int, factor: float, place: Callable[[tuple[str, ...]], None]
) -> None:
    """Of square images, oblong ones with empty places, and of weights that make the attention sharp."""
    pytest.importorskip("pyiqa", reason="pyiqa is not installed")
    place(WEIGHTS["musiq_koniq"])
    network = load_network("musiq", musiq.WEIGHTS, (), "cpu")
    for block in network.transformer_encoder.transformer.values():
        block.attention.query.weight.data *= factor
        block.attention.key.weight.data *= factor
    images = torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = network(images).flatten()
        value = musiq.load("cpu")(images)
    torch.testing.assert_close(value, expected, rtol=1e-5, atol=1e-6)
    assert expected[0] != expected[1]


@pytest.mark.parametrize("id", ["musiq_koniq", "clipiqa", "clipiqa+", "topiq_nr_koniq", "topiq_fr_kadid"])
def test_batches_do_not_change_a_value(
    id: str, photo: np.ndarray, place: Callable[[tuple[str, ...]], None], random_backbones: None
) -> None:
    pytest.importorskip("pyiqa", reason="pyiqa is not installed")
    metric = get_metric(id)
    place(WEIGHTS[id])
    rng = np.random.default_rng(1)
    images = [np.clip(photo + rng.normal(0, sigma, photo.shape), 0, 255).astype(np.uint8) for sigma in (2, 9, 30)]
    inputs = [MetricInput(image, photo, get_protocol("osediff-512", 4)) for image in images]
    together = [score.value for score in metric.measure(inputs, "cpu")]
    assert together == pytest.approx([measured(metric, image) for image in inputs], rel=metric.card.tolerance)
    assert len(set(together)) == 3


def test_without_the_library_cells_say_how_to_get_it(
    photo: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    monkeypatch.setattr(requirements, "find_spec", lambda name: None)
    write_png(tmp_path / "hr" / "a.png", photo)
    table = evaluate(
        "classic-x4-float",
        tmp_path / "s",
        datasets=[f"D={tmp_path / 'hr'}"],
        methods=["bicubic"],
        metrics=["psnr_y", "vsi"],
    )
    assert np.isnan(table.scores.set_index("metric").loc["vsi", "value"])
    with open_store(tmp_path / "s") as store:
        cell = store.scores().set_index("metric").loc["vsi"]
    assert cell["status"] == "unavailable"
    assert "asasr-bench[iqa]" in cell["message"]
    monkeypatch.undo()
    if perceptual.PYIQA.missing():
        pytest.skip("pyiqa is not installed")
    again = evaluate(
        "classic-x4-float",
        tmp_path / "s",
        datasets=[f"D={tmp_path / 'hr'}"],
        methods=["bicubic"],
        metrics=["psnr_y", "vsi"],
    )
    assert 0 < again.scores.set_index("metric").loc["vsi", "value"] < 1
