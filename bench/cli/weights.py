"""``weights``: files of published networks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...reports.progress import download_progress
from .exit_codes import INCOMPLETE
from .terminal import JsonOption, print_rows, say

if TYPE_CHECKING:
    from ...methods.weights.files import WeightFile

app = typer.Typer(no_args_is_help=True, help="List, fetch and check weight files.")


def _entries(id: str) -> Sequence[WeightFile]:
    from ...methods.weights.files import weight_file
    from ..metrics.pyiqa_by_name import PYIQA

    if not id.startswith(PYIQA):
        return [weight_file(id)]
    from ..metrics.pyiqa_by_name.files import files_of

    return files_of(id.removeprefix(PYIQA))


@app.command(name="list")
def list_weights(as_json: JsonOption = False) -> None:
    """Known files, and whether they are here."""
    from ...methods.weights.files import WeightsError, find, manifest

    rows = []
    for entry in manifest().values():
        try:
            path = find(entry)
            by_hand = entry.by_hand and entry.package is None
            state = "here" if path is not None else "by hand" if by_hand else "not here"
        except WeightsError:
            state = "damaged"
        rows.append((entry.id, entry.file, entry.licence, state))
    print_rows(("weights", "file", "licence", "state"), rows, as_json=as_json)


@app.command()
def fetch(
    weights: Annotated[
        list[str], typer.Argument(help="Ids; see 'weights list'. Also pyiqa:NAME: all files of this metric.")
    ],
    source: Annotated[
        Path | None, typer.Option("--from", help="Folder with the files, downloaded elsewhere; no network is used.")
    ] = None,
) -> None:
    """Download files and check their digests. A broken download goes on where it stopped."""
    from ...methods.weights.files import fetch as get

    for entry in [entry for id in weights for entry in _entries(id)]:
        with download_progress() as tell:
            path = get(entry, source=source, tell=tell)
        noted = "" if entry.sha256 or entry.package else " (nobody published its digest; it is noted)"
        say(f"{entry.id}: {path}{noted}")


@app.command()
def verify(
    weights: Annotated[list[str] | None, typer.Argument(help="Ids; default: all that are here.")] = None,
) -> None:
    """Compare files with their digests."""
    from ...methods.weights.files import WeightsError, find, manifest

    broken = False
    for entry in [entry for id in weights for entry in _entries(id)] if weights else manifest().values():
        try:
            path = find(entry)
        except WeightsError as error:
            broken = True
            say(f"{entry.id}: {error}", err=True)
            continue
        if path is not None:
            say(f"{entry.id}: ok, {path}")
        elif weights:
            broken = True
            say(f"{entry.id}: missing; {entry.remedy}", err=True)
    if broken:
        raise typer.Exit(INCOMPLETE)
