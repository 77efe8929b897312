"""Statistics against closed forms, scipy, and their promises under simulation."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from asasr_bench.bench.analysis import statistics
from asasr_bench.bench.analysis.statistics import (
    holm,
    interval,
    intervals,
    least_p,
    paired,
    permutation_p,
    resampled,
    student_quantile,
)
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

EXACT = {
    "normal": (lambda rng, shape: rng.normal(0, 1, shape), 0.0),
    "exponential": (lambda rng, shape: rng.exponential(1, shape), 1.0),
    "lognormal": (lambda rng, shape: rng.lognormal(0, 1, shape), float(np.exp(0.5))),
    "t3": (lambda rng, shape: rng.standard_t(3, shape), 0.0),
}
"""Draws of values and their mean."""


@pytest.mark.parametrize("images", [5, 10, 30, 100])
@pytest.mark.parametrize(
    ("name", "least"), [("normal", 0.935), ("exponential", 0.91), ("lognormal", 0.87), ("t3", 0.91)]
)
def test_intervals_cover_what_they_say(name: str, least: float, images: int) -> None:
    """Of 4,000 simulated sets; the standard error of the share is .004, and percentiles of a bootstrap cover .83, .80,
    .72 and .84 with five images."""
    draw, mean = EXACT[name]
    bounds = intervals(draw(np.random.default_rng(images), (4000, images)))
    covered = np.mean((bounds[:, 0] <= mean) & (mean <= bounds[:, 1]))
    assert least <= covered <= 0.97


def test_intervals_are_those_of_student_without_skewness_and_of_bca_with_many_images() -> None:
    symmetric = np.array([-3.0, -1, -0.5, 0.5, 1, 3]) + 20
    student = stats.t.interval(0.95, 5, loc=20, scale=stats.sem(symmetric))
    assert interval(symmetric) == pytest.approx(student, rel=1e-9)
    skewed = np.random.default_rng(0).exponential(1, 400)
    result = stats.bootstrap((skewed,), np.mean, n_resamples=20_000, method="BCa", rng=1).confidence_interval
    assert interval(skewed) == pytest.approx((result.low, result.high), abs=0.06 * (result.high - result.low))
    low, high = interval(skewed)
    assert high - skewed.mean() > skewed.mean() - low  # a long tail above: the mean may lie far above, too


finite = st.floats(-1e6, 1e6, allow_subnormal=False).map(lambda value: round(value, 6))


@given(st.lists(finite, min_size=5, max_size=20), st.floats(-1e3, 1e3), st.floats(1e-3, 1e3))
def test_intervals_hold_the_mean_and_follow_shift_scale_and_mirror(
    values: list[float], shift: float, scale: float
) -> None:
    low, high = interval(values)
    room = 1e-9 * (1 + np.max(np.abs(values)))
    assert low - room <= np.mean(values) <= high + room
    moved = interval(np.array(values) * scale + shift)
    assert moved == pytest.approx((low * scale + shift, high * scale + shift), rel=1e-4, abs=1e-6 * (scale + room))
    assert interval(-np.array(values)) == pytest.approx((-high, -low), rel=1e-9, abs=room)


def test_permutation_p_values_are_uniform_under_the_null() -> None:
    rng = np.random.default_rng(3)
    p_values = [permutation_p(rng.normal(0, 1, 30), flips=999, seed=seed) for seed in range(1000)]
    assert stats.kstest(p_values, "uniform").pvalue > 0.01
    assert 0.035 <= np.mean(np.array(p_values) < 0.05) <= 0.065


def hall(values: np.ndarray, axis: int) -> np.ndarray:
    """The transformed t, by the library's skewness and standard error (Hall, 1992)."""
    count = values.shape[axis]
    t = values.mean(axis=axis) / stats.sem(values, axis=axis)
    g = stats.skew(values, axis=axis) * np.sqrt(count / (count - 1)) * count / (count - 2) / np.sqrt(count)
    g = g * ((count - 1) / count)
    return t + g / 3 * t**2 + g**2 / 27 * t**3 + g / 6


@pytest.mark.parametrize("images", [6, 9, 12])
def test_permutation_p_is_scipys_of_the_same_statistic(images: int) -> None:
    values = np.random.default_rng(images).exponential(1, images) - 0.6
    exact = stats.permutation_test(
        (values,),
        lambda x, axis: np.abs(hall(x, axis)),
        permutation_type="samples",
        n_resamples=np.inf,
        alternative="greater",
        vectorized=True,
    )
    assert permutation_p(values) == pytest.approx(exact.pvalue, abs=1e-12)


