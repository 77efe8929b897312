"""Outputs of methods: what is no image in the range that was asked for is refused in words, whatever its kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from asasr_bench.bench import open_store
from asasr_bench.bench.api.evaluate import evaluate
from asasr_bench.bench.execute.check_output import OutputError, has_colours, read_pixels
from asasr_bench.bench.execute.restore_image import restore_image
from asasr_bench.bench.execute.run import run
from asasr_bench.bench.execute.score_folders import score_images, scored_set
from asasr_bench.bench.metrics.fidelity import psnr_rgb, psnr_y
from asasr_bench.bench.metrics.metric_input import MetricInput
from asasr_bench.bench.metrics.similarity import luma
from asasr_bench.bench.protocols import get_protocol
from asasr_bench.bench.spec import parse_spec
from asasr_bench.datasets.images import as_rgb, write_png
from asasr_bench.methods.interface import MethodCard


class Pixels:
    """A pixel method that enlarges by repeating and then changes what it returns."""

    def __init__(self, change: Callable[[np.ndarray], Any]) -> None:
        self.card = MethodCard("mine", "regression", "test")
        self._change = change

    def restore_pixels(self, lq: np.ndarray, scale: int) -> Any:
        return self._change(lq.repeat(scale, 0).repeat(scale, 1))


class Tensors:
    """A tensor method of the same kind."""

    def __init__(self, change: Callable[[torch.Tensor], Any]) -> None:
        self.card = MethodCard("mine", "regression", "test")
        self._change = change

    def restore(self, lq: torch.Tensor, scale: int, seeds: list[int]) -> Any:
        return self._change(lq.repeat_interleave(scale, 2).repeat_interleave(scale, 3))


@pytest.fixture
def lq(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 256, (6, 5, 3), np.uint8)


def with_nan(sr: Any) -> Any:
    sr = sr.astype(np.float64) if isinstance(sr, np.ndarray) else sr.clone()
    sr[0, 0, 0] = np.nan
    return sr


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (with_nan, "not finite"),
        (lambda sr: sr.astype(np.float32) / 255, r"0 to 1.*looks like 0\.\.1: multiply by 255"),
        (lambda sr: sr.astype(np.float64) * 257, "scale it"),
        (lambda sr: sr.astype(np.int32), "array of int32"),
        (lambda sr: sr.astype(np.uint16), "array of uint16"),
        (lambda sr: sr > 100, "array of bool"),
        (lambda sr: sr[..., 0], r"shape \(12, 10\), expected \(12, 10, 3\)"),
        (lambda sr: sr[..., None], r"shape \(12, 10, 3, 1\)"),
        (lambda sr: sr[:-1], r"shape \(11, 10, 3\)"),
        (lambda sr: sr.tolist(), "a list, expected a NumPy array"),
        (lambda sr: None, r"nothing \(None\)"),
    ],
)
def test_a_pixel_method_is_refused_in_words(lq: np.ndarray, change: Callable[..., Any], words: str) -> None:
    lq[0, :2, 0] = 0, 255
    with pytest.raises(OutputError, match=f"method mine returned.*{words}"):
        restore_image(Pixels(change), lq, 2, 0, "cpu")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (with_nan, "not finite"),
        (lambda sr: sr * 255, r"looks like 0\.\.255: divide by 255"),
        (lambda sr: sr * 2 - 1, r"add 1 and halve"),
        (lambda sr: sr - 3, r"expected 0\.\.1"),
        (lambda sr: (sr * 255).to(torch.uint8), "tensor of uint8.*divide by 255"),
        (lambda sr: sr[0], r"shape \(3, 12, 10\), expected \(1, 3, 12, 10\)"),
        (lambda sr: sr.mean(1, keepdim=True), r"shape \(1, 1, 12, 10\)"),
        (lambda sr: sr.numpy(), "a ndarray, expected a tensor"),
        (lambda sr: None, r"nothing \(None\)"),
    ],
)
def test_a_tensor_method_is_refused_in_words(lq: np.ndarray, change: Callable[..., Any], words: str) -> None:
    with pytest.raises(OutputError, match=f"method mine returned.*{words}"):
        restore_image(Tensors(change), lq, 2, 0, "cpu")


@pytest.mark.parametrize("dtype", [np.uint8, np.float16, np.float32, np.float64])
def test_equal_pixels_of_any_type_are_the_same_image(lq: np.ndarray, dtype: type) -> None:
    """Black and white stay what they are: the studio range belongs to Y planes."""
    lq[0, :2, 0] = 0, 255
    sr = restore_image(Pixels(lambda sr: sr.astype(dtype)), lq, 2, 0, "cpu")
    np.testing.assert_array_equal(sr, lq.repeat(2, 0).repeat(2, 1))


def test_a_little_overshoot_is_clipped(lq: np.ndarray) -> None:
    pixels = restore_image(Pixels(lambda sr: sr * 1.2 - 20), lq, 2, 0, "cpu")
    expected = np.floor(np.clip(lq.repeat(2, 0).repeat(2, 1) * 1.2 - 20, 0, 255) + 0.5)
    np.testing.assert_array_equal(pixels, expected)
    tensors = restore_image(Tensors(lambda sr: sr * 1.1 - 0.02), lq, 2, 0, "cpu")
    assert tensors.min() == 0
    assert tensors.max() == 255


def test_y_planes_alone_are_clipped_to_the_studio_range() -> None:
    """MATLAB-era scripts clip a restored Y plane to 16..235."""
    plane = np.linspace(0, 255, 12).reshape(3, 4)
    expected = np.floor(np.clip(plane, 16, 235) + 0.5).repeat(2, 0).repeat(2, 1)
    for change in (lambda sr: sr, lambda sr: np.floor(sr + 0.5).astype(np.uint8)):
        np.testing.assert_array_equal(restore_image(Pixels(change), plane, 2, 0, "cpu"), expected)


def test_a_grey_file_for_a_coloured_image_is_refused(lq: np.ndarray) -> None:
    grey = np.zeros((12, 10), np.uint8)
    with pytest.raises(OutputError, match=r"a\.png is grey, its LQ has colours; write RGB"):
        read_pixels(grey, lq.shape, lambda: has_colours(lq), 2, "a.png")
    greys = lq[..., :1].repeat(3, 2)
    read = read_pixels(grey, greys.shape, lambda: has_colours(greys), 2, "a.png")
    np.testing.assert_array_equal(read, as_rgb(grey))


@pytest.mark.parametrize("protocol", ["osediff-512", "classic-x2"])
@pytest.mark.parametrize("lq_files", [False, True])
def test_a_grey_file_counts_as_the_same_picture_in_rgb(
    protocol: str, lq_files: bool, photo: np.ndarray, rng: np.random.Generator, tmp_path: Path
) -> None:
    """HR is RGB without colours; LQ is made from it, or grey files. A grey SR is no Y plane, in ``score`` too."""
    grey = photo[:64, :64, 1]
    sr = np.clip(grey + rng.normal(0, 5, grey.shape), 0, 255).astype(np.uint8)
    images = {"hr": as_rgb(grey), "lq": np.ascontiguousarray(grey[::2, ::2]), "grey": sr, "rgb": as_rgb(sr)}
    for folder, pixels in images.items():
        write_png(tmp_path / folder / "a.png", pixels)
    where = f"{tmp_path / 'lq'},{tmp_path / 'hr'}" if lq_files else str(tmp_path / "hr")
    methods = [{"name": name, "predictions": str(tmp_path / name)} for name in ("grey", "rgb")]
    metrics = ["psnr_y", "ssim_y", "psnr_rgb", "gmsd", "lsd", "hs_residual"]
    board = evaluate(
        "classic-x2",
        tmp_path / "s",
        protocol=protocol,
        datasets=[f"D={where}"],
        methods=methods,
        metrics=metrics,
        workers=1,
    )
    values = board.scores.pivot(index="metric", columns="method", values="value")
    assert values.index.size == len(metrics)
    assert (values["grey"] == values["rgb"]).all()
    for name in ("grey", "rgb"):
        chosen = scored_set(tmp_path / name, tmp_path / "hr", 2)
        for row in score_images(chosen.samples, get_protocol(protocol, 2), metrics):
            assert row.value == values.loc[row.metric, name]


def test_a_y_plane_is_read_as_such(photo: np.ndarray) -> None:
    """What was restored from a float plane is Y already; it has no colours to compare."""
    protocol = get_protocol("classic-x2", 2)
    sr = np.floor(luma(photo) + 0.5).astype(np.uint8)
    assert psnr_y(MetricInput(sr, photo, protocol, np.zeros((128, 128)))) == np.inf
    with pytest.raises(ValueError, match="restores Y alone"):
        psnr_rgb(MetricInput(sr, photo, protocol, np.zeros((128, 128))))


class NextToBicubic(Pixels):
    """Returns nothing that is an image, by an entry that ``module:object`` takes."""

    def __init__(self) -> None:
        super().__init__(lambda sr: sr[..., None])


def test_a_method_that_returns_no_image_costs_its_own_cells(tmp_path: Path, rng: np.random.Generator) -> None:
    write_png(tmp_path / "hr" / "a.png", rng.integers(0, 256, (32, 32, 3), np.uint8))
    spec = parse_spec(
        "{name: t, protocol: classic-x4, metrics: [psnr_y], device: cpu}",
        origin="t",
        overrides={"datasets": [f"D={tmp_path / 'hr'}"], "methods": [f"Mine={__name__}:NextToBicubic", "bicubic"]},
    )
    summary = run(spec, tmp_path / "store")
    assert (summary.measured, summary.failed) == (1, 1)
    assert "returned shape (32, 32, 1), expected (32, 32)" in summary.messages[0]
    with open_store(tmp_path / "store") as store:
        scores = store.scores()
        assert list(scores[scores["value"].notna()]["method"]) == ["bicubic"]
