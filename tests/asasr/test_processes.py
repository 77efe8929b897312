"""Training in several processes: the same numbers as one process that accumulates as many batches."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from asasr_bench.datasets.images import write_png
from safetensors.torch import load_file

STEPS = 4
NETWORK = {
    "sample_size": 8, "in_channels": 24, "out_channels": 12, "block_out_channels": [16, 16], "layers_per_block": 1,
    "norm_num_groups": 8, "down_block_types": ["DownBlock2D", "DownBlock2D"], "cross_attention_dim": 8,
    "up_block_types": ["UpBlock2D", "UpBlock2D"], "mid_block_type": "UNetMidBlock2D", "attention_head_dim": 8,
}  # fmt: skip


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny experiment on photos of scikit-image."""
    from skimage import data

    folder = tmp_path_factory.mktemp("processes")
    photo = np.ascontiguousarray(data.astronaut())
    for number in range(3):
        write_png(folder / "hq" / f"photo{number}.png", photo[100 * number :][:160, 120 : 120 + 160])
    stage = {
        "steps": STEPS,
        "batch": 2,
        "learning_rate": 1e-3,
        "warmup": 2,
        "log_every": 1,
        "save_every": 2,
        "workers": 0,
    }
    content = {
        "name": "tiny",
        "model": {"family": "small", "rank": 4, "alpha": 4, "network": NETWORK},
        "data": {"hq": ["hq"], "crop": 32, "margin": 8, "degradation": "stablesr-x4"},
        "prior": {**stage, "what": "network", "schedule": "cosine", "ema": 0.5},
        "preference": {**stage, "beta": 50, "negatives": [{"kind": "lq"}, {"kind": "policy", "steps": 2}]},
    }
    (folder / "tiny.yaml").write_text(yaml.safe_dump(content))
    return folder / "tiny.yaml"


def train(config: Path, stage: str, out: Path, *options: str, processes: int = 1) -> dict[str, list[float]]:
    """Train by the command line, alone or under ``torchrun``, and return the log's columns."""
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes), "-m"]
    start = [sys.executable, *(launcher if processes > 1 else ["-m"]), "asasr_bench.bench.cli.main"]
    result = subprocess.run(
        [*start, "train", stage, str(config), "--out", str(out), "--device", "cpu", *options],
        capture_output=True, text=True, timeout=300, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    with (out / stage / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    return {name: [float(row[name]) for row in rows] for name in rows[0]}


@pytest.mark.parametrize("stage", ["prior", pytest.param("preference", marks=pytest.mark.slow)])
def test_two_processes_train_as_one_with_twice_the_batches(stage: str, config: Path, tmp_path: Path) -> None:
    """Same losses and same weights, to the rounding of sums in another order."""
    one = train(config, stage, tmp_path / "one", "--set", f"{stage}.accumulation=2")
    two = train(config, stage, tmp_path / "two", processes=2)
    assert one.keys() == two.keys()
    for name in one:
        assert one[name] == pytest.approx(two[name], rel=2e-3, abs=1e-6), name
    file = "network.safetensors" if stage == "prior" else "dpo.safetensors"
    alone, together = load_file(tmp_path / "one" / stage / file), load_file(tmp_path / "two" / stage / file)
    assert alone.keys() == together.keys()
    moved = sum(float(tensor.square().sum()) for tensor in alone.values()) ** 0.5
    apart = sum(float((alone[key] - together[key]).square().sum()) for key in alone) ** 0.5
    assert apart < 1e-3 * moved


@pytest.mark.slow
def test_two_processes_go_on_where_they_were_stopped(config: Path, tmp_path: Path) -> None:
    whole = train(config, "prior", tmp_path / "whole", "--set", "prior.schedule=constant", processes=2)
    options = ("--set", "prior.schedule=constant", "--set", "prior.steps=2")
    train(config, "prior", tmp_path / "cut", *options, processes=2)
    cut = train(config, "prior", tmp_path / "cut", *options[:2], processes=2)
    assert cut == whole


@pytest.mark.slow
def test_all_processes_stop_when_one_has_no_finite_loss(config: Path, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="the state before this step is saved"):
        train(config, "prior", tmp_path, "--set", "prior.learning_rate=1e30", "--set", "prior.warmup=0",
              "--set", "prior.steps=50", processes=2)  # fmt: skip
    assert list((tmp_path / "prior").glob("state-*"))
