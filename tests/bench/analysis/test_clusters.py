"""Clusters: the unit of intervals, tests and ranks where images are no independent samples."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from asasr_bench.bench.analysis.clusters import ClusterError, Clusters, clusters_of, of_clusters
from asasr_bench.bench.analysis.compare import compare_methods
from asasr_bench.bench.analysis.leaderboard import load_board
from asasr_bench.bench.analysis.sets import combine
from asasr_bench.bench.analysis.statistics import intervals
from asasr_bench.bench.metrics.card import MetricCard
from asasr_bench.bench.metrics.metric import Metric, SetMetric, per_image
from asasr_bench.bench.spec import SpecError, load_spec
from asasr_bench.bench.store.store import open_store
from asasr_bench.reports.grid import grids
from hypothesis import given
from hypothesis import strategies as st

MakeStore = Callable[..., Path]


@given(st.lists(st.tuples(st.floats(-100, 100), st.sampled_from("abcdef")), min_size=1, max_size=40))
def test_values_of_clusters_keep_the_mean_and_are_a_jackknife(rows: list[tuple[float, str]]) -> None:
    values, names = np.array([value for value, _ in rows]), [name for _, name in rows]
    units = of_clusters(values, names)
    assert units.shape == (len(set(names)),)
    assert units.mean() == pytest.approx(values.mean(), abs=1e-9)
    if len(set(names)) > 1:
        without = np.array([values[[name != one for name in names]].mean() for one in sorted(set(names))])
        count = len(without)
        expected = (count - 1) / count * ((without - without.mean()) ** 2).sum()  # Efron and Stein, 1981
        assert units.var(ddof=1) / count == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_clusters_of_one_size_count_as_their_means() -> None:
    values = np.arange(12.0).reshape(6, 2)
    np.testing.assert_allclose(of_clusters(values, list("aabbcc")), values.reshape(3, 2, 2).mean(1))
    np.testing.assert_allclose(of_clusters(values, list("abcdef")), values)
    np.testing.assert_allclose(of_clusters(values, list("aaaaaa")), values.mean(0, keepdims=True))


@pytest.mark.parametrize("sizes", [(6,) * 20, tuple(range(1, 21))], ids=["equal", "uneven"])
def test_intervals_over_clusters_cover_where_those_over_images_do_not(sizes: tuple[int, ...]) -> None:
    """2,000 sets; images of a cluster share most of their deviation. The standard error of a share is .005."""
    rng = np.random.default_rng(0)
    names = np.repeat(np.arange(len(sizes)), sizes)
    sets = rng.normal(0, 1, (2000, len(sizes)))[:, names] + rng.normal(0, 0.5, (2000, len(names)))

    def covered(units: np.ndarray) -> float:
        bounds = intervals(units)
        return float(np.mean((bounds[:, 0] <= 0) & (bounds[:, 1] >= 0)))

    assert covered(sets) < 0.75
    assert 0.92 <= covered(of_clusters(sets.T, [str(name) for name in names]).T) <= 0.97


def test_rules_name_clusters_and_a_rule_that_fits_nothing_is_refused() -> None:
    clusters = Clusters({"D": r"(\d+)_", "E": {"a": "one", "b": "one"}, "F": ""})
    assert clusters.of("C", ["x"]) is None
    assert clusters.of("D", ["1_a", "1_b", "2_a", "other"]) == {
        "1_a": "cluster 1",
        "1_b": "cluster 1",
        "2_a": "cluster 2",
        "other": "image other",
    }
    assert clusters.count("E", ["a", "b", "c"]) == 2
    assert clusters.count("F", ["a", "b", "c"]) == 1
    assert clusters.count("C", ["a", "b", "c"]) == 3
    with pytest.raises(ClusterError, match="'x'"):
        clusters.of("D", ["x"])
    with pytest.raises(ClusterError, match="'x'"):
        clusters.of("E", ["x"])


def test_a_set_without_clusters_is_one_whose_images_are_clusters() -> None:
    card = MetricCard("share", "Share")
    metric = Metric(
        card, per_image(lambda image: 0.0), SetMetric(lambda parts: float(np.sum(parts, 0)[0] / np.sum(parts, 0)[1]))
    )
    rng = np.random.default_rng(0)
    payloads = {(f"{n}", 0): np.array([rng.integers(1, 50), 60]) for n in range(8)}
    alone = combine(metric, payloads, {f"{n}": f"{n}" for n in range(8)})
    np.testing.assert_allclose(alone.pseudo, combine(metric, payloads).pseudo)
    four = combine(metric, payloads, {f"{n}": f"{n // 2}" for n in range(8)})
    assert four.pseudo.size == 4
    assert four.pseudo.mean() == pytest.approx(four.value)
    assert combine(metric, payloads, {f"{n}": "one" for n in range(8)}).pseudo.tolist() == [four.value]


def with_clusters(root: Path, rules: dict[str, object]) -> Path:
    """A store whose run had these clusters in its spec."""
    with sqlite3.connect(root / "store.sqlite") as database:
        (spec,) = database.execute("SELECT spec FROM runs").fetchone()
        database.execute("UPDATE runs SET spec = ?", (json.dumps({**json.loads(spec), "clusters": rules}),))
    return root


def test_tables_and_comparisons_count_clusters(make_store: MakeStore, tmp_path: Path, session) -> None:
    root = make_store(tmp_path / "s", images=12, methods=("A", "B"))
    (alone,) = compare_methods(root, "A", "B", metrics=["psnr_y"])
    with_clusters(root, {"D": {f"image{number}": str(number // 2) for number in range(12)}})
    (row,) = compare_methods(root, "A", "B", metrics=["psnr_y"])
    assert (row.result.n, row.units, alone.units) == (12, 6, 12)
    assert row.result.difference == pytest.approx(alone.result.difference)
    assert row.result.wins == alone.result.wins
    assert (row.result.low, row.result.high) != (alone.result.low, alone.result.high)
    with open_store(root) as store:
        board = load_board(store, title="t")
        assert clusters_of(store).count("D", [f"image{number}" for number in range(12)]) == 6
    assert any("12 images are 6 clusters" in note for grid in grids(board) for note in grid.notes)
    result = session("compare", "A", "B", "--store", root, "--metric", "psnr_y", "--cluster", r"D=image(\d)")
    assert (result.status, "12 images in 10 clusters" in result.out) == (0, True)
    result = session("compare", "A", "B", "--store", root, "--cluster", "D=photo")
    assert (result.status, "none of its images" in result.err) == (3, True)
    result = session("compare", "A", "B", "--store", root, "--cluster", "D=(")
    assert (result.status, "--cluster" in result.err) == (2, True)


def test_one_film_has_no_interval_and_no_test(make_store: MakeStore, tmp_path: Path) -> None:
    """The card of OldFilm says that its frames are of one film."""
    root = make_store(tmp_path / "s", images=8, methods=("A", "B"), datasets=("OldFilm",))
    with open_store(root) as store:
        board = load_board(store, title="t")
    assert board.scores["ci_low"].isna().all()
    assert board.scores["value"].notna().all()
    assert board.untested == {("asasr", "OldFilm")}
    assert any("1 cluster" in note for grid in grids(board) for note in grid.notes)


def test_a_spec_takes_a_rule_or_a_csv_file_beside_it(tmp_path: Path) -> None:
    (tmp_path / "scenes.csv").write_text("image,cluster\na,1\nb,1\n")
    text = "name: s\nprotocol: classic-x2\nmetrics: [psnr_y]\nclusters: {D: scenes.csv, E: '(.+)_'}\n"
    (tmp_path / "spec.yaml").write_text(text)
    assert load_spec(tmp_path / "spec.yaml").clusters == {"D": {"a": "1", "b": "1"}, "E": "(.+)_"}
    for wrong, told in (("other.csv", "cannot be read"), ("'('", "regular expression"), ("spec.csv", "columns image")):
        (tmp_path / "spec.csv").write_text("photo\na\n")
        (tmp_path / "spec.yaml").write_text(text.replace("scenes.csv", wrong))
        with pytest.raises(SpecError, match=told):
            load_spec(tmp_path / "spec.yaml")
