"""Training in several processes: the same numbers as one process that accumulates as many batches."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import psutil
import pytest
import yaml
from asasr_bench.bench.cli.main import app
from asasr_bench.datasets.images import read_image
from safetensors.torch import load_file
from tiny_networks import FAMILIES, VAE
from tiny_training import SMALL, STAGE, data_section, write_photos
from typer.testing import CliRunner

STEPS = 4
FSDP_ON_CPU = Path(__file__).parent.parent / "support" / "fsdp_on_cpu.py"
SHARDS = {
    "ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2", "FSDP_AUTO_WRAP_POLICY": "TRANSFORMER_BASED_WRAP",
    "FSDP_TRANSFORMER_CLS_TO_WRAP": "FluxTransformerBlock,FluxSingleTransformerBlock",
    "FSDP_STATE_DICT_TYPE": "SHARDED_STATE_DICT", "FSDP_CPU_RAM_EFFICIENT_LOADING": "true",
}  # fmt: skip
"""What ``docs/fsdp.yaml`` tells ``accelerate launch``."""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny experiment on photos of scikit-image."""
    folder = tmp_path_factory.mktemp("processes")
    write_photos(folder / "hq", 3)
    stage = {**STAGE, "steps": STEPS, "warmup": 2}
    content = {
        "name": "tiny",
        "model": SMALL,
        "data": data_section("hq"),
        "prior": {**stage, "what": "network", "schedule": "cosine", "ema": 0.5},
        "preference": {**stage, "beta": 50, "negatives": [{"kind": "lq"}, {"kind": "policy", "steps": 2}]},
    }
    (folder / "tiny.yaml").write_text(yaml.safe_dump(content))
    return folder / "tiny.yaml"


@pytest.fixture(scope="module")
def flux(config: Path) -> Path:
    """The same experiment with a tiny FLUX."""
    content = yaml.safe_load(config.read_text())
    network = {**FAMILIES["flux"]["network"], "num_layers": 2, "num_single_layers": 2, "guidance_embeds": False}
    content["model"] = {"family": "flux", "rank": 4, "alpha": 4, "network": network, "vae": VAE}
    content["data"]["crop"] = 64
    for stage in ("prior", "preference"):
        content[stage] |= {"ema": 0.0, "schedule": "constant", "checkpointing": stage == "preference"}
    content["prior"]["what"] = "sr"
    path = config.with_name("flux.yaml")
    path.write_text(yaml.safe_dump(content))
    return path


