"""Scales and the sizes that follow: MATLAB's published files, an independent sum, and what holds for all sizes."""

from __future__ import annotations

from fractions import Fraction
from math import ceil
from pathlib import Path

import numpy as np
import pytest
from asasr_bench.datasets.images import crop_to_multiple, read_image
from asasr_bench.datasets.imresize import imresize
from asasr_bench.datasets.lq import make_lq
from asasr_bench.datasets.scales import ScaleError, crop_problem, hr_unit, lq_size, lq_unit, parse_scale, sr_size
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

SCALES = st.integers(20, 320).map(lambda parts: parse_scale(parts / 20))
SIDES = st.integers(1, 4000)

# Green of five by ten pixels of MATLAB's LQ, from their upper left corner: files LR_bicubic/X1.50/img_002_SRF.png, and
# X2.50 and X3.50 of img_004_SRF.png, of github.com/XuecaiHu/Meta-SR-Pytorch (benchmark/Set5, commit 8aec6e18), which
# its generate_LR_metasr_X1_X4.m wrote. Their borders are of another version of MATLAB than Set5's own files.
MATLAB = (
    ("bird", 1.5, 94, [[138, 141, 140, 139, 133, 129, 129, 133, 139, 139],
                       [142, 145, 144, 139, 133, 129, 129, 131, 136, 136],
                       [144, 143, 143, 141, 136, 127, 126, 129, 129, 135],
                       [145, 143, 143, 144, 136, 127, 125, 126, 127, 136],
                       [147, 144, 143, 141, 131, 125, 124, 124, 126, 137]]),
    ("head", 2.5, 54, [[129, 125, 122, 115, 111, 103, 102, 96, 80, 72],
                       [127, 118, 112, 107, 85, 82, 80, 70, 61, 56],
                       [117, 102, 96, 81, 66, 62, 57, 54, 58, 57],
                       [91, 86, 74, 69, 69, 66, 61, 57, 56, 55],
                       [88, 81, 79, 85, 77, 68, 63, 56, 51, 47]]),
    ("head", 3.5, 38, [[127, 127, 125, 118, 114, 106, 94, 88, 77, 65],
                       [130, 121, 114, 99, 85, 82, 67, 57, 50, 45],
                       [114, 102, 87, 70, 62, 55, 56, 56, 49, 47],
                       [91, 84, 77, 77, 68, 60, 54, 49, 47, 45],
                       [91, 81, 80, 75, 67, 56, 51, 48, 51, 50]]),
)  # fmt: skip


@pytest.mark.parametrize(("image", "scale", "corner", "green"), MATLAB)
def test_lq_is_matlab_s_between_whole_scales(
    shared: Path, image: str, scale: float, corner: int, green: list[list[int]]
) -> None:
    hr = read_image(shared / "data" / "Set5" / "HR" / f"{image}.png")
    lq = make_lq(crop_to_multiple(hr, hr_unit(scale)), "matlab-bicubic", scale)
    np.testing.assert_array_equal(lq[corner : corner + 5, corner : corner + 10, 1], green)


def resized(image: NDArray[np.float64], scale: float, size: int) -> NDArray[np.float64]:
    """Columns resized as MATLAB documents ``imresize`` with 'bicubic': a sum over all pixels of the mirrored image."""
    rows = len(image)
    width = min(scale, 1.0)
    mirrored = np.concatenate([image[::-1], image, image[::-1]])
    result = np.zeros((size, image.shape[1]))
    for out in range(size):
        centre = (out + 0.5) / scale - 0.5
        x = np.abs(np.arange(-rows, 2 * rows) - centre) * width
        weights = np.where(x <= 1, 1.5 * x**3 - 2.5 * x**2 + 1,
                           np.where(x < 2, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2, 0))  # fmt: skip
        result[out] = weights @ mirrored / weights.sum()
    return result


