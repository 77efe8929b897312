"""Statistics against closed forms, scipy, and their promises under simulation."""

from __future__ import annotations

import numpy as np
import pytest
from asasr_bench.bench.statistics import (
    bootstrap_ci,
    bootstrap_cis,
    holm,
    paired,
    permutation_p,
)
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats


def test_intervals_cover_the_truth() -> None:
    """95 % intervals of 1,000 experiments with 100 images each cover the true mean in 93 to 97 %."""
    rng = np.random.default_rng(1)
    experiments = rng.normal(25.0, 2.3, (1000, 100))
    bounds = bootstrap_cis(experiments, resamples=4000)
    assert 0.93 <= np.mean((bounds[:, 0] <= 25) & (bounds[:, 1] >= 25)) <= 0.97


def test_permutation_p_values_are_uniform_under_the_null() -> None:
    rng = np.random.default_rng(3)
    p_values = [permutation_p(rng.normal(0, 1, 30), resamples=999, seed=seed) for seed in range(1000)]
    assert stats.kstest(p_values, "uniform").pvalue > 0.01
    assert 0.035 <= np.mean(np.array(p_values) < 0.05) <= 0.065


def test_permutation_p_is_exact_for_few_images() -> None:
    """Of the 32 sign patterns of five equal differences two are as extreme: all plus and all minus."""
    assert permutation_p([1.0] * 5) == pytest.approx(2 / 32)
    values = np.random.default_rng(0).normal(0.4, 1, 9)
    exact = stats.permutation_test(
        (values,), np.sum, permutation_type="samples", n_resamples=np.inf, alternative="two-sided"
    )
    assert permutation_p(values) == pytest.approx(exact.pvalue)


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


def test_an_interval_needs_two_finite_images() -> None:
    assert np.isnan(bootstrap_ci([1.0])).all()
    assert np.isnan(bootstrap_ci([1.0, np.inf])).all()
    assert bootstrap_ci([2.0, 2.0, 2.0]) == (2.0, 2.0)
