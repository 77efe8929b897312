"""``weights``: files of published networks; ``doctor``: what this machine can and cannot do."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ...reports.progress import download_progress
from .catalogue import print_table
from .exit_codes import GATE_FAILED, INCOMPLETE
from .terminal import say

app = typer.Typer(no_args_is_help=True, help="List, fetch and check weight files.")


@app.command(name="list")
def list_weights() -> None:
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
    print_table(("weights", "file", "licence", "state"), rows)


@app.command()
def fetch(
    weights: Annotated[list[str], typer.Argument(help="Ids; see 'weights list'.")],
    source: Annotated[
        Path | None, typer.Option("--from", help="Folder with the files, downloaded elsewhere; no network is used.")
    ] = None,
) -> None:
    """Download files and check their digests. A broken download goes on where it stopped."""
    from ...methods.weights.files import fetch as get
    from ...methods.weights.files import weight_file

    for entry in [weight_file(id) for id in weights]:
        with download_progress() as tell:
            path = get(entry, source=source, tell=tell)
        noted = "" if entry.sha256 or entry.package else " (nobody published its digest; it is noted)"
        say(f"{entry.id}: {path}{noted}")


@app.command()
def verify(
    weights: Annotated[list[str] | None, typer.Argument(help="Ids; default: all that are here.")] = None,
) -> None:
    """Compare files with their digests."""
    from ...methods.weights.files import WeightsError, find, manifest, weight_file

    broken = False
    for entry in [weight_file(id) for id in weights] if weights else manifest().values():
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


def doctor(
    golden: Annotated[
        Path | None,
        typer.Option(help="Folder with OSEDiff's results_osediff and RealSR's test_HR: score them instead."),
    ] = None,
    every: Annotated[
        int, typer.Option(min=1, max=100, help="With --golden: measure each so-many-th of the 100 images.")
    ] = 1,
    device: Annotated[str, typer.Option(help="Where networks run: auto, cpu, cuda, cuda:1, mps.")] = "auto",
) -> None:
    """Tell what is here, and how to get what is not.

    Versions, devices, extras, weights, datasets.

    With --golden: our value, the authors' and the difference for all eight metrics of OSEDiff's per-image record. The
    status is 1 where an image is further from the authors' value than rounding explains, 3 where weights are missing.
    """
    if golden is not None:
        _compare_with_record(golden, device, every)
        return
    import platform
    from importlib.metadata import PackageNotFoundError, version

    import torch

    from ...datasets.card import card_ids, data_root, load_card
    from ...methods.weights.files import WeightsError, find, manifest, own_folder

    rows = [("python", platform.python_version(), ""), ("torch", torch.__version__, "")]
    threads = torch.get_num_threads()
    devices = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    rows.append(("device", ", ".join(devices) or f"CPU, {threads} thread{'s' * (threads > 1)}", ""))
    extras = {
        "pyiqa": "iqa", "rapidocr": "ocr", "easyocr": "ocr", "pytesseract": "ocr",
        "ultralytics": "detection", "pycocotools": "detection", "mmsegmentation": "segmentation", "ray": "cluster",
        "onnxruntime": "onnx", "ncnn": "ncnn",
    }  # fmt: skip
    for package, extra in extras.items():
        try:
            rows.append((package, version(package), ""))
        except PackageNotFoundError:
            rows.append((package, "not installed", f"pip install 'asasr-bench[{extra}]'"))
    for entry in manifest().values():
        try:
            path = find(entry)
            rows.append((entry.file, "here" if path else "not here", "" if path else entry.remedy))
        except WeightsError as error:
            rows.append((entry.file, "damaged", str(error)))
    for id in card_ids():
        card = load_card(id)
        if card.builder is None:
            here = (data_root() / id).is_dir()
            remedy = f"asasr-bench data fetch {id}" if card.sources else card.get
            rows.append((id, "here" if here else "not here", "" if here else remedy))
    print_table(("what", "state", "remedy"), rows)
    say(f"weights in {own_folder()}, datasets in {data_root()}")


def _compare_with_record(folder: Path, device: str, every: int) -> None:
    from ..metrics.registry import get_metric
    from ..verify.osediff_record import TOLERANCES, compare_with_record

    rows, missing, others = [], [], []
    for row in compare_with_record(folder, device=device, every=every):
        metric = get_metric(row.metric)
        digits = metric.card.digits + 2
        if row.ours is None:
            missing.append(f"{metric.card.title}: {row.unavailable}")
            numbers = ("unavailable", f"{row.theirs:.{digits}f}", "", "", "", "")
        else:
            numbers = (f"{row.ours:.{digits}f}", f"{row.theirs:.{digits}f}", f"{row.ours - row.theirs:+.1e}",
                       f"{row.median:.1e}", f"{row.largest:.1e}",
                       "" if row.agrees is None else "yes" if row.agrees else "no")  # fmt: skip
            if row.agrees is False:
                others.append(f"{metric.card.title}: an image is {row.largest:.1e} from the authors' value, more than"
                              f" {TOLERANCES[row.metric]:.0e}")  # fmt: skip
        rows.append((metric.card.title, *numbers))
    print_table(("metric", "ours", "authors", "difference", "median by image", "largest by image", "the same"), rows)
    for line in (*others, *missing):
        say(line, err=True)
    if others:
        raise typer.Exit(GATE_FAILED)
    if missing:
        raise typer.Exit(INCOMPLETE)
