"""MATLAB's imresize: byte-exact against published files, then its mathematics."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from asasr_bench.datasets.images import crop_to_multiple, read_image
from asasr_bench.datasets.imresize import Kernel, imresize
from hypothesis import given
from hypothesis import strategies as st

KERNELS: tuple[Kernel, ...] = ("box", "triangle", "cubic", "lanczos3")


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("dataset", ["Set5", "Set14"])
def test_published_lr_files_are_equal_byte_for_byte(shared: Path, dataset: str, scale: int) -> None:
    files = sorted((shared / "data" / dataset / "LR_bicubic" / f"X{scale}").glob("*.png"))
    assert len(files) in (5, 14)
    for path in files:
        hr = read_image(shared / "data" / dataset / "HR" / f"{path.stem.removesuffix(f'x{scale}')}.png")
        ours = imresize(crop_to_multiple(hr, scale), 1 / scale)
        np.testing.assert_array_equal(ours, read_image(path), err_msg=path.name)


def test_rounding_between_the_passes_matters(photo: np.ndarray) -> None:
    exact = imresize(photo.astype(np.float64), 1 / 4)
    once_rounded = np.clip(np.floor(exact + 0.5), 0, 255)
    assert np.mean(imresize(photo, 1 / 4) != once_rounded) > 0.02


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("scale", [1 / 8, 1 / 3, 0.7, 1, 2, 3.5, 8])
def test_a_flat_image_stays_flat(kernel: Kernel, scale: float) -> None:
    result = imresize(np.full((24, 31, 3), 77.25), scale, kernel=kernel)
    np.testing.assert_allclose(result, 77.25, rtol=1e-13)


@pytest.mark.parametrize("kernel", ["triangle", "cubic"])
def test_a_ramp_stays_a_ramp_inside(kernel: Kernel) -> None:
    """Linear and cubic kernels reproduce degree-one polynomials away from the mirrored border."""
    ramp = np.tile(np.arange(64.0), (40, 1))
    up = imresize(ramp, 4, kernel=kernel)[80, 16:-16]
    centres = (np.arange(64 * 4) + 0.5) / 4 - 0.5
    np.testing.assert_allclose(up, centres[16:-16], atol=1e-10)


@pytest.mark.parametrize("kernel", KERNELS)
def test_scale_one_changes_nothing(photo: np.ndarray, kernel: Kernel) -> None:
    np.testing.assert_array_equal(imresize(photo, 1, kernel=kernel), photo)


def test_box_by_an_integer_is_the_block_mean(rng: np.random.Generator) -> None:
    image = rng.random((12, 20))
    np.testing.assert_allclose(imresize(image, 1 / 4, kernel="box"), image.reshape(3, 4, 5, 4).mean(axis=(1, 3)))


def test_cubic_equals_a_direct_sum(rng: np.random.Generator) -> None:
    """One output pixel by hand: 1-D row, scale 1/2, the kernel stretched to a support of 8, weights normalised."""

    def keys(x: float) -> float:
        x = abs(x)
        return 1.5 * x**3 - 2.5 * x**2 + 1 if x <= 1 else -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0

    row = rng.random(32)
    centre = (5 + 0.5) * 2 - 0.5  # input position of output pixel 5
    weights = np.array([keys((i - centre) / 2) for i in range(32)])
    expected = weights @ row / weights.sum()
    assert imresize(np.tile(row, (2, 1)), output_shape=(2, 16))[0, 5] == pytest.approx(expected, rel=1e-12)


@given(st.integers(1, 17), st.integers(1, 17), st.sampled_from([1 / 8, 1 / 3, 1 / 2, 2, 3, 4, 8]), st.booleans())
def test_transposing_commutes_for_floats(height: int, width: int, scale: float, colour: bool) -> None:
    shape = (height, width, 3) if colour else (height, width)
    image = np.random.default_rng(height * 31 + width).random(shape)
    turned = imresize(image.swapaxes(0, 1), scale).swapaxes(0, 1)
    np.testing.assert_allclose(imresize(image, scale), turned, atol=1e-12)


@given(st.integers(1, 40), st.integers(1, 40), st.floats(0.1, 5))
def test_size_is_the_ceiling(height: int, width: int, scale: float) -> None:
    result = imresize(np.zeros((height, width), np.uint8), scale)
    assert result.shape == (int(np.ceil(scale * height)), int(np.ceil(scale * width)))
    assert result.dtype == np.uint8


def test_single_precision_stays_single(photo: np.ndarray) -> None:
    single = imresize(photo.astype(np.float32) / 255, 1 / 2)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, imresize(photo / 255, 1 / 2), atol=1e-7)


@pytest.mark.parametrize(
    ("image", "options", "message"),
    [
        (np.zeros((4, 4)), {}, "exactly one"),
        (np.zeros((4, 4)), {"scale": 2, "output_shape": (2, 2)}, "exactly one"),
        (np.zeros((0, 4)), {"scale": 2}, "at least one pixel"),
        (np.zeros((4, 4), np.int32), {"scale": 2}, "uint8 or floating point"),
        (np.zeros((4, 4)), {"scale": 0}, "above 0"),
    ],
)
def test_what_cannot_be_resized_is_refused(image: np.ndarray, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        imresize(image, **options)
