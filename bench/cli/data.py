"""``data``: what is on disk, and LQ images made from HR."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import catalogue

app = typer.Typer(no_args_is_help=True, help="Look at datasets and prepare LQ images.")
app.command(name="list")(catalogue.datasets)


@app.command()
def prepare(
    dataset: Annotated[str, typer.Argument(help="Card id, or NAME=HR_DIR.")],
    out: Annotated[Path, typer.Option(help="Folder for the LQ images.")],
    scale: Annotated[int, typer.Option(help="Scale.")] = 4,
    lq_rule: Annotated[
        str | None, typer.Option(help="matlab-bicubic (default) or degradation:PRESET[:SEED]; see 'list degradations'.")
    ] = None,
) -> None:
    """Write the LQ images of a set, made from HR, as PNG named NAMExS."""
    from ...datasets.dataset import parse_dataset_option
    from ...datasets.images import write_png
    from ..inputs import Input, load_input

    made = parse_dataset_option(dataset, scale, lq_rule)
    for sample in made.samples:
        lq, _ = load_input(Input.of(sample, made.lq_rule, scale, on_luma=False))
        write_png(out / f"{sample.image}x{scale}.png", lq)
    typer.echo(f"{len(made.samples)} images in {out}")
