"""``pyiqa:NAME``: the library called directly on the same tensors, what a key holds, and what is refused or missing."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from asasr_bench import evaluate, open_store
from asasr_bench.bench.cli.main import app
from asasr_bench.bench.metrics import requirements
from asasr_bench.bench.metrics.metric import MetricError
from asasr_bench.bench.metrics.metric_input import MetricInput
from asasr_bench.bench.metrics.pyiqa_by_name import files, network
from asasr_bench.bench.metrics.pyiqa_by_name import metric as metric_module
from asasr_bench.bench.metrics.registry import get_metric, metrics_of
from asasr_bench.bench.metrics.third_party import anchored
from asasr_bench.bench.protocols import get_protocol
from asasr_bench.datasets.fetch.digests import digest_of
from asasr_bench.datasets.images import write_png
from measured import measured
from typer.testing import CliRunner

WITHOUT_FILES = (
    "psnr",
    "psnry",
    "ssim",
    "ssimc",
    "ms_ssim",
    "cw_ssim",
    "fsim",
    "vif",
    "gmsd",
    "nlpd",
    "vsi",
    "mad",
    "piqe",
    "entropy",
)
SMALL = "wadiqam_nr"
"""A network of some layers."""

pytest.importorskip("pyiqa", reason="pyiqa is not installed")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder of weights."""
    monkeypatch.setenv("ASASR_BENCH_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "weights").mkdir()
    _forget()
    yield tmp_path / "weights"
    _forget()


def _forget() -> None:
    files.asked_for.cache_clear()
    network.load_network.cache_clear()


@pytest.fixture
def weight(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a small network with random values, whose name tells no digest."""
    from pyiqa.archs.wadiqam_arch import WaDIQaM

    monkeypatch.setattr(files, "_DIGEST", re.compile("never"))
    (entry,) = files.asked_for(SMALL).files
    torch.manual_seed(1)
    small = WaDIQaM("NR", model_name="wadiqam_nr_koniq", pretrained=False)
    torch.save({"params": small.state_dict()}, folder / entry.file)
    return folder / entry.file


def pair(photo: np.ndarray) -> MetricInput:
    """A photo and a noisy copy of it."""
    noisy = np.clip(photo + np.random.default_rng(0).normal(0, 15, photo.shape), 0, 255).astype(np.uint8)
    return MetricInput(noisy, photo, get_protocol("osediff-512", 4))


def directly(theirs: Any, image: MetricInput) -> float:
    """The library's value of the images as floats in [0, 1]."""
    tensors = [torch.from_numpy(pixels.copy()).movedim(-1, 0)[None].float() / 255 for pixels in image.rgb]
    return float(theirs(*tensors[: 1 if theirs.metric_mode == "NR" else 2]))


@pytest.mark.parametrize("name", WITHOUT_FILES)
def test_it_is_the_librarys_value(name: str, photo: np.ndarray) -> None:
    """Everything that its card says is what the library says, too."""
    import pyiqa

    metric, image = get_metric(f"pyiqa:{name}"), pair(photo[:192, :192])
    assert metric.missing() == ""
    assert metric.weights() == ""
    reference_network = pyiqa.create_metric(name, device="cpu")
    value = measured(metric, image)
    assert value == pytest.approx(directly(reference_network, image), rel=1e-6)
    assert measured(metric, image) == value
    assert (metric.card.direction == "lower", metric.card.range) == (
        reference_network.lower_better,
        reference_network.score_range,
    )
    assert (metric.card.needs == "reference") == (reference_network.metric_mode == "FR")


def test_those_that_need_no_files_are_all_of_their_types() -> None:
    from pyiqa.default_model_configs import DEFAULT_CONFIGS

    of_these_types = {
        name for name, row in DEFAULT_CONFIGS.items() if row["metric_opts"]["type"] in files.WITHOUT_FILES
    }
    assert of_these_types == set(WITHOUT_FILES)


def test_the_crop_is_the_protocols(photo: np.ndarray) -> None:
    metric, image = get_metric("pyiqa:nlpd"), pair(photo)
    inner = (slice(4, -4), slice(4, -4))
    whole = MetricInput(image.sr, image.hr, get_protocol("classic-x4-float", 4))
    assert image.hr is not None
    cut = MetricInput(image.sr[inner], image.hr[inner], image.protocol)
    assert measured(metric, whole) == measured(metric, cut) != measured(metric, image)


def test_a_key_names_library_variant_input_and_seed() -> None:
    import pyiqa

    of_y, of_rgb = (get_metric(f"pyiqa:{name}").implementation for name in ("ssim", "ssimc"))
    for part in (f"pyiqa {pyiqa.__version__}", "ssim SSIM", '"test_y_channel":true', "RGB float32 0..1", "seed 123"):
        assert part in of_y
    assert '"test_y_channel":false' in of_rgb


def test_a_network_from_its_file_is_the_librarys(photo: np.ndarray, weight: Path) -> None:
    """Alone, again and in a batch the same; building and measuring it draws no random numbers of anybody else."""
    import pyiqa

    metric, image = get_metric(f"pyiqa:{SMALL}"), pair(photo)
    before = torch.random.get_rng_state()
    value = measured(metric, image)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert [score.value for score in metric.measure([image, image], "cpu")] == [value, value]
    reference_network = pyiqa.create_metric(SMALL, device="cpu", pretrained_model_path=str(weight))
    reference_network.load_weights(str(weight), "params")
    assert value == pytest.approx(directly(reference_network, image), rel=1e-6)


def test_every_image_has_the_same_seed(photo: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever generator a network draws from; all go on afterwards where they were."""

    def drawn(*images: torch.Tensor) -> torch.Tensor:
        return torch.rand(1) + np.random.rand() + random.random()  # noqa: NPY002 (as the library does)

    monkeypatch.setattr(metric_module, "load_network", lambda *_: drawn)
    image = pair(photo)
    torch.manual_seed(123)
    np.random.seed(123)  # noqa: NPY002
    random.seed(123)
    expected = float(drawn())
    following = float(drawn())
    torch.manual_seed(123)
    np.random.seed(123)  # noqa: NPY002
    random.seed(123)
    drawn()
    scores = get_metric("pyiqa:nlpd").measure([image, image], "cpu")
    assert [score.value for score in scores] == [expected, expected]
    assert float(drawn()) == following != expected


def test_the_digest_of_every_file_is_in_the_key(weight: Path) -> None:
    metric = get_metric(f"pyiqa:{SMALL}")
    assert metric.missing() == ""
    before = metric.implementation
    assert before.endswith(f"seed 123 {digest_of(weight)}")
    weight.write_bytes(b"another")
    assert metric.implementation.endswith(f"seed 123 {digest_of(weight)}")
    assert metric.implementation != before


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("nima", ["NIMA_InceptionV2_ava-b0c77c00.pth"]),
        ("hyperiqa", ["HyperIQA-resnet50-koniq10k-c96c41b1.pth"]),
        ("pi", ["niqe_modelparameters.mat", "NRQM_model.mat"]),
        ("dbcnn", ["vgg16-397923af.pth", "DBCNN_scnn-7ea73d75.pth", "DBCNN_KonIQ10k-2de81c0a.pth"]),
        ("clipiqa+_vitL14_512", ["ViT-L-14.pt", "CLIPIQA%2B_ViTL14_512-e66488f2.pth"]),
        ("ahiq", ["AHIQ_vit_p8_epoch33-da3ea303.pth"]),
    ],
)
def test_missing_files_are_named_with_the_way_to_get_them(name: str, expected: list[str], folder: Path) -> None:
    """Files as the library's source names them; AHIQ keeps the ImageNet weights of two models of timm."""
    message = get_metric(f"pyiqa:{name}").missing()
    assert f"'asasr-bench weights fetch pyiqa:{name}'" in message
    for file in expected:
        assert file in message
    assert {file.file for file in files.asked_for(name).files} == set(expected)
    backbones = ("timm/resnet50.a1_in1k", "timm/vit_base_patch8_224.augreg2_in21k_ft_in1k") if name == "ahiq" else ()
    assert files.asked_for(name).backbones == backbones
    assert all(f"hf download {backbone}" in message for backbone in backbones)
    assert list(folder.iterdir()) == []


def test_a_file_with_another_digest_than_its_name_says_is_not_used(folder: Path) -> None:
    (folder / "NIMA_InceptionV2_ava-b0c77c00.pth").write_bytes(b"swapped")
    assert "is not used" in get_metric("pyiqa:nima").missing()


def test_what_it_was_not_known_to_read_is_refused(weight: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "asked_for", lambda name: files.AskedFor((), ()))
    with pytest.raises(MetricError, match=r"asks for https:.*nothing is downloaded"):
        network.load_network(SMALL, "", "cpu")


def test_a_backbone_that_no_file_gives_is_nan_and_not_random() -> None:
    import timm

    with network._given_backbones_only(files.AskedFor((), ())):
        backbone = timm.create_model("resnet18", pretrained=True)
    assert all(value.isnan().all() for value in backbone.parameters())


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("hyperiq", "pyiqa has no metric 'hyperiq'; did you mean 'hyperiqa', "),
        ("", "pyiqa has no metric ''"),
        ("fid", "whole sets of images"),
        ("qalign", "from the Hub"),
        ("clipscore", "captions"),
        ("topiq_nr-face", "faces"),
    ],
)
def test_names_that_it_cannot_measure(name: str, told: str) -> None:
    with pytest.raises(MetricError, match=re.escape(told)) as caught:
        get_metric(f"pyiqa:{name}")
    if name == "hyperiq":
        assert len(re.findall(r"'\w+'", str(caught.value).partition("did you mean")[2])) == 3


def test_without_the_library_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirements, "find_spec", lambda name: None)
    assert "asasr-bench[iqa]" in get_metric("pyiqa:ssim").missing()


