"""``asasr:small-prior``: training steps a second and restored images a second, by batch and number format."""

from __future__ import annotations

import torch
from asasr_bench.asasr.config import load_config
from asasr_bench.asasr.models import build_model
from asasr_bench.asasr.training.batches import Batch
from asasr_bench.asasr.training.prior import PriorTask
from asasr_bench.methods.asasr import find_model
from asasr_bench.methods.registry import resolve_and_load
from measuring import Results, arguments, device, finish, forget_memory, peak_gib, rate_of

REFERENCE = "asasr:small-prior"
FORMATS = ("no", "bf16")


def main() -> None:
    options = arguments()
    results = Results(options.out, options.seconds)
    batches = (1, 2) if options.tiny else (1, 16, 64)
    seconds = 0.05 if options.tiny else 1.0
    for precision in FORMATS:
        training(results, precision, batches, 32 if options.tiny else 64, seconds)
    for precision in FORMATS:
        for batch in batches:
            restoring(results, precision, batch, 16 if options.tiny else 128, seconds)


def restoring(results: Results, precision: str, batch: int, side: int, seconds: float) -> None:
    """Images of LQ ``side`` through the method as the registry loads it, as its own sampler has it."""
    sampling = {"precision": precision, **({"steps": 2} if side < 128 else {})}
    method = resolve_and_load({"name": "small", "id": REFERENCE, "sampling": sampling}, device())
    lq = torch.rand(batch, 3, side, side, device=device())
    forget_memory()
    rate = rate_of(lambda: method.restore(lq, 4, list(range(batch))), seconds)
    name = f"restoring to {4 * side}, precision {precision}, batch {batch}"
    results.add(name, {"images a second": round(batch * rate, 2), "peak GiB": round(peak_gib(), 3)})


def training(results: Results, precision: str, batches: tuple[int, ...], side: int, seconds: float) -> None:
    """Forward, backward and AdamW of all weights on crops that are on the device."""
    model = build_model(load_config(find_model(REFERENCE)).model).to(device())
    model.backbone.train().requires_grad_(True)
    task = PriorTask(model.backbone, model.codec, 1e-4)
    optimizer = torch.optim.AdamW(model.backbone.parameters(), lr=1e-4)
    for batch in batches:
        hq = torch.rand(batch, 3, side, side, device=device())
        lq = torch.rand(batch, 3, side // 4, side // 4, device=device())

        def step(hq: torch.Tensor = hq, lq: torch.Tensor = lq) -> None:
            with torch.autocast(torch.device(device()).type, torch.bfloat16, enabled=precision == "bf16"):
                loss, _ = task.loss("backbone", {"backbone": model.backbone}, Batch(hq, lq, 0))
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()

        finish()
        forget_memory()
        rate = rate_of(step, seconds)
        results.add(
            f"training on crops of {side}, precision {precision}, batch {batch}",
            {"steps a second": round(rate, 2), "crops a second": round(rate * batch, 1),
             "peak GiB": round(peak_gib(), 3)},
        )  # fmt: skip


if __name__ == "__main__":
    main()
