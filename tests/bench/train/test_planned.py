"""Planned studies: the plan, the frontier, the tests, and a small study from its plan to its tables."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from asasr_bench.bench.cli.main import app
from asasr_bench.bench.metrics.registry import get_metric
from asasr_bench.bench.spec import SpecError
from asasr_bench.bench.train.ablation.spec import study_file
from asasr_bench.bench.train.study import run as planned_run
from asasr_bench.bench.train.study.contrasts import (
    Difference,
    Scores,
    at_equal_distortion,
    chosen_settings,
    contrasts,
    smallest_difference,
)
from asasr_bench.bench.train.study.images import ImageSet
from asasr_bench.bench.train.study.points import Point, points_of, seeds_of, settings_of
from asasr_bench.bench.train.study.scoring import restored
from asasr_bench.bench.train.study.spec import Study, is_planned, load_study
from scipy import stats
from typer.testing import CliRunner

CONTENT: dict[str, Any] = {
    "kind": "planned",
    "name": "tiny",
    "title": "Tiny",
    "question": "Does it run?",
    "config": "small",
    "prior": "asasr:small-prior",
    "teachers": {},
    "training_seeds": [0, 1],
    "steps": [1, 2],
    "tested_steps": [2],
    "arms": {"full": {"betas": [200, 4.0e7]}},
    "frontier": {"steps": [1, 2, 3], "blend_steps": 3, "blend_samples": 2, "blends": [0.5, 1]},
    "guidance": [
        {"arms": ["prior"], "teachers": ["shipped"], "weights": {"w0.15": 0.15, "late": [[0, 0.3], [0.9, 0]]}}
    ],
    "measurement": {
        "protocol": "osediff-512",
        "crop": 64,
        "lq_rule": "degradation:stablesr-x4",
        "metrics": ["psnr_y", "ssim_y"],
        "choice": ["demo-photos"],
        "report": ["demo-photos"],
        "chosen_by": ["ssim_y"],
    },
    "contrasts": [
        {"first": "full", "second": "prior", "equal": "distortion"},
        {"first": "prior+adversary", "second": "prior", "equal": "evaluations"},
        {"first": "prior+adversary", "second": "prior", "equal": "distortion", "curve": "blends"},
    ],
    "quick": {
        "arms": {},
        "training_seeds": [0],
        "contrasts": [{"first": "prior+adversary", "second": "prior", "equal": "evaluations"}],
    },
}


def written(folder: Path, **changes: Any) -> Path:
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump({**CONTENT, **changes}))
    return path


def test_the_shipped_plan_says_what_is_trained_and_tested() -> None:
    path = study_file("ssr-amg")
    assert is_planned(path)
    assert not is_planned(study_file("ssr-amg-sweep"))
    study = load_study(path)
    trained = [one for one in settings_of(study) if one.changes is not None and not one.weight]
    assert sum(len(seeds_of(study, one)) for one in trained) == 57
    assert {one.beta for one in trained if one.family == "full"} == {4e5, 4e6, 4e7}
    names = [point.name for one in settings_of(study) for point in points_of(study, one)]
    assert len(names) == len(set(names))
    assert {"lpips_alex", "dists", "ssim_y", "fsim", "lsd"} < set(study.measurement.metrics)
    assert not set(study.measurement.choice) & set(study.measurement.report)


def test_the_short_form_replaces_keys() -> None:
    quick = load_study(study_file("ssr-amg"), quick=True)
    assert "short form" in quick.title
    assert quick.training_seeds == (0,)
    with pytest.raises(SpecError, match="no short form"):
        load_study(study_file("ssr-amg-sweep"), quick=True)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"contrasts": [{"first": "none", "second": "prior", "equal": "distortion"}]}, "no family 'none'"),
        ({"arms": {"full": {"teacher": "nobody"}}}, "no teacher 'nobody'"),
        ({"tested_steps": [9]}, "tested_steps"),
        ({"guidance": [{"arms": ["prior"], "teachers": ["x"], "weights": {"w": [[1, 0], [0, 1]]}}]}, "sigma rising"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_bad_plan_is_named(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError, match=said):
        load_study(written(tmp_path, **change))


def test_guided_points_cost_what_they_ask(tmp_path: Path) -> None:
    study = load_study(written(tmp_path))
    costs = {point.name: point.evaluations for one in settings_of(study) for point in points_of(study, one)}
    assert costs["prior-2"] == 2
    assert costs["prior-blend0.5-3"] == 6
    assert costs["prior+shipped-w0.15-2"] == 4
    assert costs["prior+shipped-late-2"] == 3  # sigma 1 and 0.5: only the second asks


def test_a_point_of_the_curve_itself_differs_by_nothing(rng: np.random.Generator) -> None:
    curve = [(rng.normal(level, 1, 30), rng.normal(-level, 1, 30)) for level in (20.0, 25.0, 30.0)]
    result = at_equal_distortion(curve[1], curve)
    assert result is not None
    np.testing.assert_allclose(result[0], 0, atol=1e-12)
    low, high = (tuple(np.add(column, shift) for column in curve[1]) for shift in (-9, 9))
    assert at_equal_distortion(low, curve) is None  # type: ignore[arg-type]
    assert at_equal_distortion(high, curve) is None  # type: ignore[arg-type]


def test_a_gap_is_that_at_equal_distortion(rng: np.random.Generator) -> None:
    """On y = 2 x + (an offset of each photo) a point that lies 0.3 above has that difference for every photo."""
    photos = rng.normal(0, 3, 40)
    curve = [(photos + level, photos + 2 * level) for level in (20.0, 22.0, 26.0)]
    result = at_equal_distortion((photos + 23.0, photos + 46.3), curve)
    assert result is not None
    assert result[0].mean() == pytest.approx(0.3)
    assert result[1] == (1, 2, pytest.approx(0.25))


def test_the_smallest_difference_is_found_in_four_of_five_sets(rng: np.random.Generator) -> None:
    values = rng.normal(0, 2, 40)
    size = smallest_difference(values)
    sets = rng.normal(size, values.std(ddof=1), (4000, 40))
    power = float((stats.ttest_1samp(sets, 0, axis=1).pvalue < 0.05).mean())
    assert power == pytest.approx(0.8, abs=0.03)


def frame(values: dict[str, tuple[float, float]], seeds: int = 1) -> pd.DataFrame:
    """Scores of 12 photos: means of PSNR and SSIM by point, the same noise of photos for all."""
    photos = np.random.default_rng(0).normal(0, 0.01, 12)
    rows = [
        {
            "protocol": "p",
            "dataset": "demo-photos",
            "setting": point.rpartition("-")[0],
            "point": point,
            "method": f"{point}.seed{seed}",
            "training_seed": seed,
            "steps": 1,
            "evaluations": 1,
            "image": f"i{number:02d}",
            "seed": 0,
            "metric": metric,
            "value": mean + noise,
        }
        for point, means in values.items()
        for metric, mean in zip(("psnr_y", "ssim_y"), means, strict=True)
        for number, noise in enumerate(photos)
        for seed in range(seeds)
    ]
    return pd.DataFrame(rows)


def test_the_better_beta_is_chosen_and_tests_are_corrected_together(tmp_path: Path) -> None:
    study = load_study(written(tmp_path, contrasts=CONTENT["contrasts"][:1]))
    prior = {"prior-1": (24.0, 0.5), "prior-2": (22.0, 0.4), "prior-3": (21.0, 0.35)}
    arms = {"full-beta2e2-2": (22.0, 0.41), "full-beta4e7-2": (22.0, 0.43)}
    metrics = {id: get_metric(id) for id in ("psnr_y", "ssim_y")}
    scores = Scores(frame({**prior, **arms}), metrics)
    chosen = chosen_settings(study, settings_of(study), scores)
    assert chosen["full"].beta == 4e7
    (difference,) = contrasts(study, chosen, scores)
    assert difference.difference == pytest.approx(0.03)
    assert difference.second_point.startswith("prior-")
    assert difference.photos == 12
    assert difference.p_plan == pytest.approx(difference.p)


PRIOR_CURVE = {"prior-1": (24.0, 0.5), "prior-2": (22.0, 0.4), "prior-3": (21.0, 0.35)}
BLENDS = {"prior-blend0.5-3": (22.0, 0.41), "prior-blend1-3": (24.0, 0.52)}


def outcomes(study: Study, values: dict[str, tuple[float, float]]) -> dict[tuple[str, str, str], Difference]:
    scores = Scores(frame(values), {id: get_metric(id) for id in ("psnr_y", "ssim_y")})
    chosen = chosen_settings(study, settings_of(study), scores)
    return {
        (contrast.first, f"{contrast.equal} {contrast.curve}", contrast.metric): contrast
        for contrast in contrasts(study, chosen, scores)
    }


def test_what_is_not_made_is_listed_and_counts_in_the_correction(tmp_path: Path) -> None:
    study = load_study(written(tmp_path))
    guided = {"prior+shipped-w0.15-2": (21.5, 0.39)}
    whole = outcomes(study, {**PRIOR_CURVE, **BLENDS, **guided, "full-beta4e7-2": (22.0, 0.43)})
    part = outcomes(study, {**PRIOR_CURVE, **guided})
    assert set(whole) == set(part)
    assert {one.outcome for one in whole.values()} == {"tested"}
    at_blends, of_arm = (
        part["prior+adversary", "distortion blends", "ssim_y"],
        part["full", "distortion steps", "ssim_y"],
    )
    assert at_blends.outcome == of_arm.outcome == "not made"
    assert "prior-blend0.5-3" in at_blends.reason
    assert "full" in of_arm.reason
    assert np.isnan(of_arm.p_plan)
    made = part["prior+adversary", "evaluations steps", "ssim_y"]
    made_p = [one.p for one in part.values() if one.outcome == "tested"]
    assert made.p == min(made_p)
    assert made.p_plan == pytest.approx(min(1, made.p * len(part)))


def test_a_curve_with_gaps_is_used_between_its_neighbours_alone(tmp_path: Path) -> None:
    study = load_study(written(tmp_path, contrasts=CONTENT["contrasts"][:2]))
    at = ("full", "distortion steps", "ssim_y")
    between = {name: PRIOR_CURVE[name] for name in ("prior-1", "prior-2")} | {"full-beta4e7-2": (23.0, 0.43)}
    assert outcomes(study, between)[at].outcome == "tested"
    across = {name: PRIOR_CURVE[name] for name in ("prior-1", "prior-3")} | {"full-beta4e7-2": (23.0, 0.43)}
    assert outcomes(study, across)[at].reason == "not measured: prior-2"
    beyond = {**PRIOR_CURVE, "full-beta4e7-2": (20.0, 0.43)}
    assert outcomes(study, beyond)[at].outcome == "not reached"


def test_equal_evaluations_are_those_of_the_plan(tmp_path: Path) -> None:
    """The prior's point with the nearest cost is missing: another with another cost does not take its place."""
    study = load_study(written(tmp_path, contrasts=CONTENT["contrasts"][1:2]))
    values = {**PRIOR_CURVE, "prior+shipped-w0.15-2": (21.5, 0.39)}
    at = ("prior+adversary", "evaluations steps", "ssim_y")
    assert outcomes(study, values)[at].second_point == "prior-3"  # 4 evaluations against 3
    del values["prior-3"]
    assert outcomes(study, values)[at].reason == "not measured: prior-3"