def test_a_run_a_report_and_the_command_line(photo: np.ndarray, folder: Path, tmp_path: Path) -> None:
    """A metric without its files is unavailable beside others; the store is read without the library."""
    write_png(tmp_path / "hr" / "a.png", photo)
    table = evaluate(
        "classic-x4-float",
        tmp_path / "s",
        datasets=[f"D={tmp_path / 'hr'}"],
        methods=["bicubic"],
        metrics=["psnr_y", "pyiqa:nlpd", "pyiqa:nima"],
    )
    values = table.scores.set_index("metric")["value"]
    assert 0 < values["pyiqa:nlpd"] < 1
    assert np.isnan(values["pyiqa:nima"])
    with open_store(tmp_path / "s") as store:
        cell = store.scores().set_index("metric").loc["pyiqa:nima"]
        card = metrics_of(["pyiqa:nlpd"], store.metrics())["pyiqa:nlpd"].card
    assert cell["status"] == "unavailable"
    assert "weights fetch pyiqa:nima" in cell["message"]
    assert (card.direction, card.title) == ("lower", "nlpd (pyiqa)")
    shown = CliRunner().invoke(app, ["show", "pyiqa:psnry", "--json"])
    facts = json.loads(shown.stdout)["metric"]
    assert facts["note"].startswith("this package's own id of it is 'psnr_y'")
    assert facts["state"] == "ready"


def test_files_of_a_metric_are_fetched_and_verified_together(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_DIGEST", re.compile("never"))
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "WaDIQaM-NR-koniq-aaffea29.pth").write_bytes(b"weights")
    invoke = CliRunner().invoke
    assert invoke(app, ["weights", "verify", f"pyiqa:{SMALL}"]).exit_code != 0
    done = invoke(app, ["weights", "fetch", f"pyiqa:{SMALL}", "--from", str(tmp_path / "given")])
    assert done.exit_code == 0, done.output
    assert [path.name for path in folder.iterdir()] == ["WaDIQaM-NR-koniq-aaffea29.pth"]
    assert invoke(app, ["weights", "verify", f"pyiqa:{SMALL}"]).exit_code == 0


def test_a_folder_named_like_the_library_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "pyiqa.py").write_text("ssim = None")
    assert anchored("pyiqa:ssim", tmp_path) == "pyiqa:ssim"
