"""Experiment trackers: what they are given can be read back, in every stage."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from asasr_bench.asasr.errors import TrainingConfigError
from asasr_bench.asasr.training.trackers import flat, require_trackers
from asasr_bench.bench.cli.main import app
from tiny_training import SMALL, STAGE, data_section, write_photos
from typer.testing import CliRunner

STAGES = ("prior", "adversary", "preference")


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trackers")
    write_photos(folder / "hq")
    stage = {**STAGE, "save_minutes": 10, "validate_every": 2, "validate_images": 1}
    content = {
        "name": "tiny",
        "model": SMALL,
        "data": data_section("hq", held_out=1),
        "prior": {**stage, "what": "network"},
        "adversary": {**stage, "methods": ["bicubic"], "share": 1.0},
        "preference": {**stage, "beta": 50, "negatives": [{"kind": "lq"}, {"kind": "adversary", "trust": 0.5}]},
        "sampling": {"steps": 2, "colour_fix": "none"},
    }
    (folder / "tiny.yaml").write_text(yaml.safe_dump(content))
    return folder / "tiny.yaml"


def train(config: Path, stage: str, out: Path, tracker: str, steps: int = 2) -> None:
    options = ["--set", f"{stage}.trackers=[{tracker}]", "--set", f"{stage}.steps={steps}", "--device", "cpu"]
    result = CliRunner().invoke(
        app, ["train", stage, str(config), "--out", str(out), *options], catch_exceptions=False
    )  # fmt: skip
    assert result.exit_code == 0, result.output


def test_tensorboard_shows_every_stage(config: Path, tmp_path: Path) -> None:
    """Scalars, settings and validation images, read back by TensorBoard itself; a longer training goes on in it."""
    accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="tensorboard is not installed"
    )
    for stage in STAGES:
        train(config, stage, tmp_path, "tensorboard")
        if stage == "preference":
            train(config, stage, tmp_path, "tensorboard", steps=4)
        folder = tmp_path / stage / "trackers" / "asasr-bench"
        events = accumulator.EventAccumulator(str(folder))
        events.Reload()
        steps = [1, 2, 3, 4] if stage == "preference" else [1, 2]
        name = "margin_adversary_2" if stage == "preference" else "loss"
        assert [event.step for event in events.Scalars(name)] == steps
        assert [event.step for event in events.Scalars("validation_psnr_y")] == steps[1::2]
        assert [event.step for event in events.Images("validation")] == steps[1::2]
        (settings,) = folder.glob("*/hparams.yml")  # once, however often the training goes on
        told = yaml.safe_load(settings.read_text())
        assert told["steps"] == 2
        if stage == "preference":
            assert told["negatives.2.kind"] == "adversary"
            assert told["sobolev.s"] == 1.5


@pytest.mark.parametrize("tracker", ["wandb", "trackio"])
def test_other_trackers(tracker: str, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip(tracker, reason=f"{tracker} is not installed")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    for stage in STAGES:
        train(config, stage, tmp_path / "run", tracker)
    assert list(tmp_path.glob("wandb/*" if tracker == "wandb" else "trackio/*"))


def test_a_missing_tracker_is_told_before_anything_is_trained(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asasr_bench.asasr.training.trackers.find_spec", lambda name: None)
    with pytest.raises(TrainingConfigError, match="trackers: 'wandb' is not installed; pip install wandb"):
        require_trackers(["wandb"])


def test_settings_become_plain_values() -> None:
    nested = {"beta": 2.0, "sobolev": {"s": 1.5}, "negatives": [{"kind": "lq"}, {"kind": "policy"}], "no": None,
              "points": [[0.0, 1.0]]}  # fmt: skip
    assert flat(nested) == {
        "beta": 2.0, "sobolev.s": 1.5, "negatives.1.kind": "lq", "negatives.2.kind": "policy", "no": "None",
        "points": "[[0.0, 1.0]]",
    }  # fmt: skip