def test_a_training_with_one_piece_of_work_done_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work that fails beside a training that is there leaves out itself alone; a training of which all fails is out."""
    study = load_study(
        written(
            tmp_path,
            training_seeds=[0],
            guidance=[{"arms": ["full"], "teachers": ["shipped"], "weights": {"w": 0.15}}],
            contrasts=CONTENT["contrasts"][:1],
        )
    )
    works = [
        planned_run.Work(one, 0, (Point(one, 2),), ("demo-photos",), (0,))
        for one in settings_of(study)
        if one.changes is not None
    ]

    def perform(study: Study, bench: planned_run.StudyOptions, work: planned_run.Work) -> str:
        if work.setting.weight or work.setting.beta == 200:
            raise RuntimeError("no memory")
        return ""

    monkeypatch.setattr(planned_run, "perform", perform)
    monkeypatch.setattr(planned_run, "ProcessPoolExecutor", lambda jobs, mp_context: ThreadPoolExecutor(jobs))
    message: list[str] = []
    undone = planned_run._do(study, planned_run.StudyOptions(tmp_path, jobs=2), works, None, message.append)
    assert len(undone.works) == 3  # both guided ones, and the arm of one beta
    assert undone.trainings == {"full-beta2e2, seed 0"}
    assert sum("no memory" in line for line in message) == 3
    late = planned_run._do(study, planned_run.StudyOptions(tmp_path, minutes=0), works, 0.0, message.append)
    assert late.trainings == {"full-beta2e2, seed 0", "full-beta4e7, seed 0"}


def test_images_have_the_noise_of_an_evaluation(rng: np.random.Generator) -> None:
    """The seeds that a method is given are those of ``restore_image``, however many images are restored at once."""
    import torch
    from asasr_bench.bench.execute.restore_image import restore_image

    class Noise:
        card = SimpleNamespace(id="noise")

        def restore(self, lq: torch.Tensor, scale: int, seeds: list[int]) -> torch.Tensor:
            given.extend(seeds)
            return torch.zeros(len(lq), 3, scale * lq.shape[-2], scale * lq.shape[-1])

    lq = rng.integers(0, 256, (3, 40, 40, 3), dtype=np.uint8)
    images = ImageSet("set", ("a", "b", "c"), lq, np.zeros((3, 160, 160, 3), np.uint8))
    given: list[int] = []
    restored(Noise(), images, 5, "cpu", 2)  # type: ignore[arg-type]
    of_study, given = given, []
    for one in lq:
        restore_image(Noise(), one, 4, 5, "cpu")  # type: ignore[arg-type]
    assert of_study == given


RESULTS = Path(__file__).parents[3] / "docs" / "studies" / "ssr-amg"


def test_the_committed_results_are_of_the_whole_plan() -> None:
    """Every planned test has one row, and the corrected p-values are Holm's over all of them, by his own rule."""
    study = load_study(study_file("ssr-amg"))
    table = pd.read_csv(RESULTS / "differences.csv", keep_default_na=False, na_values=[""])
    count = {"distortion": len(study.measurement.metrics) - 1, "evaluations": len(study.measurement.metrics)}
    planned = (
        len(study.measurement.report)
        * len(study.tested_steps)
        * sum(count[contrast.equal] for contrast in study.contrasts)
    )
    keys = ["first", "second", "equal", "curve", "dataset", "steps", "metric"]
    assert len(table) == planned == 294
    assert not table.duplicated(keys).any()
    made = table[table["outcome"] == "tested"].sort_values("p", kind="stable")
    assert made["p"].notna().all()
    assert table.loc[table["outcome"] != "tested", "reason"].notna().all()
    highest = 0.0
    for rank, (p, corrected) in enumerate(zip(made["p"], made["p_plan"], strict=True)):
        highest = min(1.0, max(highest, (planned - rank) * p))
        assert corrected == pytest.approx(highest, abs=1e-3)
    chosen = pd.read_csv(RESULTS / "chosen.csv")
    points = {name.rpartition("-")[0] for name in made["first_point"]}
    assert points <= set(chosen.loc[chosen["chosen"], "setting"])


