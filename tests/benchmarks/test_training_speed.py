"""A step of preference training against the plain loop that re-encodes everything and runs a forward for each image."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from typing import Any

import pytest
import torch
from torch import Tensor

pytestmark = pytest.mark.benchmark

BATCH, SIDE, STEPS, ROUNDS = 2, 256, 3, 2


def build() -> Any:
    from asasr_bench.asasr.model_config import ModelConfig
    from asasr_bench.asasr.models import build_model

    torch.manual_seed(0)
    widths = (32, 64, 64, 64)
    model = build_model(
        ModelConfig(
            family="flux", rank=16,
            network={
                "in_channels": 64, "num_layers": 2, "num_single_layers": 4, "attention_head_dim": 32,
                "num_attention_heads": 2, "joint_attention_dim": 64, "pooled_projection_dim": 64,
                "guidance_embeds": True, "axes_dims_rope": (8, 12, 12),
            },
            vae={
                "block_out_channels": widths, "down_block_types": ("DownEncoderBlock2D",) * 4,
                "up_block_types": ("UpDecoderBlock2D",) * 4, "norm_num_groups": 16, "latent_channels": 16,
            },
        )
    )  # fmt: skip
    model.new_adapter("adv")
    model.new_adapter("dpo")
    return model


def ours(model: Any) -> Any:
    """Cached latents, winner and losers in one forward."""
    from asasr_bench.asasr.negatives import Negative
    from asasr_bench.asasr.spectral import SobolevOperator
    from asasr_bench.asasr.training.batches import Batch
    from asasr_bench.asasr.training.preference import Preference, PreferenceTask

    preference = Preference(SobolevOperator(1.5), 2000.0, (Negative("lq"), Negative("adversary", trust=0.1)))
    task = PreferenceTask(model.backbone, model.codec, model.adapters, preference, 1e-5)
    latents = torch.randn(2, BATCH, 16, SIDE // 8, SIDE // 8)

    def step(number: int) -> Tensor:
        loss, _ = task.loss("policy", {"policy": model.backbone}, Batch(latents[0], latents[1], number, encoded=True))
        return loss

    return step


def plain(model: Any) -> Any:
    """As the method's description reads: every image encoded in every step, every network run on every image."""
    from asasr_bench.asasr.spectral import SobolevOperator

    adapters, backbone, operator = model.adapters, model.backbone, SobolevOperator(1.5, "rfft2")
    adapters.train("dpo")
    adapters.activate(["dpo"])
    hq, lq = torch.rand(2, BATCH, 3, SIDE, SIDE)

    def difference(clean: Tensor, noise: Tensor, sigma: Tensor, condition: Tensor) -> Tensor:
        at = sigma.view(-1, 1, 1, 1)
        state, target = (1 - at) * clean + at * noise, noise - clean
        policy = backbone(state, sigma, condition)
        with torch.no_grad(), adapters.using([]):
            reference = backbone(state, sigma, condition)
        return operator.energy(policy - target) - operator.energy(reference - target)

    def step(number: int) -> Tensor:
        clean, condition, loser = (model.codec.encode(images) for images in (hq, lq, lq))
        noise, sigma = torch.randn_like(clean), torch.rand(BATCH)
        at = sigma.view(-1, 1, 1, 1)
        state = (1 - at) * clean + at * noise
        with torch.no_grad(), adapters.using(["adv"]):
            found = state - at * backbone(state, sigma, condition)
        winner = difference(clean, noise, sigma, condition)
        own = torch.randn_like(clean), torch.rand(BATCH)
        losers = difference(loser, *own, condition), difference(clean + 0.1 * (found - clean), noise, sigma, condition)
        return sum((-torch.nn.functional.logsigmoid(2000 * (one - winner)).mean() for one in losers), torch.zeros(()))

    return step


def measure(which: str) -> tuple[float, float]:
    """Samples per second of the best round, and the growth of peak memory over the built model, in MiB."""
    model = build()
    step = {"ours": ours, "plain": plain}[which](model)
    optimizer = torch.optim.AdamW([one for one in model.backbone.parameters() if one.requires_grad], lr=1e-5)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    def run(number: int) -> None:
        step(number).backward()
        optimizer.step()
        optimizer.zero_grad()

    run(0)
    best = 0.0
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for number in range(STEPS):
            run(number)
        best = max(best, BATCH * STEPS / (time.perf_counter() - start))
    return best, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def test_a_preference_step_is_faster_than_the_plain_loop() -> None:
    speeds: dict[str, list[float]] = {"ours": [], "plain": []}
    memory: dict[str, list[float]] = {"ours": [], "plain": []}
    for which in ("ours", "plain") * 2:  # each in a process of its own, whose peak memory is its own
        output = subprocess.run([sys.executable, __file__, which], capture_output=True, text=True, check=True).stdout
        speed, peak = map(float, output.split())
        speeds[which].append(speed)
        memory[which].append(peak)
    fast, slow = max(speeds["ours"]), max(speeds["plain"])
    needs, needed = min(memory["ours"]), min(memory["plain"])
    print(
        f"\npreference step: {fast:.2f} samples/s, {needs:.0f} MiB; plain loop: {slow:.2f} samples/s, {needed:.0f} MiB"
    )
    print(f"ratio {fast / slow:.2f}")
    assert fast / slow >= 2
    assert needs <= 0.8 * needed


if __name__ == "__main__":
    print(*measure(sys.argv[1]))
