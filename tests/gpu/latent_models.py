"""FLUX.1-dev, SDXL or SD1.5 at true size with random weights in bfloat16: memory and seconds of sampling and AS-DPO.

The model is made on the GPU, by the package's own classes; nothing is downloaded. Random weights cost what trained ones
cost.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from asasr_bench.asasr.config import ModelConfig
from asasr_bench.asasr.models import Model, build_model
from asasr_bench.asasr.negatives import Negative
from asasr_bench.asasr.precision import PrecisionPolicy, computing_in, sampling_policy, training_policy
from asasr_bench.asasr.sampling import SamplingSettings, restore
from asasr_bench.asasr.spectral import SobolevOperator
from asasr_bench.asasr.training.batches import Batch
from asasr_bench.asasr.training.preference import Preference, PreferenceTask
from configurations import FULL
from measuring import Results, arguments, device, finish, forget_memory, peak_gib, reserved_gib, seconds_of
from tiny_networks import FAMILIES

SR_RANK, RANK = 128, 16
"""Of the published adapters."""
MOST = 32
"""Largest batch that is tried."""


def main() -> None:
    options = arguments(lambda parser: parser.add_argument("family", choices=sorted(FULL)))
    results = Results(options.out, options.seconds)
    model = build(options, results, sampling_policy(options.family, "bf16", device()))
    for side in (64,) if options.tiny else (512, 1024):
        sampling(model, options, results, side)
    del model
    model = build(options, results, training_policy(options.family, False, "bf16"))
    preference(model, options, results, 64 if options.tiny else 512)


def build(options: argparse.Namespace, results: Results, precision: PrecisionPolicy) -> Model:
    """The network with the three adapters of the published ranks."""
    sizes = (FAMILIES if options.tiny else FULL)[options.family]
    config = ModelConfig(family=options.family, rank=RANK, alpha=RANK, **sizes)
    forget_memory()
    begun = time.perf_counter()
    with on_device(precision.weights):
        model = build_model(config, precision)
        targets = model.backbone.adapter_targets
        model.adapters.add("sr", targets, rank=4 if options.tiny else SR_RANK, alpha=SR_RANK)
        for role in ("adv", "dpo"):
            model.new_adapter(role)
    model.to(device())
    for role in ("sr", "adv"):  # as trained ones are, they change something
        for parameter in model.adapters.parameters(role):
            torch.nn.init.normal_(parameter, std=0.01)
    model.adapters.train(None)
    finish()
    network = sum(one.numel() for name, one in model.backbone.named_parameters() if ".lora_" not in name)
    results.add("network, millions of parameters", round(network / 1e6, 1))
    results.add(
        "adapters, millions of parameters",
        {role: round(sum(one.numel() for one in model.adapters.parameters(role)) / 1e6, 2) for role in ("sr", "dpo")},
    )
    name = "built to train" if precision.adapters != precision.weights else "built to sample"
    results.add(name, {
        "weights": str(precision.weights), "adapters": str(model.adapters.parameters("dpo")[0].dtype),
        "seconds": round(time.perf_counter() - begun, 1), "GiB": round(peak_gib(), 2),
    })  # fmt: skip
    return model


@contextmanager
def on_device(dtype: torch.dtype) -> Iterator[None]:
    """Make tensors on the device in a number format: 12 billion random float32 on a processor take minutes."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device()):
            yield
    finally:
        torch.set_default_dtype(before)


