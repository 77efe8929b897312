"""Validation while a network trains: what it measures, keeps and writes, and that it changes nothing."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_training
import torch
from asasr_bench.asasr.config import AsasrConfig, load_config
from asasr_bench.asasr.errors import TrainingConfigError
from asasr_bench.asasr.models import build_model
from asasr_bench.asasr.training.sources import held_out_images
from asasr_bench.asasr.training.stages import Place, train_preference, train_prior
from asasr_bench.bench.train.stages import validation_metrics
from asasr_bench.datasets.images import read_image
from asasr_bench.methods.registry import resolve
from safetensors.torch import load_file
from tiny_training import SMALL, STAGE, data_section


def configuration(hq: Path, **stage: Any) -> AsasrConfig:
    settings = {**STAGE, "steps": 6, "log_every": 4, "validate_every": 2, "validate_images": 2, **stage}
    return AsasrConfig.model_validate({
        "name": "tiny",
        "model": SMALL,
        "data": data_section(hq, crop=64, held_out=2),
        "prior": {**settings, "what": "network"},
        "preference": {
            **settings, "beta": 50,
            "negatives": [{"kind": "lq", "epsilon": 1}, {"kind": "gradient", "radius": 0.001}],
        },
        "sampling": {"steps": 2, "colour_fix": "none"},
    })  # fmt: skip


def place(folder: Path, tell: Any = None) -> Place:
    return tiny_training.place(folder, tell, validation_metrics("cpu"))


def log(folder: Path) -> list[dict[str, str]]:
    with (folder / "log.csv").open() as file:
        return list(csv.DictReader(file))


class _Killed(BaseException):
    pass


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_validation_changes_nothing_and_survives_stops(ema: float, hq: Path, tmp_path: Path) -> None:
    """Weights are those of a training without it; cut twice and made longer, log and images are those of the whole."""
    train_prior(configuration(hq, ema=ema), place(tmp_path / "whole" / "prior"))
    train_prior(configuration(hq, ema=ema, validate_every=0), place(tmp_path / "plain" / "prior"))

    def stop_at(step: int):
        def tell(now: int, steps: int, means: dict[str, float]) -> None:
            if now == step:
                raise _Killed

        return tell

    for step in (2, 3):
        with pytest.raises(_Killed):
            train_prior(configuration(hq, ema=ema, steps=4), place(tmp_path / "cut" / "prior", stop_at(step)))
    for steps in (4, 6):
        train_prior(configuration(hq, ema=ema, steps=steps), place(tmp_path / "cut" / "prior"))
    folders = [tmp_path / name / "prior" for name in ("whole", "plain", "cut")]
    weights = [load_file(folder / "network.safetensors") for folder in folders]
    assert all(torch.equal(weights[0][name], one[name]) for one in weights[1:] for name in weights[0])
    assert log(folders[2]) == log(folders[0])
    pngs = sorted(path.name for path in (folders[0] / "validation").iterdir())
    assert pngs == ["00000002.png", "00000004.png", "00000006.png"]
    for name in pngs:
        assert (folders[0] / "validation" / name).read_bytes() == (folders[2] / "validation" / name).read_bytes()
    assert sorted(path.name for path in (folders[0] / "kept").iterdir()) == sorted(
        path.name for path in (folders[2] / "kept").iterdir()
    )


def test_rows_of_the_log_have_what_was_validated(hq: Path, tmp_path: Path) -> None:
    train_prior(configuration(hq), place(tmp_path / "prior"))
    rows = log(tmp_path / "prior")
    assert [row["step"] for row in rows] == ["1", "2", "4", "6"]
    assert [bool(row["loss"]) for row in rows] == [True, False, True, True]
    assert [bool(row["validation_loss"]) for row in rows] == [False, True, True, True]
    for name in ("validation_psnr_y", "validation_ssim_y", "validation_lpips"):
        assert all(math.isfinite(float(row[name])) for row in rows[1:]), name
    levels = [rows[2][f"loss_sigma_{number}"] for number in range(1, 5)]
    assert any(levels)  # of two crops a step, not every level has some
    picture = read_image(tmp_path / "prior" / "validation" / "00000006.png")
    assert picture.shape == (2 * 64, 3 * 64, 3)


def test_values_are_those_of_the_model_that_is_kept(hq: Path, tmp_path: Path) -> None:
    """The best of all validations is kept, as a model that restores the same images to the same values."""
    train_prior(configuration(hq, best="psnr_y", ema=0.5), place(tmp_path / "prior"))
    rows = [row for row in log(tmp_path / "prior") if row["validation_psnr_y"]]
    best = max(rows, key=lambda row: float(row["validation_psnr_y"]))
    (folder,) = (tmp_path / "prior" / "kept").glob("best-*")
    assert folder.name == f"best-{int(best['step']):08d}"
    told = json.loads((folder / "validation.json").read_text())
    assert told["psnr_y"] == pytest.approx(float(best["validation_psnr_y"]), rel=1e-5)
    entry = resolve(f"asasr:{folder}")
    method = entry.load("cpu")
    measure = validation_metrics("cpu")["psnr_y"]
    values = []
    for image in held_out_images(configuration(hq).data, 2):
        sr = method.restore(image.lq[None], 4, [0])[0]
        pixels = [(one * 255).round().clamp(0, 255).byte().movedim(0, -1).numpy() for one in (sr, image.hq)]
        values.append(measure(*pixels))
    assert np.mean(values) == pytest.approx(told["psnr_y"], rel=1e-5)


def test_the_last_adapters_are_kept_where_they_can_be_used(hq: Path, tmp_path: Path) -> None:
    """In diffusers' layout, with paths that hold when the whole training is moved."""
    config = configuration(hq, keep=2)
    prior = train_prior(configuration(hq, keep=0), place(tmp_path / "run" / "prior"))
    assert not (prior.parent / "kept").exists()
    model = config.model.model_copy(update={"weights": load_config(prior).model.weights})
    train_preference(config.model_copy(update={"model": model}), place(tmp_path / "run" / "preference"))
    rows = log(tmp_path / "run" / "preference")
    assert {"validation_energy_winner", "validation_margin_lq_1_sigma_4", "distance_gradient_2", "bounded_lq_1"} <= set(
        rows[0]
    )
    assert 0 < float(rows[-1]["distance_lq_1"]) <= 1 + 1e-6
    kept = tmp_path / "run" / "preference" / "kept"
    assert sorted(path.name for path in kept.glob("step-*")) == ["step-00000005", "step-00000006"]
    (tmp_path / "run").rename(tmp_path / "moved")
    folder = tmp_path / "moved" / "preference" / "kept" / "step-00000006"
    assert all(name.startswith("unet.") for name in load_file(folder / "dpo.safetensors"))
    loaded = build_model(load_config(folder / "model.yaml").model)
    assert loaded.adapters.roles == ("dpo",)
    final = load_file(tmp_path / "moved" / "preference" / "dpo.safetensors")
    assert all(torch.equal(final[name], one) for name, one in load_file(folder / "dpo.safetensors").items())


