"""The log: means of what came, by noise level too, in a table that can become wider."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from asasr_bench.asasr.config import AsasrConfig, load_config
from asasr_bench.asasr.negatives import Negative, make_loser
from asasr_bench.asasr.training.batches import Batch
from asasr_bench.asasr.training.log import Log, Part, by_noise_level
from asasr_bench.asasr.training.preference import PreferenceTask, cosine, riesz_step
from asasr_bench.asasr.training.settings import StageSettings, TrainingSettings
from asasr_bench.asasr.training.stages import preference_of

SETTINGS = TrainingSettings(steps=9, learning_rate=1.0, log_every=2)


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "log.csv").open() as file:
        return list(csv.DictReader(file))


def open_log(folder: Path, start: int = 0, unlogged: Any = None) -> Log:
    return Log(folder, start, unlogged or {}, SETTINGS, Accelerator(cpu=True))


def test_values_by_noise_level() -> None:
    """Sums and counts over quarters of [0, 1]; 1 belongs to the last."""
    sigma = torch.tensor([0.0, 0.24, 0.25, 0.76, 1.0])
    parts = by_noise_level("loss", torch.tensor([1.0, 2.0, 4.0, 8.0, 16.0]), sigma)
    assert {name: (float(part.total), float(part.count)) for name, part in parts.items()} == {
        "loss_sigma_1": (3.0, 2.0), "loss_sigma_2": (4.0, 1.0), "loss_sigma_3": (0.0, 0.0), "loss_sigma_4": (24.0, 2.0)
    }  # fmt: skip


def test_a_mean_of_parts_is_over_what_came_into_them(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.add({"loss": 1.0, "part": Part(3.0, 2.0), "none": Part(0.0, 0.0)})
    log.step(1, 0.5)
    log.add({"loss": 2.0, "part": Part(9.0, 1.0), "none": Part(0.0, 0.0)})
    log.step(2, 0.5)
    log.add({"loss": 4.0, "part": Part(1.0, 1.0), "none": Part(0.0, 0.0)})
    log.step(3, 0.5)
    again = open_log(tmp_path, 3, log.unlogged())  # as a state has it
    again.add({"loss": 6.0, "part": Part(5.0, 2.0), "none": Part(7.0, 1.0)})
    again.step(4, 0.5, {"validation_loss": 3.0})
    again.step(5, 0.5, {"validation_loss": 2.0})
    rows = table(tmp_path)
    assert [row["step"] for row in rows] == ["1", "2", "4", "5"]
    assert [row["loss"] for row in rows] == ["1", "2", "5", ""]
    assert [row["part"] for row in rows] == ["1.5", "9", "2", ""]
    assert [row["none"] for row in rows] == ["", "", "7", ""]
    assert [row["validation_loss"] for row in rows] == ["", "", "3", "2"]  # a column that came later


def test_states_of_earlier_releases_go_on(tmp_path: Path) -> None:
    """What was not logged yet were plain numbers, and settings had fewer keys."""
    log = open_log(tmp_path, 3, {"loss": [4.0]})
    log.add({"loss": 6.0})
    assert log.step(4, 0.5)["loss"] == 5.0
    settings = StageSettings(steps=9, learning_rate=1.0)
    stored = settings.model_dump(mode="json")
    assert not {"optimizer", "validate_every", "keep"} & set(stored)
    assert settings.differences(stored) == []
    validated = StageSettings(steps=9, learning_rate=1.0, validate_every=5, keep=3)
    assert validated.differences(stored) == []  # may change as it goes
    assert StageSettings(steps=9, learning_rate=1.0, optimizer="adamw8bit").differences(stored) == ["optimizer"]
    assert settings.differences(StageSettings(steps=9, learning_rate=1.0, optimizer="adamw8bit").model_dump()) == [
        "optimizer"
    ]
    assert settings.determining().keys() == StageSettings(steps=9, learning_rate=1.0, keep=4).determining().keys()


def test_the_adversarys_agreement_is_logged() -> None:
    """In validations, and in training where it is asked for: the cosine of the function that computes it alone."""
    from asasr_bench.asasr.models import build_model

    network = load_config("small").model.network | {"block_out_channels": [16, 16, 16], "norm_num_groups": 8}
    content = {
        "name": "x", "model": {"family": "small", "rank": 4, "alpha": 4, "network": network},
        "preference": {"steps": 1, "learning_rate": 1.0, "beta": 1, "sobolev": {"s": 0.75},
                       "negatives": [{"kind": "lq"}, {"kind": "adversary", "trust": 0.5}]},
    }  # fmt: skip
    for agreement in (False, True):
        content["preference"]["agreement"] = agreement
        config = AsasrConfig.model_validate(content)
        model = build_model(config.model)
        model.new_adapter("adv")
        model.new_adapter("dpo")
        for parameter in model.adapters.parameters("adv"):
            torch.nn.init.normal_(parameter, std=0.1, generator=torch.Generator().manual_seed(1))
        assert config.preference is not None
        task = PreferenceTask(
            model.backbone, model.codec, model.adapters, preference_of(config.preference), 1.0
        )  # fmt: skip
        generator = torch.Generator().manual_seed(0)
        batch = Batch(torch.rand(2, 3, 32, 32, generator=generator), torch.rand(2, 3, 8, 8, generator=generator), 5)
        _, logs = task.loss("policy", {"policy": model.backbone}, batch)
        assert ("riesz_cosine_adversary_2" in logs) == agreement
        pairing = task._pair(batch)
        loser = make_loser(Negative("adversary"), pairing)
        expected = cosine(loser.clean - pairing.winner, riesz_step(pairing), pairing.operator).mean()
        told = task.examine(batch)["riesz_cosine_adversary_2"]
        assert float(told) == pytest.approx(float(expected), rel=1e-4, abs=1e-6)
        assert 0 < abs(float(told)) < 1
        assert math.isfinite(float(logs["distance_adversary_2"]))
