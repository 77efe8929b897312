"""``data``: what is on disk, how to get and check it, and LQ images made from HR."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ...reports.progress import download_progress
from . import catalogue
from .exit_codes import INCOMPLETE
from .options.scale import scale_option
from .terminal import say

app = typer.Typer(no_args_is_help=True, help="List, fetch and check datasets; prepare LQ images.")
app.command(name="list")(catalogue.datasets)


@app.command()
def fetch(
    dataset: Annotated[list[str], typer.Argument(help="Card ids or paths of cards.")],
    accept: Annotated[bool, typer.Option("--accept", help="You agree to the terms that the card tells.")] = False,
    source: Annotated[
        Path | None, typer.Option("--from", help="Folder with the files, downloaded elsewhere; no network is used.")
    ] = None,
) -> None:
    """Download sets, check their digests and unpack them. A broken download goes on where it stopped."""
    from ...datasets.card import load_card
    from ...datasets.fetch.cards import fetch as get

    for card in [load_card(name) for name in dataset]:
        with download_progress() as tell:
            done = get(card, accept=accept, source=source, tell=tell)
        say(f"{card.id}: {done.files} images fetched into {done.folder}")
        if done.pinned:
            say(f"  nobody published a digest of {len(done.pinned)} files; theirs are noted and asked for later")


@app.command()
def verify(
    dataset: Annotated[list[str] | None, typer.Argument(help="Card ids or paths; default: all that are here.")] = None,
) -> None:
    """Compare files with their digests.

    These are the published ones, or those noted when the files were first seen.
    """
    from ...datasets.card import card_ids, data_root, load_card
    from ...datasets.fetch.cards import verify as check

    names = dataset or [name for name in card_ids() if (data_root() / name).is_dir()]
    if not names:
        say(f"no dataset in {data_root()}")
    broken = False
    for card in [load_card(name) for name in names]:
        result = check(card)
        say(
            f"{card.id}: {result.files} files; {result.published} equal published digests, {result.noted} those noted"
            f" before, {result.new} seen for the first time"
        )
        for problem in result.problems:
            broken = True
            say(f"  {problem}", err=True)
    if broken:
        raise typer.Exit(INCOMPLETE)


@app.command()
def prepare(
    dataset: Annotated[str, typer.Argument(help="Card id, path of a card, NAME=HR_DIR, or FILE.py:NAME.")],
    out: Annotated[Path, typer.Option(help="Folder for the LQ images.")],
    scale: Annotated[float, scale_option("Scale, such as 4 or 1.5.")] = 4,
    lq_rule: Annotated[
        str | None,
        typer.Option(help="matlab-bicubic (default), degradation:PRESET[:SEED] or severity:CASE (docs/severity.md)."),
    ] = None,
) -> None:
    """Write the LQ images of a set, made from HR, as PNG named NAMExS."""
    from ...datasets.images import write_png
    from ..plan.experiment import input_of
    from ..plan.find_datasets import find_dataset
    from ..plan.inputs import load_input

    prepared = find_dataset(dataset, scale, lq_rule)
    for sample in prepared.samples:
        lq, _ = load_input(input_of(sample, prepared.lq_rule, scale, on_luma=False))
        write_png(out / f"{sample.image}x{scale}.png", lq)
    say(f"{len(prepared.samples)} images in {out}")