@pytest.mark.parametrize("scale", [1.1, 1.5, 2.4, 2.75, 3.3])
def test_down_and_up_are_sums_at_the_stated_scale(scale: float, rng: np.random.Generator) -> None:
    """The kernel's scale is the one that is stated, as in ``imresize(HR, 1 / scale)``, and not a rounded ratio."""
    hr = rng.random((4 * hr_unit(scale), 7))
    size = 4 * lq_unit(scale)
    lq = imresize(hr, output_shape=(size, 7))
    np.testing.assert_allclose(lq, resized(hr, 1 / scale, size), atol=1e-12)
    np.testing.assert_allclose(imresize(lq, output_shape=hr.shape), resized(lq, scale, len(hr)), atol=1e-12)


@pytest.mark.parametrize("scale", range(1, 17))
def test_whole_scales_are_as_they_were(scale: int, rng: np.random.Generator) -> None:
    assert (hr_unit(scale), lq_unit(scale)) == (scale, 1)
    hr = rng.integers(0, 256, (3 * scale, 5 * scale), dtype=np.uint8)
    np.testing.assert_array_equal(make_lq(hr, "matlab-bicubic", scale), imresize(hr, 1 / scale))
    np.testing.assert_array_equal(imresize(hr, output_shape=sr_size(hr.shape, scale)), imresize(hr, scale))


@given(SIDES, SIDES, SCALES)
def test_hr_is_lq_times_the_scale(height: int, width: int, scale: float) -> None:
    hr = crop_to_multiple(np.broadcast_to(0, (height, width)), hr_unit(scale)).shape
    lq = lq_size(hr, scale)
    exact = Fraction(str(scale))
    assert [round(scale * side) for side in lq] == [side * exact for side in lq] == list(hr)
    assert sr_size(lq, scale) == hr
    assert lq_size((height, width), scale) == lq
    assert height - hr[0] < hr_unit(scale) <= 20 * scale


@given(SIDES, SIDES, SCALES)
def test_every_pixel_of_any_lq_is_in_sr(height: int, width: int, scale: float) -> None:
    """LQ without HR has any size: SR is the product rounded up, as MATLAB's documentation of ``imresize`` says."""
    exact = Fraction(str(scale))
    assert sr_size((height, width), scale) == (ceil(height * exact), ceil(width * exact))


@given(SCALES)
def test_units_are_those_of_arbsr(scale: float) -> None:
    """``cal_step`` of gen_LR_img.m: the first of these that makes the scale whole."""
    exact = Fraction(str(scale))
    step = next(step for step in (1, 2, 5, 10, 20) if (exact * step).denominator == 1)
    assert (lq_unit(scale), hr_unit(scale)) == (step, exact * step)


@pytest.mark.parametrize(
    ("given", "printed"),
    [(4, "4"), (4.0, "4"), ("4", "4"), (1.5, "1.5"), ("1.50", "1.5"), (np.float64(2.4), "2.4"),
     (1 + 2 * 0.1, "1.2"), (1.1 * 3, "3.3"), (1, "1"), (15.95, "15.95")],
)  # fmt: skip
def test_a_scale_prints_as_people_write_it(given: float | str, printed: str) -> None:
    scale = parse_scale(given)
    assert (str(scale), type(scale)) == (printed, float if "." in printed else int)


@pytest.mark.parametrize(
    ("given", "told"),
    [(0.5, "from 1 to 16"), (17, "from 1 to 16"), ("four", "scale four: a scale is a number"),
     (float("nan"), "from 1 to 16"), (float("inf"), "from 1 to 16"), (1.33, "multiple of 0.05.*nearest is 1.35")],
)  # fmt: skip
def test_what_is_no_scale_is_refused(given: float | str, told: str) -> None:
    with pytest.raises(ScaleError, match=told):
        parse_scale(given)


def test_a_crop_is_a_number_of_units() -> None:
    assert crop_problem(96, 1.5) == crop_problem(96, 4) == ""
    assert crop_problem(98, 4) == "a crop of 98 pixels is no multiple of the scale 4"
    assert crop_problem(98, 1.5) == "a crop of 98 pixels is no multiple of 3, of which sides of HR are at scale 1.5"
