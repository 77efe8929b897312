"""Bradley-Terry, its intervals and alpha: against closed forms, scipy, printed examples and planted strengths."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from asasr_bench.bench.user_study.agreement import agreement, coincidences, krippendorff_alpha
from asasr_bench.bench.user_study.ballots import Vote, ballots, estimate
from asasr_bench.bench.user_study.bradley_terry import strengths, win_probability
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize
from simulated_raters import simulated

PLANTED = np.array([1.0, 0.6, 0.2, -0.3, -0.5, -1.0])


def penalized(wins: np.ndarray) -> np.ndarray:
    """The strengths that maximize likelihood times Jeffreys' prior, by a general optimizer."""
    size = len(wins)

    def loss(free: np.ndarray) -> float:
        own = np.append(free, -free.sum())
        chance = 1 / (1 + np.exp(own[None, :] - own[:, None]))
        weight = (wins + wins.T) * chance * (1 - chance)
        laplacian = np.diag(weight.sum(1)) - weight
        return -float((wins * np.log(chance)).sum() + 0.5 * np.linalg.slogdet(laplacian[1:, 1:])[1])

    result = optimize.minimize(loss, np.zeros(size - 1), method="BFGS", options={"gtol": 1e-8}).x
    return np.append(result, -result.sum())


@given(st.integers(2, 6), st.integers(0, 1000))
def test_strengths_are_the_maximum_of_the_penalized_likelihood(methods: int, seed: int) -> None:
    wins = np.random.default_rng(seed).integers(0, 6, (methods, methods)).astype(float)
    np.fill_diagonal(wins, 0)
    result = strengths(wins)
    if not np.isnan(result).any():
        np.testing.assert_allclose(result, penalized(wins), atol=2e-4)


def test_two_methods_have_firths_closed_form() -> None:
    """Of a binomial share, Firth's estimate of the log-odds is that with half a success and half a failure more."""
    for won, lost in ((7.0, 3.0), (5.0, 0.0), (0.5, 12.5)):
        first, second = strengths(np.array([[0, won], [lost, 0]]))
        assert first - second == pytest.approx(np.log((won + 0.5) / (lost + 0.5)), abs=1e-7)
        assert win_probability(first - second) == pytest.approx((won + 0.5) / (won + lost + 1))


def test_many_votes_give_the_planted_strengths_and_batches_the_same_as_one() -> None:
    chance = win_probability(PLANTED[:, None] - PLANTED[None, :])
    wins = 1e6 * chance * (1 - np.eye(6))
    np.testing.assert_allclose(strengths(wins), PLANTED - PLANTED.mean(), atol=1e-4)
    np.testing.assert_allclose(strengths(np.stack([wins, wins.T]))[1], -(PLANTED - PLANTED.mean()), atol=1e-4)


def test_methods_that_no_votes_link_have_no_strength() -> None:
    wins = np.zeros((4, 4))
    wins[0, 1] = wins[2, 3] = 5
    assert np.isnan(strengths(wins)).all()
    wins[1, 2] = 1
    assert np.isfinite(strengths(wins)).all()


@pytest.mark.parametrize("shown", [2, 6], ids=["pairs", "best of six"])
def test_strengths_of_simulated_raters_are_the_planted_ones(shown: int) -> None:
    result = np.mean(
        [
            strengths(simulated(PLANTED, raters=20, images=20, votes=40, shown=shown, seed=seed).wins.sum(0))
            for seed in range(12)
        ],
        axis=0,
    )
    np.testing.assert_allclose(result, PLANTED - PLANTED.mean(), atol=0.08)


@pytest.mark.parametrize("spread", [0.0, 0.6], ids=["alike", "tastes differ"])
def test_intervals_cover_the_planted_strengths(spread: float) -> None:
    """40 studies of 12 raters; tastes are of raters alone, so that the truth is the mean of what their votes show.

    The standard error of the share is about .02; ``tests/benchmarks/test_user_study_promises.py`` measures it in full.
    """
    truth = PLANTED - PLANTED.mean()
    if spread:  # odds of the population: those of many raters
        truth = strengths(simulated(PLANTED, raters=4000, images=2, votes=8, rater_spread=spread, seed=99).wins.sum(0))
    covered, naive = [], []
    for seed in range(40):
        votes = simulated(PLANTED, raters=12, images=12, votes=24, rater_spread=spread, seed=seed)
        one = estimate(
            votes,
            votes.wins.reshape(len(votes.wins), -1),
            lambda sums: strengths(sums.reshape(*sums.shape[:-1], 6, 6)),
            resamples=100,
        )
        covered.append((one.low <= truth) & (truth <= one.high))
        alone = estimate(
            ballots_of_single_votes(votes),
            votes.wins.reshape(len(votes.wins), -1),
            lambda sums: strengths(sums.reshape(*sums.shape[:-1], 6, 6)),
            resamples=100,
        )
        naive.append((alone.low <= truth) & (truth <= alone.high))
    assert 0.90 <= np.mean(covered) <= 0.99
    if spread:
        assert np.mean(naive) < np.mean(covered) - 0.03


