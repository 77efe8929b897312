"""Ablations: arms and grids, shared stages, resuming, effects and distances with known answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from asasr_bench.asasr import precision
from asasr_bench.asasr.config import load_config
from asasr_bench.asasr.training.stages import Place
from asasr_bench.bench.cli.main import app
from asasr_bench.bench.metrics.shipped import shipped_metrics
from asasr_bench.bench.spec import SpecError
from asasr_bench.bench.store.store import open_store
from asasr_bench.bench.train.ablation.arms import MissingArmError, arm_config
from asasr_bench.bench.train.ablation.effects import factor_effects
from asasr_bench.bench.train.ablation.spec import (
    AblationSpec,
    Arm,
    arms_of,
    chosen,
    evaluation_spec,
    load_ablation,
    shipped_studies,
    study_file,
)
from asasr_bench.bench.train.ablation.study import run_ablation
from asasr_bench.bench.train.ablation.tradeoff import gaps
from asasr_bench.bench.train.stages import run_stage
from asasr_bench.bench.train.study.spec import is_planned
from asasr_bench.datasets.images import write_png
from asasr_bench.methods.registry import resolve
from asasr_bench.reports.ablation import effects_markdown, gaps_markdown
from safetensors.torch import load_file, save_file
from tiny_training import SMALL, STAGE
from typer.testing import CliRunner

CONFIG = {
    "name": "tiny",
    "model": SMALL,
    "data": {"degradation": "seesr-x4", "crop": 16, "held_out": 0},
    "prior": {**STAGE, "what": "network"},
    "adversary": {**STAGE, "methods": ["bicubic"], "share": 1.0},
    "preference": {**STAGE, "beta": 10, "negatives": [{"kind": "lq"}]},
    "sampling": {"steps": 2, "colour_fix": "none", "tile": 64, "overlap": 8},
}
STUDY = {
    "name": "study",
    "config": "tiny.yaml",
    "data": ["hq"],
    "arms": {
        "prior": None,
        "plain": {"preference.sobolev": {"s": 0}},
        "ssr": {},
        "amg": {"preference.sobolev": {"s": 0}, "preference.negatives": [{"kind": "adversary"}]},
        "full": {"preference.negatives": [{"kind": "adversary"}]},
    },
    "steps": [1, 2],
    "interaction": {"factors": ["SSR", "AMG"], "neither": "plain", "first": "ssr", "second": "amg", "both": "full"},
    "evaluation": {
        "protocol": "asasr",
        "datasets": [{"name": "D", "hr": "test"}],
        "metrics": ["psnr_y", "lsd", "hf_ratio"],
        "methods": ["bicubic"],
    },
}


@pytest.fixture
def study(tmp_path: Path, photo: np.ndarray) -> Path:
    """A study on tiny images; the folder also holds its configuration."""
    for number in range(3):
        write_png(tmp_path / "hq" / f"train{number}.png", np.ascontiguousarray(photo[40 * number :][:96, :96]))
        write_png(tmp_path / "test" / f"test{number}.png", np.ascontiguousarray(photo[40 * number :][:48, 160:208]))
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(CONFIG))
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(STUDY, sort_keys=False))
    return tmp_path / "study.yaml"


def test_a_study_trains_each_stage_once_measures_and_reports(study: Path, tmp_path: Path) -> None:
    """Through the command line, in this process: torch is loaded once."""

    def ablate(*more: str) -> str:
        arguments = ["ablate", str(study), "--out", str(tmp_path / "out"), "--device", "cpu", *more]
        result = CliRunner().invoke(app, arguments, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    with pytest.raises(MissingArmError, match=r"prior is not trained .* run without --no-train"):
        ablate("--no-train")
    part = ablate("--arm", "prior", "--arm", "plain")
    assert [line for line in part.splitlines() if line.startswith("training: ")] == [
        "training: prior",
        "training: arm plain, seed 0",
    ]
    assert set(pd.read_csv(tmp_path / "out" / "report" / "gaps.csv")["arm"]) == {"plain"}
    assert not (tmp_path / "out" / "report" / "effects.md").exists()  # without all four arms there are none
    message = [line.removeprefix("training: ") for line in ablate().splitlines() if line.startswith("training: ")]
    assert message == ["arm ssr, seed 0", "adversary", "arm amg, seed 0", "arm full, seed 0"]
    with open_store(tmp_path / "out" / "store") as store:
        scores = store.scores()
    arms = ("prior", "plain", "ssr", "amg", "full")
    assert set(scores["method"]) == {"bicubic", *(f"{arm}-{steps}" for arm in arms for steps in (1, 2))}
    assert (scores["status"] == "done").all()
    report = tmp_path / "out" / "report"
    names = {path.name for path in report.iterdir()}
    assert {
        "leaderboard.html",
        "leaderboard.tex",
        "effects.md",
        "effects.csv",
        "gaps.md",
        "bars-D-asasr.pdf",
        "curves-D-asasr.png",
    } <= names
    effects = pd.read_csv(report / "effects.csv", keep_default_na=False)
    assert set(effects["factor"]) == {"SSR", "AMG", "SSR x AMG"}
    assert set(effects["setting"]) == {"1 steps", "2 steps"}
    assert len(effects) == 3 * 2 * 3

    before = {path: path.read_bytes() for path in report.iterdir()}
    again = ablate("--no-train")
    assert "training" not in again
    assert "0 cells measured" in again
    assert all(f" {name} " in again for name in ("bicubic", "prior-1", "full-2")), "the table of the arms"
    effects_told = [line for line in again.splitlines() if "SSR" in line and "│" in line]
    assert effects_told, "effects are told once all four arms are there"
    tables = [path for path in before if path.suffix in (".pdf", ".png") or path.name.startswith(("effects", "gaps"))]
    assert [path.name for path in tables if path.read_bytes() != before[path]] == []

    more = {**STUDY, "arms": {**STUDY["arms"], "wide": {"preference.beta": 20}}}  # type: ignore[dict-item]
    study.write_text(yaml.safe_dump(more, sort_keys=False))
    assert [line for line in ablate().splitlines() if line.startswith("training: ")] == ["training: arm wide, seed 0"]

    # Another study on what this one trained, measured on the photo that is held out.
    (prior,), (adversary,) = (list((tmp_path / "out" / name).iterdir()) for name in ("priors", "adversaries"))
    given = {"prior": f"asasr:{prior}", "adversary": f"out/adversaries/{adversary.name}/adv.safetensors"}
    kept = {**STUDY["evaluation"], "datasets": ["held-out"]}  # type: ignore[dict-item]
    arms = {"prior": None, "full": {"preference.negatives": [{"kind": "adversary"}]}}
    second = {
        **given,
        "name": "second",
        "config": "tiny.yaml",
        "data": ["hq"],
        "set": {"data.held_out": 1},
        "arms": arms,
        "evaluation": kept,
    }
    study.write_text(yaml.safe_dump(second, sort_keys=False))
    message = ablate("--out", str(tmp_path / "second"), "--seed", "3").splitlines()
    assert [line for line in message if line.startswith("training: ")] == ["training: arm full, seed 0"]
    with open_store(tmp_path / "second" / "store") as store:
        assert set(store.scores()["dataset"]) == {"held-out"}
        assert len(set(store.scores()["image"])) == 1
        assert set(store.scores().query("method != 'bicubic'")["seed"]) == {3}

    # What it stands on is known by its content: elsewhere it is the same, and other weights are not.
    moved = prior.rename(tmp_path / "moved")
    second |= {"prior": f"asasr:{moved}", "set": {"data.held_out": 1, "preference.log_every": 7}}
    study.write_text(yaml.safe_dump(second, sort_keys=False))
    assert "0 cells measured" in ablate("--out", str(tmp_path / "second"), "--seed", "3", "--no-train")
    ablate("--out", str(tmp_path / "second"), "--seed", "4", "--no-train")
    weights = moved / "network.safetensors"
    save_file({name: tensor + 1 for name, tensor in load_file(weights).items()}, weights)
    with pytest.raises(MissingArmError, match="arm full, seed 0 is not trained"):
        ablate("--out", str(tmp_path / "second"), "--no-train")

    # An arm without the adversary does not ask which one is given.
    second["arms"] = {"prior": None, "ssr": {}}
    study.write_text(yaml.safe_dump(second, sort_keys=False))
    recorded: list[tuple[str, int, int]] = []
    run_ablation(
        load_ablation(study), tmp_path / "second", tmp_path, device="cpu", progress=lambda *step: recorded.append(step)
    )
    assert [step for step in recorded if step[0].startswith("arm")] == [("arm ssr, seed 0", n, 2) for n in (1, 2)]
    file = tmp_path / "out" / "adversaries" / adversary.name / "adv.safetensors"
    save_file({name: tensor + 1 for name, tensor in load_file(file).items()}, file)
    assert "training" not in ablate("--out", str(tmp_path / "second"))


def spec(**changes: object) -> AblationSpec:
    return AblationSpec.model_validate({"name": "t", "config": "small", "evaluation": {}, **changes})


def test_arms_come_from_the_study_its_grid_or_the_configuration() -> None:
    named = spec(arms={"prior": None, "trained": "asasr:small-prior", "full": "full", "own": {"preference.beta": 5}})
    assert arms_of(named, ["full"]) == [
        Arm("prior", None),
        Arm("trained", reference="asasr:small-prior"),
        Arm("full", config_arm="full"),
        Arm("own", {"preference.beta": 5}),
    ]
    grid = arms_of(spec(grid={"preference.sobolev.s": [0, 1.5], "preference.beta": [10]}), [])
    assert [arm.name for arm in grid] == ["s-0_beta-10", "s-1.5_beta-10"]
    assert grid[1].changes == {"preference.sobolev.s": 1.5, "preference.beta": 10}
    assert arms_of(spec(), ["a", "b"]) == [Arm("a", config_arm="a"), Arm("b", config_arm="b")]
    assert chosen(grid, ["s-0_beta-10"], "t") == grid[:1]
    assert chosen(grid, [], "t") == grid
    with pytest.raises(SpecError, match=r"t: no arm 's-2' \(arms: s-0_beta-10, s-1.5_beta-10\)"):
        chosen(grid, ["s-2"], "t")
    with pytest.raises(SpecError, match="two arms are called 's-1'"):
        arms_of(spec(arms={"s-1": {}}, grid={"x.s": [1]}), [])


def test_shipped_studies_are_sound(tmp_path: Path) -> None:
    for name in shipped_studies():
        if is_planned(study_file(name)):
            continue  # see test_planned
        study = load_ablation(name, [tmp_path])
        config = load_config(study.config)
        arms = arms_of(study, list(config.arms))
        assert study.interaction is None or set(study.interaction.arms) <= {arm.name for arm in arms}
        for arm in arms:
            if arm.reference is not None:
                assert resolve(arm.reference).card.parameters
            else:
                assert arm_config(study, arm, 0).data.hq == (str(tmp_path),)
        assert load_ablation(name, evaluation={"datasets": ["A=b"]}).evaluation["datasets"] == ["A=b"]
    names = ", ".join(shipped_studies())
    assert names == "ssr-amg, ssr-amg-shipped, ssr-amg-sweep, ssr-amg-training"
    with pytest.raises(SpecError, match=rf"no ablation 'none': neither a file nor shipped \({names}\)"):
        load_ablation("none")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"arm": {}}, "'arm': unknown key; did you mean 'arms'"),
        ({"interaction": {**STUDY["interaction"], "both": "ful"}}, "no arm 'ful'"),  # type: ignore[dict-item]
        ({"evaluation": {"protocol": "asasr", "metric": ["psnr_y"]}}, "'metric': unknown key; did you mean 'metrics'"),
        ({"grid": {"preference.beta": []}}, "grid"),
    ],
)
def test_a_bad_study_is_named(study: Path, change: dict[str, object], said: str) -> None:
    study.write_text(yaml.safe_dump({**STUDY, **change}))
    with pytest.raises(SpecError, match=said):
        load_ablation(study)


def test_options_replace_keys_of_the_evaluation(study: Path) -> None:
    assert evaluation_spec(load_ablation(study, evaluation={"workers": 3, "seeds": [5]}), []).workers == 3
    with pytest.raises(SpecError, match=r"workers.*greater than or equal to 1"):
        CliRunner().invoke(app, ["ablate", str(study), "--workers", "0"], catch_exceptions=False)


def frame(values: dict[str, np.ndarray], metric: str) -> pd.DataFrame:
    rows = [
        ("asasr", "D", f"i{number:02}", method, 0, metric, value)
        for method, column in values.items()
        for number, value in enumerate(column)
    ]
    return pd.DataFrame(rows, columns=["protocol", "dataset", "image", "method", "seed", "metric", "value"])


def test_effects_and_interaction_are_those_that_were_put_in(rng: np.random.Generator) -> None:
    images = rng.normal(25, 3, 40)
    noise = {name: rng.normal(0, 0.05, 40) for name in ("plain", "ssr", "amg", "full")}
    put = {"plain": 0.0, "ssr": 0.5, "amg": -0.2, "full": 0.8}  # interaction: 0.8 - 0.5 + 0.2 = 0.5
    values = {name: images + put[name] + noise[name] for name in put}
    arms = {"": [["plain"], ["ssr"], ["amg"], ["full"]]}
    result = factor_effects(frame(values, "psnr_y"), shipped_metrics(), ("SSR", "AMG"), arms)
    effects = {effect.factor: effect for effect in result}
    assert effects["SSR"].difference == pytest.approx((0.5 + 1.0) / 2, abs=0.03)
    assert effects["AMG"].difference == pytest.approx((-0.2 + 0.3) / 2, abs=0.03)
    assert effects["SSR x AMG"].difference == pytest.approx(0.5, abs=0.05)
    assert effects["SSR x AMG"].low < 0.5 < effects["SSR x AMG"].high
    assert effects["SSR"].p < 0.001
    text = effects_markdown(result, {"psnr_y": 2})
    assert "| SSR x AMG | 40 | **+0." in text


def test_without_effect_the_test_says_so(rng: np.random.Generator) -> None:
    arms = {"": [["a"], ["b"], ["c"], ["d"]]}
    wrong = 0
    for _ in range(40):
        values = {name: rng.normal(25, 1, 20) for name in "abcd"}
        result = factor_effects(frame(values, "psnr_y"), shipped_metrics(), ("A", "B"), arms)
        wrong += any(effect.p < 0.05 for effect in result)
    assert wrong <= 6  # Holm keeps it at 5 % of the tables: 2 expected


def test_training_seeds_are_averaged_and_size_counts_for_metrics_best_at_zero() -> None:
    ones = np.ones(10)
    values = {"a": -0.5 * ones, "b": 0.5 * ones, "c.seed0": -0.1 * ones, "c.seed1": 0.3 * ones, "d": 0 * ones}
    arms = {"": [["a"], ["b"], ["c.seed0", "c.seed1"], ["d"]]}
    effects = factor_effects(frame(values, "hf_ratio"), shipped_metrics(), ("A", "B"), arms)
    assert {effect.factor: round(effect.difference, 12) for effect in effects} == {
        "A": -0.1,
        "B": -0.4,
        "A x B": -0.2,
    }


def test_a_curve_above_another_is_that_much_worse_at_equal_distortion(rng: np.random.Generator) -> None:
    images = rng.normal(0, 0.5, 30)
    psnr, lsd = {}, {}
    for arm, shift in (("prior", 0.0), ("better", -0.4), ("far", 0.0)):
        for steps, x in ((4, 24.0), (8, 23.0), (16, 22.0)):
            x = x - 10 if arm == "far" else x
            psnr[f"{arm}-{steps}"] = x + images
            lsd[f"{arm}-{steps}"] = 3 + 0.5 * (x - 22) + shift + images / 10
    scores = pd.concat([frame(psnr, "psnr_y"), frame(lsd, "lsd")])
    curves = {arm: [f"{arm}-{steps}" for steps in (4, 8, 16)] for arm in ("prior", "better", "far")}
    metrics = shipped_metrics()
    better, far = gaps(scores, curves, "prior", metrics["psnr_y"], [metrics["lsd"]])
    assert better.gap == pytest.approx(-0.4, abs=1e-9)
    assert better.low <= -0.4 + 1e-9 <= better.high + 2e-9
    assert better.overlap == pytest.approx(1)
    assert (far.overlap, np.isnan(far.gap)) == (0.0, True)
    text = gaps_markdown([better, far], {"lsd": 2})
    assert "| 100 % | **-0.400** |" in text
    assert "no overlap" in text


def test_stages_of_one_process_have_their_own_precision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In bfloat16 where the device has it, in float32 where it would only imitate it."""
    recorded = []

    def look(place: Place) -> Path:
        recorded.append(place.accelerator.mixed_precision)
        return tmp_path

    for native in (False, True):
        monkeypatch.setattr(precision, "has_bfloat16", lambda device, native=native: native)
        run_stage(look, load_config("small"), "prior", tmp_path, "cpu")
    run_stage(look, load_config("small", {"prior.precision": "no"}), "prior", tmp_path, "cpu")
    assert recorded == ["no", "bf16", "no"]