def sampling(model: Model, options: argparse.Namespace, results: Results, side: int) -> None:
    """A step, from runs of one and of three: as one tile, and in tiles of 512 pixels, one by one and together."""
    model.adapters.activate(["sr", "dpo"])
    lq = torch.rand(1, 3, side // 4, side // 4, device=device())
    reduction = model.codec.reduction
    whole = SamplingSettings(steps=1, guidance=3.5, tile=max(16, side // reduction), overlap=128 // reduction)
    ways = {f"sampling at {side}": whole}
    if side > 512:
        cut = replace(whole, tile=512 // reduction)
        ways |= {f"sampling at {side} in tiles of 512": cut}
        ways |= {f"sampling at {side} in tiles of 512, nine at once": replace(cut, tiles_at_once=9)}
    for name, settings in ways.items():
        forget_memory()

        def run(steps: int, settings: SamplingSettings = settings) -> Any:
            return restore(model.backbone, model.codec, lq, 4, [0], replace(settings, steps=steps))

        try:
            short = seconds_of(partial(run, 1), warm=not options.tiny)
            long = seconds_of(partial(run, 3), warm=False)
        except torch.OutOfMemoryError:
            results.add(name, "does not fit")
            continue
        step = (long - short) / 2
        results.add(name, {
            "seconds a step": round(step, 4), "seconds beside the steps (VAE, colour)": round(short - step, 3),
            "peak GiB": round(peak_gib(), 2),
        })  # fmt: skip


def preference(model: Model, options: argparse.Namespace, results: Results, side: int) -> None:
    """An AS-DPO step with two losers: images through the VAE, three networks, backward, AdamW."""
    model.backbone.train()
    model.backbone.network.enable_gradient_checkpointing()
    negatives = (Negative("lq"), Negative("adversary", trust=0.1))
    objective = Preference(SobolevOperator(1.5, "dct", "raw"), 2000.0, negatives)
    task = PreferenceTask(model.backbone, model.codec, model.adapters, objective, 1e-5)
    trained = [one for one in model.backbone.parameters() if one.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-5)
    seed = iter(range(10**6))

    def step(batch: int) -> dict[str, Any]:
        """Seconds of a step, and its peak, which counts model, optimiser and all."""
        hq = torch.rand(batch, 3, side, side, device=device())
        lq = torch.rand(batch, 3, side // 4, side // 4, device=device())

        def once() -> None:
            with computing_in(model.backbone.precision.autocast, torch.device(device()).type):
                loss, _ = task.loss("policy", {"policy": model.backbone}, Batch(hq, lq, next(seed)))
            loss.backward()
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimizer.step()
            optimizer.zero_grad()
            assert torch.isfinite(loss), f"the loss at batch {batch} is {float(loss)}"

        forget_memory()
        seconds = seconds_of(once, warm=batch == 1 and not options.tiny)
        memory = {"peak GiB": round(peak_gib(), 2), "reserved GiB": round(reserved_gib(), 2)}
        return {"seconds": round(seconds, 3), "seconds an image": round(seconds / batch, 3), **memory}

    taken = {}
    for batch in (1, 2):
        taken[batch] = step(batch)
        results.add(f"preference step at {side}, two losers, batch {batch}", taken[batch])
    if torch.cuda.is_available():
        largest(step, taken, results, side)


def largest(step: Any, taken: dict[int, dict[str, Any]], results: Results, side: int) -> None:
    """The largest batch that fits: guessed from what the second image added, and tried."""
    total = torch.cuda.get_device_properties(0).total_memory / 2**30
    added = max(taken[2]["peak GiB"] - taken[1]["peak GiB"], 0.01)
    batch = min(MOST, int((0.96 * total - taken[1]["peak GiB"]) / added) + 1)
    results.add("GiB that an image adds", round(added, 2))
    for _ in range(4):
        expected = batch * taken[2]["seconds an image"]
        if batch <= 2 or expected * 1.3 + 2 > results.seconds_left:
            results.add(f"batch {batch}", f"not tried: {expected:.0f} s expected, {results.seconds_left:.0f} s left")
            return
        try:
            one = step(batch)
        except torch.OutOfMemoryError:
            one = None  # what the step held is let go with its traceback, after this block
        if one is not None:
            results.add(f"preference step at {side}, two losers, largest batch tried that fits: {batch}", one)
            return
        results.add(f"batch {batch}", "does not fit")
        batch = min(batch - 1, int(batch * 0.9))


if __name__ == "__main__":
    main()