def run(path: Path, out: Path, *more: str) -> str:
    arguments = ["ablate", str(path), "--device", "cpu", "--out", str(out), *more]
    return CliRunner().invoke(app, arguments, catch_exceptions=False).stdout


def test_a_study_without_trainings_from_plan_to_tables(tmp_path: Path) -> None:
    path, out = written(tmp_path), tmp_path / "out"
    result = run(path, out, "--quick")
    assert "0 preference trainings" in result
    assert "chosen: prior, prior+shipped-" in result
    table = pd.read_csv(out / "report" / "differences.csv")
    assert set(table["metric"]) == {"psnr_y", "ssim_y"}
    assert set(table["second_evaluations"]) <= {3, 4}
    before = {file.name: file.read_bytes() for file in (out / "report").iterdir()}
    assert {"differences.md", "points.csv", "directions.csv", "directions.png"} <= set(before)
    again = run(path, out, "--quick", "--no-train")
    assert "chosen: " not in again
    assert {file.name: file.read_bytes() for file in (out / "report").iterdir()} == before


@pytest.mark.slow
def test_arms_are_trained_in_several_processes(tmp_path: Path) -> None:
    from asasr_bench.datasets.images import write_png

    (tmp_path / "hq").mkdir()
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 255, (96, 96, 3), dtype=np.uint8)
        write_png(tmp_path / "hq" / f"{number}.png", pixels)
    settings = {
        "preference.steps": 1,
        "preference.batch": 2,
        "preference.workers": 0,
        "data.held_out": 0,
        "data.crop": 32,
        "data.margin": 16,
    }
    path = written(tmp_path, set=settings, training_seeds=[0])
    result = run(path, tmp_path / "out", "--jobs", "2", "--data", str(tmp_path / "hq"))
    assert "failed" not in result
    table = pd.read_csv(tmp_path / "out" / "report" / "differences.csv")
    assert "full" in set(table["first"])


def test_options_that_change_a_plan_are_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["ablate", str(written(tmp_path)), "--seed", "3"])
    assert result.exit_code == 2
    assert "planned" in result.output


def test_the_plan_is_a_record(tmp_path: Path) -> None:
    from asasr_bench.bench.train.study.spec import study_text

    study = load_study(written(tmp_path))
    assert Study.model_validate(yaml.safe_load(study_text(study))) == study
