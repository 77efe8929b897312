"""Best@M and Worst@M against all subsets of seeds, and the stability of ranks."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from asasr_bench.bench.analysis.best_of_seeds import best_of_seeds, expected_extremes
from asasr_bench.bench.analysis.contests import Contest
from asasr_bench.bench.analysis.rank_stability import rank_stability, stability_of
from asasr_bench.bench.analysis.seeds import StabilityError
from asasr_bench.bench.analysis.statistics import interval
from asasr_bench.bench.metrics.card import MetricCard
from asasr_bench.bench.metrics.metric import Metric, per_image
from asasr_bench.bench.store.store import open_store
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

MakeStore = Callable[..., Path]


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=7), st.data())
def test_the_expected_best_is_the_mean_over_all_subsets(values: list[float], data: st.DataObject) -> None:
    samples = data.draw(st.integers(1, len(values)))
    subsets = list(combinations(values, samples))
    best, worst = expected_extremes(np.array([values]), samples, higher=True)
    assert best == pytest.approx(np.mean([max(subset) for subset in subsets]), abs=1e-9)
    assert worst == pytest.approx(np.mean([min(subset) for subset in subsets]), abs=1e-9)
    lower = expected_extremes(np.array([values]), samples, higher=False)
    assert (lower[0], lower[1]) == (worst, best)


def test_best_of_seeds_of_a_store(make_store: MakeStore, tmp_path: Path, session) -> None:
    root = make_store(tmp_path / "s", images=5, seeds=(0, 1, 2), methods=("A",), metrics=("psnr_y", "lsd", "hf_ratio"))
    rows = {(row.metric, row.samples): row for row in best_of_seeds(root)}
    assert {key[1] for key in rows} == {1, 2, 3}
    with open_store(root) as store:
        tables = {
            id: part.pivot(index="image", columns="seed", values="value").to_numpy()
            for id, part in store.scores().groupby("metric")
        }
    for id, best, worst in (("psnr_y", np.max, np.min), ("lsd", np.min, np.max)):
        one = rows[id, 3]
        assert one.best == pytest.approx(best(tables[id], axis=1).mean())
        assert one.worst == pytest.approx(worst(tables[id], axis=1).mean())
        assert one.best_interval == pytest.approx(interval(best(tables[id], axis=1)))
        assert rows[id, 1].best == pytest.approx(one.mean)
        assert rows[id, 1].worst == pytest.approx(one.mean)
        assert (one.seeds, one.images) == (3, 5)
    assert rows["hf_ratio", 3].best == pytest.approx(np.abs(tables["hf_ratio"]).min(axis=1).mean())  # 0 is best
    result = session("stability", root, "--best-of", "--metric", "psnr_y")
    assert result.status == 0
    assert f"{rows['psnr_y', 3].best:.2f}" in result.out
    with pytest.raises(StabilityError, match="two seeds"):
        best_of_seeds(make_store(tmp_path / "t", images=2))
    with pytest.raises(StabilityError, match="niqe"):
        best_of_seeds(root, metrics=["niqe"])


def contest(values: np.ndarray, dataset: str = "D") -> Contest:
    """A metric in which the greater is better, ``[images, methods]``."""
    metric = Metric(MetricCard("m", "M", digits=12, direction="higher"), per_image(lambda image: 0.0))
    names = tuple("ABCDEFGH"[: values.shape[1]])
    return Contest("p", dataset, metric, (), names, (), len(values), values.mean(0), values)


def test_the_share_of_resampled_sets_that_keep_an_order_is_a_normal_tail() -> None:
    """Two methods whose mean difference is z standard errors: a resampled mean has the other sign in Phi(-z)."""
    differences = np.random.default_rng(0).normal(0, 1, 400)
    differences = (differences - differences.mean()) / differences.std()
    for z in (0.5, 1.0, 2.0):
        values = np.stack([differences + z / 20, np.zeros(400)], axis=1)
        (one,) = stability_of([contest(values)])
        assert one.methods == ("A", "B")
        assert one.same_order == pytest.approx(stats.norm.cdf(z), abs=0.04)  # of 1,000 sets
        assert one.first[0] == one.ahead[0] == one.same_order
        assert one.kendall == pytest.approx(2 * one.same_order - 1)
        assert np.isnan(one.ahead[1])


def test_an_order_that_every_image_has_is_kept_and_equal_methods_share_the_first_place() -> None:
    rng = np.random.default_rng(1)
    sure = rng.normal(0, 1, (20, 1)) + np.array([1.0, 3.0, 2.0])
    (one,) = stability_of([contest(sure)])
    assert one.methods == ("B", "C", "A")
    assert (one.same_order, one.kendall, one.first) == (1, 1, (1, 0, 0))
    (tied,) = stability_of([contest(np.repeat(sure[:, :1], 4, axis=1))])
    assert tied.first == (0.25,) * 4
    assert list(stability_of([contest(sure[:4])])) == []
    several = list(stability_of([contest(sure), contest(sure + 1, "E")]))
    assert [row.dataset for row in several] == ["D", "E", ""]


def test_ranks_of_a_store(store: Path, session) -> None:
    (one,) = rank_stability(store)
    result = session("stability", store, "--ranks")
    assert result.status == 0
    assert f"{100 * one.same_order:.0f} % of resampled sets" in result.out
    assert all(name in result.out for name in one.methods)
    result = session("stability", store, "--ranks", "--metric", "niqe")
    assert (result.status, "niqe" in result.err) == (3, True)