def test_permutation_p_is_exact_for_few_images() -> None:
    """Of the 32 sign patterns of five equal differences two are as extreme: all plus and all minus."""
    assert permutation_p([1.0] * 5) == pytest.approx(2 / 32)
    assert permutation_p([1e-200] * 5) == permutation_p([1e200] * 5) == 2 / 32
    assert permutation_p([0.0] * 5) == 1
    assert permutation_p([3.0]) == 1
    assert least_p(5) == 2 / 32


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=10), st.integers(1, 1000))
def test_permutation_p_knows_no_order_side_or_unit(differences: list[int], unit: int) -> None:
    p = permutation_p(differences)
    assert least_p(len(differences)) <= p <= 1
    assert permutation_p(differences[::-1]) == p
    assert permutation_p([-unit * difference for difference in differences]) == p


def test_skewed_differences_are_not_taken_for_effects() -> None:
    """Exponential differences about 0, 20 images: a test by the plain mean errs in .08, by the transformed t in .06."""
    rng = np.random.default_rng(6)
    wrong = np.mean([permutation_p(rng.exponential(1, 20) - 1, flips=999) <= 0.05 for _ in range(2000)])
    assert wrong <= 0.068


def test_resampled_means_are_one_draw_for_all_methods_and_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their spread is the standard error; blocks keep the number of draws; equal methods have equal draws."""
    values = np.random.default_rng(0).normal(3, 2, (50, 1))
    drawn = resampled(np.hstack([values, values, values + 1]), 4000)
    assert drawn.shape == (4000, 3)
    np.testing.assert_array_equal(drawn[:, 0], drawn[:, 1])
    np.testing.assert_allclose(drawn[:, 2], drawn[:, 0] + 1)
    assert drawn[:, 0].mean() == pytest.approx(values.mean(), abs=0.02)
    assert drawn[:, 0].std() == pytest.approx(values.std() / np.sqrt(50), rel=0.05)
    monkeypatch.setattr(statistics, "_BLOCK", 1000)
    small = resampled(values, 4000)
    assert small.shape == (4000, 1)
    assert small.std() == pytest.approx(drawn[:, 0].std(), rel=0.05)


def test_large_sets_need_little_memory() -> None:
    """20,000 images and 1,000 draws or 2,000 sign patterns would be 160 and 320 MB at once."""
    values = np.random.default_rng(0).normal(0, 1, (20_000, 2))
    statistics._weights.cache_clear()
    statistics._signs.cache_clear()
    tracemalloc.start()
    resampled(values, 300)
    permutation_p(values[:, 0], flips=600)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * 2**25  # at 32 MiB a block, four of each kept and one in the making would be 320 MiB


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_the_step_down_of_its_definition(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    order = np.argsort(p_values, kind="stable")
    running = 0.0
    for position, index in enumerate(order):
        running = max(running, min(1.0, (len(p_values) - position) * p_values[index]))
        assert adjusted[index] == pytest.approx(running)


def test_holm_leaves_out_what_was_not_tested() -> None:
    np.testing.assert_allclose(holm([0.01, np.nan, 0.04]), [0.02, np.nan, 0.04])


def test_a_paired_comparison_sees_through_the_images() -> None:
    """Images differ by 5 dB, methods by 0.1: only the paired test can tell."""
    rng = np.random.default_rng(5)
    images = rng.normal(27, 5, 100)
    first = images + 0.1 + rng.normal(0, 0.1, 100)
    result = paired(first, images)
    differences = first - images
    assert result.n == 100
    assert result.difference == pytest.approx(differences.mean())
    assert result.low < result.difference < result.high
    assert result.low > 0
    assert result.p < 0.001
    assert result.effect == pytest.approx(differences.mean() / differences.std(ddof=1))
    assert result.wins == np.mean(first > images)
    assert stats.ttest_ind(first, images).pvalue > 0.5
    mirrored = paired(images, first)
    assert mirrored.difference == -result.difference
    assert mirrored.p == result.p


def test_equal_methods_are_not_told_apart() -> None:
    result = paired(np.arange(10.0), np.arange(10.0))
    assert (result.difference, result.p, result.wins) == (0, 1, 0.5)


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [([1.0], [2.0], "two or more"), ([1.0, 2], [1.0], "same"), ([1, np.inf], [1.0, 2.0], "finite")],
)
def test_what_cannot_be_compared_is_refused(first, second, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        paired(first, second)


def test_an_interval_needs_five_finite_images() -> None:
    assert np.isnan(interval([1.0])).all()
    assert np.isnan(interval([1.0, 2.0, 3.0, 4.0])).all()
    assert np.isnan(interval([1.0, 2.0, 3.0, 4.0, np.inf])).all()
    assert interval([2.0] * 5) == (2.0, 2.0)
    assert np.isnan(paired([1.0, 2, 3], [3.0, 2, 2]).low)


@pytest.mark.parametrize("freedom", [4, 5, 9, 29, 99, 999, 10**4, 10**6])
@pytest.mark.parametrize("probability", [0.75, 0.95, 0.975, 0.999])
def test_quantiles_of_student_are_those_of_scipy(freedom: int, probability: float) -> None:
    assert student_quantile(freedom, probability) == pytest.approx(special.stdtrit(freedom, probability), rel=1e-7)
