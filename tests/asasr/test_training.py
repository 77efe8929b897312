"""Training: every family end to end, exact resume, what stops it and what it says."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from accelerate import Accelerator
from asasr_bench.asasr.backbones.codec import VaeCodec
from asasr_bench.asasr.errors import TrainingConfigError, TrainingError
from asasr_bench.asasr.models import build_model
from asasr_bench.asasr.training.sources import training_pairs
from asasr_bench.asasr.training.stages import (
    Place,
    train_adversary,
    train_preference,
    train_prior,
)
from asasr_bench.bench.cli.main import app
from asasr_bench.datasets.images import read_image, write_png
from asasr_bench.methods.registry import resolve_and_load
from safetensors.torch import load_file
from tiny_networks import FAMILIES
from tiny_training import configuration, place
from typer.testing import CliRunner


def test_a_local_source_is_found_from_everywhere(hq: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that was trained on a network named relative to one working folder is restored from another."""
    base = build_model(configuration("sd15", hq).model)
    assert isinstance(base.codec, VaeCodec)
    base.backbone.network.save_pretrained(tmp_path / "models" / "base" / "unet")
    base.codec.vae.save_pretrained(tmp_path / "models" / "base" / "vae")
    monkeypatch.chdir(tmp_path)
    own = {"family": "sd15", "source": "models/base", "rank": 4, "alpha": 4}
    config = configuration("sd15", hq)
    config = config.model_copy(update={"model": config.model.model_validate(own)})
    train_prior(config, place(Path("runs/x/prior")))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    method = resolve_and_load("asasr:../runs/x/prior")
    assert method.restore(torch.rand(1, 3, 16, 16), 4, [0]).shape == (1, 3, 64, 64)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_trains_and_samples(
    family: str, hq: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prior, adversary, preference and restoring through the command line, from random weights.

    The folder is named relative to the working one, and the whole of it can be moved.
    """
    monkeypatch.chdir(tmp_path)

    def command(*arguments: object) -> str:
        result = CliRunner().invoke(app, [*map(str, arguments), "--device", "cpu"], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump(configuration(family, hq).model_dump(mode="json")))
    for stage in ("prior", "adversary", "preference"):
        assert "trained:" in command("train", stage, file, "--out", "run")
    log = (tmp_path / "run" / "preference" / "log.csv").read_text().splitlines()
    assert len(log) == 3
    assert {"energy_winner", "accuracy_lq_1", "margin_adversary_2", "spectrum_gradient_3"} <= set(log[0].split(","))
    command("train", "preference", file, "--out", "run")  # finished: nothing is done
    assert (tmp_path / "run" / "preference" / "log.csv").read_text().splitlines() == log
    write_png(tmp_path / "lq.png", np.full((18, 21, 3), 90, np.uint8))
    (tmp_path / "run").rename(tmp_path / "moved")
    command("restore", "asasr:moved/preference", tmp_path / "lq.png", tmp_path / "sr.png")
    assert read_image(tmp_path / "sr.png").shape == (72, 84, 3)


class _Killed(BaseException):
    pass


@pytest.mark.parametrize("stage", ["prior", "preference"])
def test_a_killed_training_ends_as_an_undisturbed_one(
    stage: str, hq: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bit for bit, after a stop in the middle of a step, and another while a state is being written."""
    changes = {f"{stage}__steps": 6, f"{stage}__accumulation": 2, f"{stage}__save_minutes": 0, f"{stage}__ema": 0.9}
    config = configuration("small", hq, preference__negatives=[{"kind": "lq"}, {"kind": "policy"}], **changes)
    if stage == "prior":
        config = config.model_copy(
            update={"prior": config.prior.model_copy(update={k.partition("__")[2]: v for k, v in changes.items()})}
        )
    train = train_prior if stage == "prior" else train_preference
    train(config, place(tmp_path / "whole"))

    def stop_at(step: int):
        def tell(now: int, steps: int, means: dict[str, float]) -> None:
            if now == step:
                raise _Killed

        return tell

    with pytest.raises(_Killed):
        train(config, Place(tmp_path / "cut", Accelerator(cpu=True), stop_at(3)))
    (tmp_path / "cut" / ".state-00000004.tmp").mkdir()
    (tmp_path / "cut" / ".state-00000004.tmp" / "half").write_text("")
    with pytest.raises(_Killed):
        train(config, Place(tmp_path / "cut", Accelerator(cpu=True), stop_at(5)))
    train(config, place(tmp_path / "cut"))
    name = "network.safetensors" if stage == "prior" else "dpo.safetensors"
    whole, cut = load_file(tmp_path / "whole" / name), load_file(tmp_path / "cut" / name)
    assert whole.keys() == cut.keys()
    assert all(torch.equal(whole[key], cut[key]) for key in whole)
    assert (tmp_path / "whole" / "log.csv").read_text() == (tmp_path / "cut" / "log.csv").read_text()


def test_a_moving_average_goes_on_where_the_network_is(
    hq: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A state is read onto the CPU, and the average must follow the network to its device."""
    from diffusers.training_utils import EMAModel

    calls: list[str] = []

    def noted(name: str):
        own = getattr(EMAModel, name)

        def method(self, *args):
            calls.append(name)
            return own(self, *args)

        return method

    for name in ("load_state_dict", "to", "step"):
        monkeypatch.setattr(EMAModel, name, noted(name))
    train_prior(configuration("small", hq, prior__ema=0.9), place(tmp_path))
    calls.clear()
    train_prior(configuration("small", hq, prior__ema=0.9, prior__steps=3), place(tmp_path))
    read = calls.index("load_state_dict")
    assert "to" in calls[read : calls.index("step", read)]


def test_settings_of_a_running_training_are_kept(hq: Path, tmp_path: Path) -> None:
    train_prior(configuration("small", hq), place(tmp_path))
    with pytest.raises(TrainingError, match="other settings \\(learning_rate\\)"):
        train_prior(configuration("small", hq, prior__learning_rate=0.5), place(tmp_path))
    train_prior(configuration("small", hq, prior__steps=3), place(tmp_path))  # a constant schedule can go on
    assert [path.name for path in tmp_path.glob("state-*")] == ["state-00000003"]


def test_a_loss_that_is_not_finite_stops_with_a_state(hq: Path, tmp_path: Path) -> None:
    config = configuration("small", hq, prior__steps=50, prior__learning_rate=1e30, prior__save_minutes=60)
    with pytest.raises(TrainingError, match="state before this step is saved"):
        train_prior(config, place(tmp_path))
    assert len(list(tmp_path.glob("state-*"))) == 1


def test_wrong_configurations_are_told(hq: Path, tmp_path: Path, session) -> None:
    with pytest.raises(TrainingConfigError, match="train adversary"):
        train_preference(configuration("small", hq), place(tmp_path))
    with pytest.raises(TrainingConfigError, match="'hub'"):
        train_prior(configuration("small", hq, data__hq=[]), place(tmp_path))
    pairs = training_pairs(configuration("small", hq).data)
    with pytest.raises(TrainingConfigError, match="no section 'adversary'"):
        train_adversary(configuration("small", hq).model_copy(update={"adversary": None}), pairs, place(tmp_path))
    for arguments, message in (
        (("small", "--set", "prior.stps=3"), "did you mean 'steps'"),
        (("nothing",), "no configuration 'nothing'"),
        (("small", "--set", "prior.steps"), "write KEY=VALUE"),
    ):
        told = session("train", "prior", *arguments, "--out", tmp_path / "x")
        assert (told.status, message in told.err) == (2, True)
    told = session("train", "preference", "small", "--arm", "fulll", "--out", tmp_path / "x")
    assert (told.status, "no arm 'fulll'" in told.err) == (2, True)


def test_a_disk_that_takes_no_more_is_told_and_training_goes_on(hq: Path, tmp_path: Path) -> None:
    """Files may not grow beyond a limit; without it the same call ends as an undisturbed training does."""
    config, before = configuration("small", hq), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        with pytest.raises(TrainingError, match=r"prior: cannot be written \(.*MiB are free there\); make room"):
            train_prior(config, place(tmp_path / "prior"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    for name in ("prior", "undisturbed"):
        train_prior(config, place(tmp_path / name))
    first, second = (load_file(tmp_path / name / "network.safetensors") for name in ("prior", "undisturbed"))
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_a_configuration_is_read_without_torch() -> None:
    """Wrong ones are told at once."""
    code = "import sys; from asasr_bench.asasr.config import load_config; load_config('small'); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "pydantic" in loaded
    assert "torch" not in loaded
