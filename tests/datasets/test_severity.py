"""Degradations of a stated strength: identities, an independent computation, and what cannot be read."""

from __future__ import annotations

import io

import numpy as np
import pytest
from asasr_bench.datasets.degradation.severity import Severity, SeverityError, degrade_to, grid, parse_severity
from asasr_bench.datasets.imresize import imresize
from asasr_bench.datasets.lq import LqRuleError, make_lq, parse_lq_rule, rule_version
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from skimage import data

HR = np.ascontiguousarray(data.astronaut()[:128, 128:256])


def test_no_degradation_is_matlab_s_bicubic_to_the_last_bit() -> None:
    for scale in (2, 4):
        np.testing.assert_array_equal(make_lq(HR, "severity:clean:0", scale), make_lq(HR, "matlab-bicubic", scale))
    grey = HR[..., 0]
    np.testing.assert_array_equal(degrade_to(grey, Severity(), 4), imresize(grey, 0.25))


def test_blur_is_a_gaussian_of_hr_s_pixels() -> None:
    """An impulse spreads as the Gaussian does: sampled at every second pixel, before MATLAB's own low-pass."""
    x = np.arange(-12, 13)
    weights = np.exp(-(x**2) / (2 * 3.0**2))
    weights /= weights.sum()
    padded = np.pad(HR.astype(float), ((12, 12), (12, 12), (0, 0)), mode="reflect")
    rows = sum(weight * padded[shift : shift + 128] for shift, weight in enumerate(weights))
    blurred = sum(weight * rows[:, shift : shift + 128] for shift, weight in enumerate(weights))
    expected = np.clip(np.rint(imresize(np.asarray(blurred), 0.5)), 0, 255)
    assert np.abs(expected - degrade_to(HR, Severity(blur=3), 2)).max() <= 1


def test_noise_has_its_strength_and_is_the_same_at_every_strength() -> None:
    flat = np.full((256, 256, 3), 128, np.uint8)
    base = imresize(flat, 0.5).astype(float)
    weak, strong = (degrade_to(flat, Severity(noise=level), 2).astype(float) - base for level in (5, 20))
    assert weak.std() == pytest.approx(5, rel=0.02)
    assert np.corrcoef(weak.ravel(), strong.ravel())[0, 1] > 0.99
    assert abs(np.corrcoef(weak[..., 0].ravel(), weak[..., 1].ravel())[0, 1]) < 0.05
    other = degrade_to(flat, Severity(noise=5), 2, seed=1).astype(float) - base
    assert abs(np.corrcoef(weak.ravel(), other.ravel())[0, 1]) < 0.05


def test_jpeg_is_that_of_the_file_format() -> None:
    buffer = io.BytesIO()
    Image.fromarray(imresize(HR, 0.25)).save(buffer, "JPEG", quality=30, subsampling=2)
    np.testing.assert_array_equal(degrade_to(HR, Severity(jpeg=30), 4), np.asarray(Image.open(buffer)))
    assert degrade_to(HR[..., 0], Severity(jpeg=30), 4).shape == (32, 32, 3)


def test_stronger_is_worse() -> None:
    clean = degrade_to(HR, Severity(), 4).astype(float)
    for part, strengths in (("blur", (1, 2, 4)), ("noise", (5, 10, 20)), ("jpeg", (80, 40, 10))):
        errors = [np.square(degrade_to(HR, Severity(**{part: value}), 4) - clean).mean() for value in strengths]
        assert errors == sorted(errors)
        assert errors[0] > 0


@given(st.floats(0, 50), st.floats(0, 255), st.none() | st.integers(1, 100))
def test_a_case_survives_its_text(blur: float, noise: float, jpeg: int | None) -> None:
    case = Severity(float(f"{blur:g}"), float(f"{noise:g}"), jpeg)
    assert parse_severity(case.text) == case
    assert parse_lq_rule(f"severity:{case.text}", 4) == f"severity:{case.text}:0"


def test_rules_are_written_one_way() -> None:
    assert parse_lq_rule("severity:noise=10.0,blur=2:3", 2) == "severity:blur=2,noise=10:3"
    assert rule_version("severity:blur=2:0") == 1
    assert Severity(2, 0, 40).title == "blur 2, JPEG 40"


def test_a_grid_is_crossed_or_one_at_a_time() -> None:
    strengths = ((0.0, 1.0), (0.0, 5.0, 9.0), (None, 50))
    assert len(grid(*strengths, crossed=True)) == 12
    single = grid(*strengths, crossed=False)
    assert [case.text for case in single] == ["clean", "jpeg=50", "noise=5", "noise=9", "blur=1"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("blur", "'blur' cannot be read; it is such as blur=2,noise=10,jpeg=40, or clean"),
        ("blur=1,blur=2", "'blur=2' cannot be read"),
        ("haze=1", "'haze=1' cannot be read"),
        ("jpeg=40.5", "'jpeg=40.5' cannot be read"),
        ("noise=nan", "'noise=nan' cannot be read"),
        ("blur=99", "blur is 0 to 50 pixels and noise 0 to 255 levels, not blur=99"),
        ("jpeg=101", "the quality of JPEG is 1 to 100, not 101"),
    ],
)
def test_what_cannot_be_read_is_told(text: str, said: str) -> None:
    with pytest.raises(SeverityError, match=said):
        parse_lq_rule(f"severity:{text}", 4)


def test_a_rule_that_is_near_is_told() -> None:
    with pytest.raises(LqRuleError, match="did you mean 'severity:'"):
        parse_lq_rule("severty:blur=1", 4)
