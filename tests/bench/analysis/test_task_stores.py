"""Stores with metrics of tasks: whatever reads a store knows them as it knows those of images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from asasr_bench.bench.analysis.curves import compare_curves
from asasr_bench.bench.analysis.leaderboard import load_board
from asasr_bench.bench.analysis.seeds import stability
from asasr_bench.bench.analysis.sets import combine
from asasr_bench.bench.drift.baseline import BaselineError, read_baseline, write_baseline
from asasr_bench.bench.drift.check import check_store, default_tolerance
from asasr_bench.bench.drift.snapshot import WHOLE
from asasr_bench.bench.execute.run import Summary
from asasr_bench.bench.metrics.registry import get_metric
from asasr_bench.bench.publish.figures.write import write_figures
from asasr_bench.bench.spec import Spec
from asasr_bench.bench.store.store import open_store
from asasr_bench.bench.train.ablation.spec import AblationSpec, Arm
from asasr_bench.bench.train.ablation.study import report_ablation

Make = Callable[..., Path]
METHODS = ("A-1", "A-2", "B-1", "B-2")
MIOU = "miou:toys:hr"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, make_store: Make) -> Path:
    """Two curves of two points, two seeds, six images."""
    folder = tmp_path_factory.mktemp("tasks")
    metrics = ("psnr_y", "ssim_y", MIOU)
    return make_store(
        folder / "store", methods=METHODS, images=6, seeds=(0, 1), protocol="osediff-512", metrics=metrics
    )


@pytest.fixture(scope="module")
def table(root: Path) -> dict[tuple[str, str], float]:
    """What the leaderboard says, by method and metric."""
    with open_store(root) as store:
        scores = load_board(store, title="").scores
    return {(row["method"], row["metric"]): float(row["value"]) for row in scores.to_dict("records")}


def by_seed(root: Path, method: str) -> list[float]:
    """The set's value with each seed, from what its images stored."""
    metric = get_metric(MIOU)
    assert metric.of_set is not None
    with open_store(root) as store:
        payloads = list(store.payloads(MIOU))
    return [
        metric.of_set.combine([payload for place, payload in payloads if place[4] == method and place[5] == seed])
        for seed in (0, 1)
    ]


@pytest.mark.parametrize("kind", ["bars", "ranks", "radar", "crops", "cost", "curves"])
def test_every_figure_is_drawn(root: Path, tmp_path: Path, kind: str) -> None:
    options = {"cost": {"y": MIOU}, "curves": {"y": [MIOU]}, "crops": {"metrics": ["psnr_y", MIOU]}}
    assert write_figures(root, [kind], tmp_path, options.get(kind))


def test_a_baseline_holds_the_value_of_the_set(root: Path, tmp_path: Path, table: dict[tuple[str, str], float]) -> None:
    path = tmp_path / "baseline.json"
    write_baseline(root, path, tolerances={MIOU: 0.5})
    for method in METHODS:
        rows = [
            output.scores[MIOU].value
            for place, output in read_baseline(path).outputs.items()
            if place[3] == WHOLE and place[4] == method
        ]
        assert sorted(map(float, rows)) == pytest.approx(sorted(by_seed(root, method)), abs=1e-9)  # type: ignore[arg-type]
        assert np.mean(rows) == pytest.approx(table[method, MIOU], abs=1e-9)  # type: ignore[arg-type]
    assert check_store(root, path).passed
    assert check_store(root, path, {MIOU: 0.1}).passed
    with pytest.raises(BaselineError, match=r"no values of metric 'miou:camvid'; did you mean 'miou:toys:hr'"):
        check_store(root, path, {"miou:camvid": 0.1})
    with pytest.raises(BaselineError, match="no values of metric 'lpips_alex'"):
        write_baseline(root, path, tolerances={"lpips_alex": 0.1})
    assert default_tolerance(MIOU) == 0.5 * 10.0 ** -get_metric(MIOU).card.digits


def test_stability_is_of_the_value_of_the_set(root: Path) -> None:
    rows = {row.method: row for row in stability(root, metrics=[MIOU], pixels=False)}
    assert set(rows) == set(METHODS)
    for method, row in rows.items():
        assert row.value == pytest.approx(np.std(by_seed(root, method)), abs=1e-12)
        assert row.low <= row.high
        assert (row.metric, row.images, row.seeds) == (MIOU, 6, 2)
    assert {row.metric for row in stability(root, pixels=False)} == {"psnr_y", "ssim_y", MIOU}


def test_curves_are_compared_at_equal_distortion(root: Path, table: dict[tuple[str, str], float]) -> None:
    same = compare_curves(root, "A", "A", distortion="psnr_y", metrics=[MIOU])
    assert [row.point for row in same] == ["A-1", "A-2"]
    for row in same:
        assert row.result is not None
        assert (row.result.n, row.result.difference, row.result.p) == (6, 0.0, 1.0)
    # B's PSNR lies below A's: no point of A is within reach of B, nor the other way round.
    apart = compare_curves(root, "A", "B", distortion="psnr_y")
    assert {row.metric for row in apart} == {"ssim_y", MIOU}
    assert all(row.result is None for row in apart)


def test_a_point_between_two_others_is_compared_with_the_line_through_them(tmp_path: Path, make_store: Make) -> None:
    # Methods are blurred more and more: C-3 lies between D-1 and D-2 in PSNR.
    methods, metrics = ("D-1", "C-3", "D-2", "C-4"), ("psnr_y", MIOU)
    root = make_store(tmp_path / "s", methods=methods, images=6, protocol="osediff-512", metrics=metrics)
    metric = get_metric(MIOU)
    with open_store(root) as store:
        payloads = list(store.payloads(MIOU))
        scores = store.scores()
    psnr = scores[scores["metric"] == "psnr_y"].groupby("method")["value"].mean()
    values = {
        name: combine(metric, {(place[3], 0): one for place, one in payloads if place[4] == name}).value
        for name in ("D-1", "D-2", "C-3")
    }
    share = (psnr["C-3"] - psnr["D-2"]) / (psnr["D-1"] - psnr["D-2"])
    expected = values["C-3"] - (share * values["D-1"] + (1 - share) * values["D-2"])
    first, second = compare_curves(root, "C", "D", distortion="psnr_y")
    assert first.result is not None
    assert first.result.difference == pytest.approx(expected, abs=1e-9)
    assert first.result.low <= expected <= first.result.high
    assert second.result is None


def test_a_study_is_reported(root: Path, tmp_path: Path) -> None:
    (tmp_path / "store").symlink_to(root)
    spec = AblationSpec.model_validate(
        {"name": "t", "config": "small", "steps": [1, 2], "evaluation": {}, "arms": {"A": None, "B": {}}}
    )
    experiment = Spec(name="t", protocol="osediff-512", metrics=("psnr_y", "ssim_y", MIOU))
    outcome = report_ablation(spec, [Arm("A", None), Arm("B")], experiment, tmp_path, Summary(0, 0, 0, 0, (), ()))
    assert {gap.y for gap in outcome.gaps} == {"ssim_y"}
    assert any(path.name.startswith("curves-") for path in outcome.paths)
