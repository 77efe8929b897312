"""What a set can show, against the noncentral t of scipy, printed tables and simulated tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from asasr_bench.bench.analysis.compare import compare_methods
from asasr_bench.bench.analysis.equivalence import equivalence
from asasr_bench.bench.analysis.power import power_of_test, smallest_difference, units_needed
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats


@pytest.mark.parametrize(("effect", "pairs"), [(0.2, 199), (0.5, 34), (0.8, 15)])
def test_sample_sizes_of_small_medium_and_large_effects_are_those_of_g_power(effect: float, pairs: int) -> None:
    """G*Power 3.1, matched pairs, two-sided 5 %, power 80 %."""
    assert units_needed(effect, 1.0) == pairs
    assert units_needed(-3 * effect, 3.0) == pairs


@given(st.integers(3, 3000), st.floats(0, 3))
def test_power_is_scipys_noncentral_t(units: int, effect: float) -> None:
    shift, critical = effect * np.sqrt(units), stats.t.ppf(0.975, units - 1)
    expected = stats.nct.sf(critical, units - 1, shift) + stats.nct.cdf(-critical, units - 1, shift)
    if np.isfinite(expected):
        assert power_of_test(effect, units) == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("units", [3, 6, 24, 100])
def test_the_smallest_difference_is_found_in_four_of_five_simulated_sets(units: int) -> None:
    """Of 20,000 sets, by scipy's paired test; the standard error of the share is .003."""
    difference = smallest_difference(2.0, units)
    sets = np.random.default_rng(units).normal(difference, 2.0, (20_000, units))
    assert np.mean(stats.ttest_1samp(sets, 0, axis=1).pvalue < 0.05) == pytest.approx(0.8, abs=0.012)
    assert power_of_test(difference / 2, units) == pytest.approx(0.8, abs=1e-8)


def test_sets_that_tell_nothing_and_differences_that_are_none() -> None:
    assert np.isnan(smallest_difference(1.0, 2))
    assert smallest_difference(0.0, 10) == 0
    assert units_needed(0.0, 1.0) == np.inf
    assert units_needed(1e-9, 1.0) == np.inf
    assert units_needed(1.0, 0.0) == 3
    assert power_of_test(1e6, 5) == 1


@given(st.lists(st.floats(-10, 10), min_size=3, max_size=40), st.floats(0.01, 20))
def test_equivalence_is_two_of_scipys_one_sided_tests(values: list[float], margin: float) -> None:
    differences = np.asarray(values)
    if differences.std() < 1e-6:
        return
    one = equivalence(differences, margin)
    above = stats.ttest_1samp(differences, -margin, alternative="greater").pvalue
    below = stats.ttest_1samp(differences, margin, alternative="less").pvalue
    assert one.p == pytest.approx(max(above, below), abs=1e-9)
    low, high = stats.t.interval(0.9, len(values) - 1, differences.mean(), stats.sem(differences))
    assert (one.low, one.high) == pytest.approx((low, high), rel=1e-6, abs=1e-9)
    if abs(one.p - 0.05) > 1e-9:
        assert one.equivalent == (-margin < low and high < margin)


def test_two_methods_that_differ_by_the_margin_pass_for_equal_in_five_of_a_hundred_sets() -> None:
    sets = np.random.default_rng(0).normal(0.8, 1, (4000, 40))
    wrong = np.mean([equivalence(image_set, 0.8).equivalent for image_set in sets])
    assert 0.038 <= wrong <= 0.062


def test_equivalence_refuses_what_it_cannot_judge() -> None:
    assert np.isnan(equivalence([1.0, 2.0], 3.0).p)
    assert equivalence([0.1] * 5, 0.2).equivalent
    assert not equivalence([0.3] * 5, 0.2).equivalent
    with pytest.raises(ValueError, match="above 0"):
        equivalence([1.0, 2, 3], 0)
    with pytest.raises(ValueError, match="finite"):
        equivalence([1.0, 2, np.inf], 1)


def test_compare_tells_power_and_equivalence(store: Path, session: Callable[..., object]) -> None:
    (row,) = compare_methods(store, "net-2", "net-4", metrics=["psnr_y"], margins={"psnr_y": 50})
    assert row.equivalence is not None
    assert row.equivalence.equivalent
    assert row.smallest > 0
    result = session("compare", "net-2", "net-4", "--store", store, "--power", "--equivalent", "psnr_y=50")
    assert result.status == 0
    assert f"{row.smallest:.{row.digits}f}" in result.out
    assert "within the margin" in result.out
    assert "images needed" in result.out
    for wrong in ("psnr_y=0", "psnr_y", "psnr_y=big"):
        result = session("compare", "net-2", "net-4", "--store", store, "--equivalent", wrong)
        assert result.status == 2
        assert "--equivalent" in result.err
    result = session("compare", "net-2", "net-4", "--store", store, "--equivalent", "niqe=1")
    assert (result.status, "niqe" in result.err) == (3, True)
