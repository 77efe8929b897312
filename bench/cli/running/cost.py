"""``cost``: parameters, operations, activations, seconds and memory of methods, and the score of efficient SR."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..options.scale import scale_option

if TYPE_CHECKING:
    from ...analysis.network_cost import Cost


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(cost)


def cost(
    methods: Annotated[list[str], typer.Argument(help="Methods that compute with torch, in this process.")],
    size: Annotated[str, typer.Option(help="Width and height of LQ: WIDTHxHEIGHT.")] = "256x256",
    scale: Annotated[float, scale_option("Scale, such as 4 or 1.5.")] = 4,
    runs: Annotated[int, typer.Option(min=1, help="Timed passes.")] = 5,
    warm_up: Annotated[int, typer.Option(min=0, help="Passes before, which do not count.")] = 2,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
    against: Annotated[
        str | None, typer.Option(help="One of the methods: NTIRE's efficient SR score of all others against it.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="JSON file to write.")] = None,
) -> None:
    """Measure parameters, MACs, time and memory of methods."""
    from ..terminal import print_table

    costs = _costs(methods, size, scale, runs, warm_up, device)
    reference = _reference(costs, against)
    rows = [_row(method_cost, reference) for method_cost in costs]
    if out is not None:
        _write(out, costs, reference, size, scale)
    head = ("method", "parameters M", "MACs G", "activations M", "convolutions", "seconds", "memory MiB")
    print_table((*head, "score") if reference else head, [row if reference else row[:-1] for row in rows])


def _costs(methods: list[str], size: str, scale: float, runs: int, warm_up: int, device: str) -> list[Cost]:
    import torch

    from ....methods.interface import Interface
    from ....methods.registry import resolve
    from ...analysis.network_cost import CostError, measure_cost
    from ...execute.restore_image import torch_device

    width, _, height = size.partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise CostError(f"--size {size}: write WIDTHxHEIGHT, such as 256x256")
    try:
        place = torch_device(device)
    except ValueError as error:
        raise CostError(str(error)) from None
    image = torch.rand(1, 3, int(height), int(width), generator=torch.Generator().manual_seed(0)).to(place)
    costs = []
    for reference in methods:
        entry = resolve(reference)
        if entry.interface != Interface.TENSOR:
            raise CostError(f"{entry.card.id}: computes outside of torch, so its cost cannot be measured")
        method = entry.load(place)
        restore = lambda lq, method=method: method.restore(lq, scale, [0])  # noqa: E731
        parameters = method.card.parameters or entry.card.parameters
        costs.append(measure_cost(entry.card.id, parameters, restore, [image], place, runs=runs, warm_up=warm_up))
    return costs


def _reference(costs: list[Cost], against: str | None) -> Cost | None:
    from ...analysis.network_cost import CostError

    if against is None:
        return None
    reference = next((cost for cost in costs if cost.method == against), None)
    if reference is None:
        raise CostError(f"--against {against}: not among the methods ({', '.join(cost.method for cost in costs)})")
    return reference


def _row(cost: Cost, reference: Cost | None) -> tuple[str, ...]:
    from ...analysis.network_cost import efficiency_score

    def in_units(value: float | None, unit: float, digits: int) -> str:
        return "-" if value is None else f"{value / unit:.{digits}f}"

    scored = None if reference is None else efficiency_score(cost, reference)
    score = "-"
    if scored is not None:
        parts = ", ".join(f"{name} {part:.2f}" for name, part in scored[1].items())
        score = f"{scored[0]:.3f} ({parts})"
    return (
        cost.method,
        in_units(cost.parameters, 1e6, 3),
        in_units(cost.macs, 1e9, 3),
        in_units(cost.activations, 1e6, 2),
        "-" if cost.convolutions is None else str(cost.convolutions),
        f"{cost.mean:.4g} ± {cost.deviation:.2g}",
        in_units(cost.memory, 2**20, 0),
        score,
    )


def _write(out: Path, costs: list[Cost], reference: Cost | None, size: str, scale: float) -> None:
    import json
    from dataclasses import asdict

    from ....datasets.images import write_atomically
    from ...analysis.network_cost import efficiency_score

    rows = []
    for cost in costs:
        scored = None if reference is None else efficiency_score(cost, reference)
        row = {**asdict(cost), "mean_seconds": cost.mean}
        if scored is not None and reference is not None:
            row |= {"score": scored[0], "score_parts": scored[1], "against": reference.method}
        rows.append(row)
    content = {"size": size, "scale": scale, "costs": rows}
    write_atomically(out, (json.dumps(content, indent=1) + "\n").encode())
