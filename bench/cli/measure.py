"""``score``: measure finished images, alone or against HR, without spec or store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options.assignments import separated
from .options.scale import scale_option
from .terminal import JsonOption, plain_console, say_json

PLAIN = "osediff-512"
"""The default protocol, as in Python: whole images at any scale."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(score)


def score(
    sr: Annotated[Path, typer.Option(help="Folder of restored images, or one file.")],
    hr: Annotated[
        Path | None, typer.Option(help="HR images: a folder, paired by name, or one file; not for what needs none.")
    ] = None,
    protocol: Annotated[
        str, typer.Option(help="Protocol name; see 'list protocols'. The default takes whole images.")
    ] = PLAIN,
    metrics: Annotated[
        str | None, typer.Option(help="Metric ids, separated by commas; default: psnr_y,ssim_y with HR, piqe without.")
    ] = None,
    scale: Annotated[float | None, scale_option("Scale, for protocols written with S.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="The first so many images.")] = None,
    images: Annotated[list[str] | None, typer.Option(help="Images to take by name, with * and ?. Repeatable.")] = None,
    device: Annotated[str, typer.Option(help="Where networks run: auto, cpu, cuda, cuda:1, mps.")] = "auto",
    batch: Annotated[
        int | None, typer.Option(help="Images that networks measure together; default 8 on a GPU, 1 on a CPU.")
    ] = None,
    per_image: Annotated[Path | None, typer.Option(help="CSV file for every value of every image.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Score finished images: a folder or a file."""
    import pandas as pd
    from rich.table import Table

    from ...datasets.images import write_atomically
    from ...reports.board import images_text
    from ...reports.grid import between
    from ...reports.tables import csv_text
    from ...reports.terminal import escape
    from ..analysis.statistics import interval
    from ..execute.score_folders import score_images, scored_set, values_by_metric
    from ..metrics.registry import get_metric
    from ..protocols import get_protocol

    ids = separated(metrics or ("psnr_y,ssim_y" if hr is not None else "piqe"))
    chosen = get_protocol(protocol, scale)
    scored = scored_set(sr, hr, chosen.scale or 1, images or (), limit)
    rows = list(score_images(scored.samples, chosen, ids, device=device, batch=batch))
    if per_image is not None:
        columns = ["image", "metric", "protocol", "value"]
        frame = pd.DataFrame([[row.image, row.metric, row.protocol, row.value] for row in rows], columns=columns)
        write_atomically(per_image, csv_text(frame).encode())
    means = {id: (sum(values) / len(values), *interval(values)) for id, values in values_by_metric(rows).items()}
    if as_json:
        facts = [
            {"metric": id, "mean": mean, "ci_low": low, "ci_high": high} for id, (mean, low, high) in means.items()
        ]
        say_json(
            {
                "sr": sr,
                "hr": hr,
                "protocol": chosen.name,
                "images": len(scored.samples),
                "of_images": scored.whole,
                "means": facts,
                "values": rows,
            }
        )
        return
    against = f" against {hr}" if hr is not None else ""
    size = images_text(len(scored.samples), scored.whole)
    table = Table(title=escape(f"{sr}{against}, protocol {chosen.name}, {size}"))
    for column in ("metric", "mean", "95 % interval", "images"):
        table.add_column(column, justify="left" if column == "metric" else "right")
    for id, (mean, low, high) in means.items():
        card = get_metric(id).card
        count = str(len(scored.samples))
        table.add_row(card.title, f"{mean:.{card.digits}f}", between(low, high, card.digits), count)
    plain_console().print(table)
