"""A metric as a function of images: the numbers of a run to the last digit, from whatever holds the images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from asasr_bench import create_metric, list_metrics, open_store
from asasr_bench.bench.api.images import ImageInputError
from asasr_bench.bench.api.measure import MeasuringError
from asasr_bench.bench.metrics.metric import MetricError
from asasr_bench.datasets.images import write_png
from PIL import Image

Pair = tuple[np.ndarray, np.ndarray]


@pytest.fixture
def pair(photo: np.ndarray) -> Pair:
    """A blurred photo and the photo, not square."""
    hr = np.ascontiguousarray(photo[:96, :128])
    sr = ((hr.astype(np.float64) + np.roll(hr, 1, 0) + np.roll(hr, 1, 1)) / 3).astype(np.uint8)
    return sr, hr


@pytest.mark.parametrize("id", ["psnr_y", "ssim_y", "lsd", "hf_ratio"])
def test_values_are_those_that_a_run_stored(store: Path, id: str) -> None:
    metric = create_metric(id, protocol="asasr")
    with open_store(store) as opened:
        outputs, scores = opened.outputs(), opened.scores()
        stored = scores[scores["metric"] == id].set_index(["image", "method"])["value"]
        images = [(opened.objects.get(row.sr), opened.objects.get(row.reference)) for row in outputs.itertuples()]
    places = list(zip(outputs["image"], outputs["method"], strict=True))
    values = metric([sr for sr, _ in images], [hr for _, hr in images])
    np.testing.assert_array_equal(values, stored.loc[places])


@pytest.mark.parametrize("id", ["psnr_y", "ssim_y", "lpips_alex"])
def test_every_holder_of_images_gives_the_same_value(pair: Pair, tmp_path: Path, id: str) -> None:
    metric = create_metric(id, device="cpu")
    value = metric(*pair)
    assert isinstance(value, float)
    paths = tmp_path / "sr.png", tmp_path / "hr.png"
    for path, image in zip(paths, pair, strict=True):
        write_png(path, image)
    tensors = [torch.from_numpy(image).permute(2, 0, 1) for image in pair]
    for images in (
        [image.astype(np.float32) / 255 for image in pair],
        [image / 255 for image in pair],
        [Image.fromarray(image) for image in pair],
        paths,
        list(map(str, paths)),
        tensors,
        [tensor.float() / 255 for tensor in tensors],
        [tensor.double().requires_grad_(False) / 255 for tensor in tensors],
    ):
        assert metric(*images) == value
    for batch in (
        [np.stack([image, image]) for image in pair],
        [torch.stack([tensor, tensor]).float() / 255 for tensor in tensors],
        [[image, Image.fromarray(image)] for image in pair],
    ):
        np.testing.assert_array_equal(metric(*batch), [value, value])


def test_a_little_outside_is_clipped_as_outputs_are(pair: Pair) -> None:
    sr, hr = (image / 255 for image in pair)
    metric = create_metric("psnr_y")
    assert metric(np.where(sr > 0.9, 1.2, sr), hr) == metric(np.where(sr > 0.9, 1.0, sr), hr)


def test_the_protocol_decides(pair: Pair) -> None:
    """Shaving by 4 pixels is what cutting them off is."""
    shaved = create_metric("psnr_y", protocol="classic-xS-float", scale=4)
    whole = create_metric("psnr_y", protocol="classic-x1-float")
    cut = [image[3:-3, 3:-3] for image in pair]  # classic-x1 shaves one more
    assert shaved(*pair) == whole(*cut)


RANDOM = np.random.default_rng(1)


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (RANDOM.uniform(0, 255, (8, 8, 3)), "floating point images are in 0..1; this has 1.49 to 255"),
        (RANDOM.uniform(0, 255, (8, 8, 3)), "which looks like 0..255: divide by 255, or give uint8"),
        (RANDOM.uniform(-1, 1, (8, 8, 3)), "where it is -1..1, add 1 and halve"),
        (torch.rand(1, 3, 8, 8) * 255, "which looks like 0..255"),
        (np.full((8, 8, 3), np.nan), "not finite"),
        (np.zeros((3, 8, 8)), "shape (3, 8, 8); a NumPy image is [H, W], [H, W, 3] or a batch [N, H, W, 3]; channels"),
        (torch.zeros(8, 8, 3), "shape (8, 8, 3); a tensor is [3, H, W] or a batch [N, 3, H, W]; channels come first"),
        (np.zeros((8, 8, 3), np.int64), "an array of int64; expected uint8 in 0..255, or floating point in 0..1"),
        (torch.zeros(3, 8, 8, dtype=torch.int32), "a tensor of int32; expected floating point in 0..1"),
        (np.zeros(8), "shape (8,)"),
        (Image.new("I;16", (8, 8)), "a PIL image of mode I;16"),
        (Image.new("RGBA", (8, 8)), "transparent pixels"),
        (8, "a int is no image"),
        ([], "the list is empty"),
    ],
)
def test_another_range_shape_or_type_is_said(image: Any, said: str) -> None:
    with pytest.raises(ImageInputError) as error:
        create_metric("psnr_y")(image, image)
    assert said in str(error.value)


def test_what_does_not_belong_together_is_said(pair: Pair) -> None:
    metric = create_metric("psnr_y")
    sr, hr = pair
    for images, said in (
        ((sr,), "compares SR with HR; give hr="),
        ((sr[:-1], hr), "SR is 128x95 pixels, its HR 128x96; nothing is resized to fit"),
        (([sr, sr], hr), "2 SR images with 1 HR images"),
        ((sr[..., 0], hr), "SR is grey, its HR has colours"),
    ):
        with pytest.raises(MeasuringError, match=said):
            metric(*images)


def test_a_metric_says_what_it_is() -> None:
    metric = create_metric("lpips_alex", device="cpu")
    assert (metric.id, metric.direction, metric.needs) == ("lpips_alex", "lower", ("hr",))
    assert repr(metric) == "<metric lpips_alex(sr, hr) under osediff-512, lower is better, on cpu>"
    assert create_metric("piqe").needs == ()


def test_a_metric_that_cannot_be_had_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ASASR_BENCH_WEIGHTS", str(tmp_path))
    with pytest.raises(MetricError, match=r"unknown metric 'psnr'; did you mean 'psnr_y'"):
        create_metric("psnr")
    with pytest.raises(MetricError, match="needs ground truth"):
        create_metric("ocr_recall:rapidocr")
    with pytest.raises(MetricError, match=r"dists: .*weights fetch"):
        create_metric("dists")
    assert "psnr_y" in list_metrics(ready=True)
    assert "dists" in list_metrics("dis*")
    assert "dists" not in list_metrics(ready=True)


def test_a_metric_of_sets_has_one_value(rng: np.random.Generator) -> None:
    """mIoU by a tiny referee would need weights; a set metric of one's own shows the same way."""
    from asasr_bench.bench.metrics.card import MetricCard
    from asasr_bench.bench.metrics.metric import Metric, Score, SetMetric, per_image

    spread = Metric(
        MetricCard("spread", "Spread", needs="nothing"),
        per_image(lambda image: Score(float("nan"), image.sr.reshape(-1)[:1])),
        of_set=SetMetric(lambda payloads: float(np.std(np.concatenate(payloads)))),
    )
    images = rng.integers(0, 256, (5, 4, 4, 3), dtype=np.uint8)
    assert create_metric(spread)(images) == np.std(images.reshape(5, -1)[:, 0])