def train(
    config: Path, stage: str, out: Path, *options: str, processes: int = 1, sharded: bool = False
) -> dict[str, list[float]]:
    """Train by the command line, alone in this process or under ``torchrun``, and return the log's columns."""
    command = ["train", stage, str(config), "--out", str(out), "--device", "cpu", *options]
    if processes == 1:
        told = CliRunner().invoke(app, command, catch_exceptions=False)
        assert told.exit_code == 0, told.output
    else:
        launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)]
        program = [str(FSDP_ON_CPU)] if sharded else ["-m", "asasr_bench.bench.cli.main"]
        result = subprocess.run(
            [sys.executable, *launcher, *program, *command], capture_output=True, text=True, timeout=300,
            env={**os.environ, "OMP_NUM_THREADS": "1", **(SHARDS if sharded else {})},
        )  # fmt: skip
        assert result.returncode == 0, result.stderr
    with (out / stage / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    return {name: [float(row[name] or "nan") for row in rows] for name in rows[0]}


def assert_same(one: dict[str, list[float]], two: dict[str, list[float]], files: Sequence[Path]) -> None:
    """Same losses and same weights, to the rounding of sums in another order."""
    assert one.keys() == two.keys()
    for name in one:
        assert one[name] == pytest.approx(two[name], rel=2e-3, abs=2e-5, nan_ok=True), (
            name
        )  # differences of energies near 100
    alone, together = map(load_file, files)
    assert alone.keys() == together.keys()
    moved = sum(float(tensor.square().sum()) for tensor in alone.values()) ** 0.5
    apart = sum(float((alone[key] - together[key]).square().sum()) for key in alone) ** 0.5
    assert apart < 1e-3 * moved


@pytest.mark.parametrize("stage", ["prior", pytest.param("preference", marks=pytest.mark.slow)])
def test_two_processes_train_as_one_with_twice_the_batches(stage: str, config: Path, tmp_path: Path) -> None:
    one = train(config, stage, tmp_path / "one", "--set", f"{stage}.accumulation=2")
    two = train(config, stage, tmp_path / "two", processes=2)
    file = "network.safetensors" if stage == "prior" else "dpo.safetensors"
    assert_same(one, two, [tmp_path / name / stage / file for name in ("one", "two")])


@pytest.mark.slow
@pytest.mark.parametrize("sharded", [False, True])
@pytest.mark.parametrize("stage", ["prior", "preference"])
def test_flux_trains_in_two_processes_as_in_one(stage: str, sharded: bool, flux: Path, tmp_path: Path) -> None:
    """Each with the whole network (DDP) or half of each block (FSDP), stopped half-way and gone on with."""
    one = train(flux, stage, tmp_path / "one", "--set", f"{stage}.accumulation=2")
    train(flux, stage, tmp_path / "two", "--set", f"{stage}.steps=2", processes=2, sharded=sharded)
    two = train(flux, stage, tmp_path / "two", processes=2, sharded=sharded)
    file = "sr.safetensors" if stage == "prior" else "dpo.safetensors"
    assert_same(one, two, [tmp_path / name / stage / file for name in ("one", "two")])


def test_all_processes_but_the_first_hold_no_weights_before_they_get_their_shard() -> None:
    """A network of 200 MB takes none of it where another process reads the weights."""
    code = (
        "import os, psutil\n"
        "from asasr_bench.asasr.config import ModelConfig\n"
        "from asasr_bench.asasr.models import build_model\n"
        "network = dict(in_channels=64, num_layers=1, num_single_layers=2, attention_head_dim=128,\n"
        "    num_attention_heads=8, joint_attention_dim=24, pooled_projection_dim=12)\n"
        "vae = dict(block_out_channels=[4] * 4, down_block_types=['DownEncoderBlock2D'] * 4, norm_num_groups=4,\n"
        "    up_block_types=['UpDecoderBlock2D'] * 4, latent_channels=16)\n"
        "config = ModelConfig(family='flux', network=network, vae=vae)\n"
        "build_model(config.model_copy(update={'network': {**network, 'num_attention_heads': 1}}))\n"
        "resident = lambda: psutil.Process(os.getpid()).memory_info().rss / 1e6\n"
        "before = resident()\n"
        "hollow = build_model(config, hollow=True)\n"
        "between = resident()\n"
        "whole = build_model(config)\n"
        "size = sum(one.numel() * 4 for one in whole.backbone.parameters()) / 1e6\n"
        "assert {n: t.shape for n, t in hollow.backbone.state_dict().items()} == {\n"
        "    n: t.shape for n, t in whole.backbone.state_dict().items()}\n"
        "print(size, between - before, resident() - between)\n"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    size, hollow, whole = map(float, told.split())
    assert size > 200
    assert whole > 0.9 * size
    assert hollow < 0.1 * size


def test_latents_are_encoded_by_all_processes(flux: Path, tmp_path: Path) -> None:
    """Each its share of the files, which are those of one process; both train on all of them."""
    options = ("--set", "data.cached=200", "--set", "prior.steps=1")
    one = train(flux, "prior", tmp_path / "one", *options, "--set", "prior.accumulation=2")
    two = train(flux, "prior", tmp_path / "two", *options, processes=2)
    assert one["loss"] == pytest.approx(two["loss"], rel=2e-3)
    alone, together = (sorted((tmp_path / name / "latents").glob("*/*")) for name in ("one", "two"))
    assert [path.relative_to(tmp_path / "one") for path in alone] == [
        path.relative_to(tmp_path / "two") for path in together
    ]
    assert [path.name for path in alone] == [*(f"{number:05d}.safetensors" for number in range(4)), "recipe.json"]
    for ours, theirs in zip(alone, together, strict=True):
        if ours.suffix == ".safetensors":
            first, second = load_file(ours), load_file(theirs)
            for name in first:
                np.testing.assert_allclose(first[name], second[name], atol=2e-3)


def test_two_processes_validate_as_one(config: Path, tmp_path: Path) -> None:
    """Each restores its part of the images; grid and means are those of one process."""
    stage = ["--set", "prior.validate_every=2", "--set", "prior.validate_images=3", "--set", "data.held_out=2"]
    options = (*stage, "--set", "sampling.steps=2", "--set", "prior.steps=2", "--set", "prior.schedule=constant")
    one = train(config, "prior", tmp_path / "one", *options, "--set", "prior.accumulation=2")
    two = train(config, "prior", tmp_path / "two", *options, processes=2)
    assert one["validation_loss"] == pytest.approx(two["validation_loss"], rel=2e-3, nan_ok=True)
    assert one["validation_psnr_y"] == pytest.approx(two["validation_psnr_y"], rel=2e-3, nan_ok=True)
    grids = [read_image(tmp_path / name / "prior" / "validation" / "00000002.png") for name in ("one", "two")]
    assert grids[0].shape == (64, 96, 3)
    assert np.abs(grids[0].astype(int) - grids[1]).max() <= 2
    assert (tmp_path / "two" / "prior" / "kept" / "best-00000002" / "model.yaml").exists()


@pytest.mark.slow
def test_adapters_of_a_16_bit_network_train_alike_sharded_or_not(flux: Path, tmp_path: Path) -> None:
    """In float32 in both, which their files show; apart as sums in bfloat16 are."""
    bf16 = ("--set", "prior.precision=bf16")
    for name, sharded in (("whole", False), ("shards", True)):
        train(flux, "prior", tmp_path / name, *bf16, processes=2, sharded=sharded)
    whole, shards = (load_file(tmp_path / name / "prior" / "sr.safetensors") for name in ("whole", "shards"))
    assert {str(tensor.dtype) for tensor in (*whole.values(), *shards.values())} == {"torch.float32"}
    learned = [name for name in whole if "lora_B" in name]  # zero before
    moved = sum(float(whole[name].square().sum()) for name in learned) ** 0.5
    apart = sum(float((whole[name] - shards[name]).square().sum()) for name in learned) ** 0.5
    assert moved > 0
    assert apart < 0.1 * moved


@pytest.mark.slow
def test_two_processes_go_on_where_they_were_stopped(config: Path, tmp_path: Path) -> None:
    whole = train(config, "prior", tmp_path / "whole", "--set", "prior.schedule=constant", processes=2)
    options = ("--set", "prior.schedule=constant", "--set", "prior.steps=2")
    train(config, "prior", tmp_path / "cut", *options, processes=2)
    cut = train(config, "prior", tmp_path / "cut", *options[:2], processes=2)
    np.testing.assert_equal(cut, whole)  # empty cells are equal too


@pytest.mark.slow
def test_all_processes_stop_when_one_has_no_finite_loss(config: Path, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="the state before this step is saved"):
        train(config, "prior", tmp_path, "--set", "prior.learning_rate=1e30", "--set", "prior.warmup=0",
              "--set", "prior.steps=50", processes=2)  # fmt: skip
    assert list((tmp_path / "prior").glob("state-*"))


@pytest.mark.slow
def test_all_processes_stop_after_the_same_step_when_one_is_asked_to(config: Path, tmp_path: Path) -> None:
    """The state that they save together is gone on with to the same numbers."""
    options = ("--set", "prior.schedule=constant", "--set", "prior.steps=60", "--set", "prior.save_minutes=60")
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    command = ["-m", "asasr_bench.bench.cli.main", "train", "prior", str(config), "--out", str(tmp_path / "cut")]
    launched = subprocess.Popen(
        [sys.executable, *launcher, *command, "--device", "cpu", *options], stderr=subprocess.PIPE, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    end = time.monotonic() + 120
    while not (tmp_path / "cut" / "prior" / "log.csv").exists() and time.monotonic() < end:
        time.sleep(0.01)
    second = max(psutil.Process(launched.pid).children(), key=lambda process: int(process.environ()["RANK"]))
    second.send_signal(signal.SIGTERM)
    _, told = launched.communicate(timeout=120)
    assert "stopped after step" in told
    (state,) = (tmp_path / "cut" / "prior").glob("state-*")
    assert int(state.name.removeprefix("state-")) < 60
    cut = train(config, "prior", tmp_path / "cut", *options, processes=2)
    np.testing.assert_equal(cut, train(config, "prior", tmp_path / "whole", *options, processes=2))