def ballots_of_single_votes(votes):  # type: ignore[no-untyped-def]
    """The same votes as if each were of a rater and an image of its own, as tests of single votes take them."""
    from dataclasses import replace

    return replace(votes, rater=np.arange(len(votes.wins)), image=np.arange(len(votes.wins)))


def test_few_raters_or_images_have_no_interval() -> None:
    votes = simulated(PLANTED, raters=4, images=12, votes=24)
    one = estimate(votes, votes.chosen, lambda sums: sums)
    assert np.isnan(one.low).all()
    assert one.value.sum() == 96


def test_a_tie_is_half_a_win_for_either_side() -> None:
    both = [Vote("r", "t", "D", "i", ("a", "b"), ("b", "a"), choice, 1.0) for choice in ("a", "b")]
    tie = [Vote("r", "t", "D", "i", ("a", "b"), ("b", "a"), None, 1.0)] * 2
    np.testing.assert_array_equal(ballots(both, ["a", "b"]).wins.sum(0), ballots(tie, ["a", "b"]).wins.sum(0))
    np.testing.assert_array_equal(ballots(both, ["a", "b"]).chosen.sum(0), ballots(tie, ["a", "b"]).chosen.sum(0))


def test_a_vote_for_the_best_counts_against_each_of_the_others() -> None:
    one = ballots([Vote("r", "t", "D", "i", ("c", "a", "b"), ("a", "b", "c"), "a", 1.0)], ["a", "b", "c"])
    assert one.wins[0].tolist() == [[0, 1, 1], [0, 0, 0], [0, 0, 0]]
    assert (one.shown.tolist(), one.chosen.tolist()) == ([[1, 1, 1]], [[1, 0, 0]])


NONE = None
FOUR_OBSERVERS = (
    (1, 2, 3, 3, 2, 1, 4, 1, 2, NONE, NONE, NONE),
    (1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NONE, 3),
    (NONE, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NONE),
    (1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NONE),
)
"""Krippendorff (2011), example C."""


def alpha(units: Sequence[Sequence[int | None]]) -> float:
    return float(krippendorff_alpha(coincidences(units).sum(0)))


def test_alpha_is_that_of_krippendorffs_examples() -> None:
    two = [(0, 1), (1, 1), (0, 1), (0, 0), (0, 0), (0, 1), (0, 0), (0, 0), (1, 0), (0, 0)]
    assert alpha(two) == pytest.approx(0.095, abs=5e-4)  # example A
    units = [[value for value in column if value is not None] for column in zip(*FOUR_OBSERVERS, strict=True)]
    assert alpha(units) == pytest.approx(0.743, abs=5e-4)


def test_alpha_of_chance_is_0_and_of_equal_answers_1() -> None:
    rng = np.random.default_rng(0)
    assert alpha(rng.integers(2, size=(2000, 5)).tolist()) == pytest.approx(0, abs=0.02)
    assert alpha([[1, 1, 1], [0, 0], [1, 1]]) == 1
    assert np.isnan(alpha([[1], [0]]))
    assert np.isnan(alpha([[1, 1], [1, 1]]))


def test_agreement_does_not_depend_on_a_method_that_wins_everywhere() -> None:
    """All raters always choose the same output: they agree wholly, though all choices have one name."""
    rng = np.random.default_rng(0)
    votes = []
    for number in range(30):
        order = ("a", "b") if rng.random() < 0.5 else ("b", "a")
        votes += [Vote(rater, str(number), "D", str(number), order, order, "a", 1.0) for rater in "xyz"]
    value, low, high = agreement(votes)
    assert value == low == high == 1