def test_there_must_be_something_to_validate_on(hq: Path, tmp_path: Path) -> None:
    config = configuration(hq)
    data = config.data.model_copy(update={"held_out": 0})
    with pytest.raises(TrainingConfigError, match=r"set data\.held_out"):
        train_prior(config.model_copy(update={"data": data}), place(tmp_path))


def test_eight_bits_of_moments(hq: Path, tmp_path: Path) -> None:
    """Where bitsandbytes is, a stopped training ends as an undisturbed one; elsewhere the way to get it is told."""
    pytest.importorskip("bitsandbytes", reason="bitsandbytes is not installed")
    config = configuration(hq, optimizer="adamw8bit", validate_every=0, steps=4)
    train_prior(config, place(tmp_path / "whole"))
    for steps in (2, 4):
        train_prior(configuration(hq, optimizer="adamw8bit", validate_every=0, steps=steps), place(tmp_path / "cut"))
    whole, cut = (load_file(tmp_path / name / "network.safetensors") for name in ("whole", "cut"))
    assert all(torch.equal(whole[name], cut[name]) for name in whole)


def test_a_missing_optimiser_is_told(hq: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "bitsandbytes.optim", None)
    with pytest.raises(Exception, match="'adamw8bit' needs bitsandbytes; pip install bitsandbytes"):
        train_prior(configuration(hq, optimizer="adamw8bit"), place(tmp_path))
