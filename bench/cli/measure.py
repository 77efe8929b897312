"""``score``: a folder of images against a folder of HR images, without spec or store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options.assignments import separated
from .terminal import plain_console


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(score)


def score(
    sr: Annotated[Path, typer.Option(help="Folder of restored images.")],
    hr: Annotated[Path, typer.Option(help="Folder of HR images, paired by name.")],
    protocol: Annotated[str, typer.Option(help="Protocol name; see 'list protocols'.")],
    metrics: Annotated[str, typer.Option(help="Metric ids, separated by commas.")] = "psnr_y,ssim_y",
    scale: Annotated[int | None, typer.Option(help="Scale, for protocols written with S.")] = None,
    device: Annotated[str, typer.Option(help="Where networks run: auto, cpu, cuda, cuda:1, mps.")] = "auto",
    batch: Annotated[
        int | None, typer.Option(help="Images that networks measure together; default 8 on a GPU, 1 on a CPU.")
    ] = None,
    per_image: Annotated[Path | None, typer.Option(help="CSV file for every value of every image.")] = None,
) -> None:
    """Score finished images and print the means."""
    import pandas as pd
    from rich.table import Table

    from ...datasets.images import write_atomically
    from ...reports.grid import between
    from ...reports.tables import csv_text
    from ...reports.terminal import escape
    from ..analysis.statistics import interval
    from ..execute.score_folders import score_folders, values_by_metric
    from ..metrics.registry import get_metric
    from ..protocols import get_protocol

    ids = separated(metrics)
    chosen = get_protocol(protocol, scale)
    rows = list(score_folders(sr, hr, chosen, ids, device=device, batch=batch))
    if per_image is not None:
        columns = ["image", "metric", "protocol", "value"]
        frame = pd.DataFrame([[row.image, row.metric, row.protocol, row.value] for row in rows], columns=columns)
        write_atomically(per_image, csv_text(frame).encode())
    table = Table(title=escape(f"{sr} against {hr}, protocol {chosen.name}"))
    for column in ("metric", "mean", "95 % interval", "images"):
        table.add_column(column, justify="left" if column == "metric" else "right")
    for id, values in values_by_metric(rows).items():
        metric = get_metric(id)
        low, high = interval(values)
        digits = metric.card.digits
        mean = sum(values) / len(values)
        table.add_row(metric.card.title, f"{mean:.{digits}f}", between(low, high, digits), str(len(values)))
    plain_console().print(table)
