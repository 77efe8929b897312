"""How often intervals of strengths cover, and rules find careless raters (docs/user-studies.md); some minutes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from asasr_bench.bench.user_study.ballots import Floats, estimate
from asasr_bench.bench.user_study.bradley_terry import strengths
from asasr_bench.bench.user_study.design import load_design
from asasr_bench.bench.user_study.exclusion import kept_raters
from asasr_bench.bench.user_study.key import read_key
from asasr_bench.bench.user_study.make import make_study
from asasr_bench.bench.user_study.votes import read_votes
from simulated_raters import simulated, vote_file

pytestmark = pytest.mark.benchmark

PLANTED = np.array([1.0, 0.6, 0.2, -0.3, -0.5, -1.0])
STUDIES, FIRST_SEED = 300, 1_000_000
"""The seeds are others than those that the floor of the variance was chosen with."""
ABOVE = np.triu_indices(6, 1)


def fitted(sums: Floats) -> Floats:
    """Strengths and the differences of all pairs."""
    found = strengths(sums.reshape(*sums.shape[:-1], 6, 6))
    return np.concatenate([found, found[..., ABOVE[0]] - found[..., ABOVE[1]]], -1)


@pytest.mark.parametrize(
    ("raters", "images", "votes", "tastes", "favours", "shown"),
    [
        (10, 12, 12, 0.0, 0.0, 2), (20, 30, 40, 0.0, 0.0, 2), (20, 30, 40, 0.7, 0.0, 2), (20, 30, 40, 0.0, 0.7, 2),
        (20, 30, 40, 0.7, 0.7, 2), (10, 20, 20, 0.7, 0.7, 2), (50, 64, 64, 0.5, 0.5, 6),
    ],
)  # fmt: skip
def test_coverage(raters: int, images: int, votes: int, tastes: float, favours: float, shown: int) -> None:
    """Where tastes of raters and images differ, the truth is what votes of all of them would give."""
    many = [
        simulated(PLANTED, raters=50_000, images=2, votes=2, rater_spread=float(np.hypot(tastes, favours)), shown=shown,
                  seed=10_000 + part).wins.sum(0)
        for part in range(8 if tastes or favours else 0)
    ]  # fmt: skip
    truth = strengths(np.sum(many, axis=0)) if many else PLANTED - PLANTED.mean()
    truth = np.concatenate([truth, truth[ABOVE[0]] - truth[ABOVE[1]]])
    covered, found = [], []
    for seed in range(FIRST_SEED, FIRST_SEED + STUDIES):
        cast = simulated(PLANTED, raters=raters, images=images, votes=votes, rater_spread=tastes, image_spread=favours,
                         shown=shown, seed=seed)  # fmt: skip
        one = estimate(cast, cast.wins.reshape(len(cast.wins), -1), fitted, resamples=250, seed=seed)
        covered.append((one.low <= truth) & (truth <= one.high))
        found.append(one.value[:6])
    shares = np.mean(covered, axis=0)
    bias = np.abs(np.mean(found, axis=0) - truth[:6]).max()
    print(f"\n{raters} {images} {votes} {tastes} {favours} {shown}: strengths {shares[:6].mean():.3f},"
          f" differences {shares[6:].mean():.3f}, greatest bias {bias:.3f}")  # fmt: skip
    assert 0.92 <= shares[:6].mean() <= 0.98
    assert bias < 0.06


def test_careless_raters_are_found(make_store: Callable[..., Path], tmp_path: Path) -> None:
    """Of 200 raters of each kind: those who guess, hurry or take one side, and those who look but err in 2 %."""
    make_study(make_store(tmp_path / "s", images=8), tmp_path / "study", load_design("pairs", {"per_rater": 20}))
    key = read_key(tmp_path / "study" / "key.json")
    rng = np.random.default_rng(0)
    planted = {"bicubic": -1.0, "net-2": 1.0, "net-4": 0.0}
    kinds = {"guess": {"lapse": 1.0}, "hurry": {"median": 0.4}, "one side": {"place": 0}, "look": {}}
    shares = {}
    for kind, how in kinds.items():
        paths = []
        for number in range(200):
            path = tmp_path / f"{kind}{number}.json"
            path.write_text(json.dumps(vote_file(key, f"r{number}", planted, rng=rng, **how)))
            paths.append(path)
        raters, problems = read_votes(paths, key)
        assert problems == []
        shares[kind] = 1 - len(kept_raters(raters, key.design.rules)[0]) / 200
    print(f"\nleft out: {shares}")
    assert min(shares["guess"], shares["hurry"], shares["one side"]) > 0.9
    assert shares["look"] < 0.05
