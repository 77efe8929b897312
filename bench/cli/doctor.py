"""``doctor``: what this machine can and cannot do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from .exit_codes import GATE_FAILED, INCOMPLETE
from .terminal import JsonOption, named_rows, print_table, say, say_json

_EXTRAS = {
    "pyiqa": "iqa",
    "rapidocr": "ocr",
    "easyocr": "ocr",
    "pytesseract": "ocr",
    "ultralytics": "detection",
    "pycocotools": "detection",
    "mmsegmentation": "segmentation",
    "ray": "cluster",
    "onnxruntime": "onnx",
    "ncnn": "ncnn",
}
_Row = tuple[str, str, str]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)


def doctor(
    golden: Annotated[
        Path | None,
        typer.Option(help="Folder with OSEDiff's results_osediff and RealSR's test_HR: score them instead."),
    ] = None,
    every: Annotated[
        int, typer.Option(min=1, max=100, help="With --golden: measure each so-many-th of the 100 images.")
    ] = 1,
    device: Annotated[str, typer.Option(help="Where networks run: auto, cpu, cuda, cuda:1, mps.")] = "auto",
    as_json: JsonOption = False,
) -> None:
    """Tell what this machine can do, and how to get the rest.

    Versions, devices, extras, weights, datasets.

    With --golden: our value, the authors' and the difference for all eight metrics of OSEDiff's per-image record. The
    status is 1 where an image is further from the authors' value than rounding explains, 3 where weights are missing.
    """
    if golden is not None:
        _compare_with_record(golden, device, every)
        return
    from ...datasets.card import data_root
    from ...methods.weights.files import own_folder

    rows = [*_machine(), *_packages(), *_weights(), *_datasets()]
    verdict = _verdict(rows)
    if as_json:
        say_json(
            {
                "verdict": verdict,
                "items": named_rows(("what", "state", "remedy"), rows),
                "folders": {"weights": own_folder(), "datasets": data_root()},
            }
        )
        return
    for line in verdict:
        say(line)
    print_table(("what", "state", "remedy"), rows)
    say(f"weights in {own_folder()}, datasets in {data_root()}")


def _verdict(rows: Sequence[_Row]) -> list[str]:
    """What can be done on this machine, in sentences."""
    from ...datasets.card import card_ids, data_root, load_card
    from ..api.catalogue import list_methods, list_metrics

    datasets_here = sum(load_card(id).builder is not None or (data_root() / id).is_dir() for id in card_ids())
    counts = [
        f"{len(list_metrics(ready=True))} of {len(list_metrics())} metrics",
        f"{len(list_methods(ready=True))} of {len(list_methods())} methods",
        f"{datasets_here} of {len(card_ids())} datasets",
    ]
    device = next(state for item, state, _ in rows if item == "device")
    damaged = [item for item, state, _ in rows if state == "damaged"]
    verdict = [f"{'Not all is well' if damaged else 'All is well'}: ready are {', '.join(counts)}, on {device}."]
    if damaged:
        verdict.append(f"Damaged: {', '.join(damaged)}; the table says what to do.")
    absent = sum(state in ("not here", "not installed") for _, state, _ in rows)
    if absent:
        verdict.append(f"{absent} things are not here; all of them are optional, and the table says how to get each.")
    return verdict


def _machine() -> Iterator[_Row]:
    import platform

    import torch

    yield "python", platform.python_version(), ""
    yield "torch", torch.__version__, ""
    threads = torch.get_num_threads()
    devices = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    yield "device", ", ".join(devices) or f"CPU, {threads} thread{'s' * (threads > 1)}", ""


def _packages() -> Iterator[_Row]:
    from importlib.metadata import PackageNotFoundError, version

    for package, extra in _EXTRAS.items():
        try:
            yield package, version(package), ""
        except PackageNotFoundError:
            yield package, "not installed", f"pip install 'asasr-bench[{extra}]'"


def _weights() -> Iterator[_Row]:
    from ...methods.weights.files import WeightsError, find, manifest

    for entry in manifest().values():
        try:
            path = find(entry)
            yield entry.file, "here" if path else "not here", "" if path else entry.remedy
        except WeightsError as error:
            yield entry.file, "damaged", str(error)


def _datasets() -> Iterator[_Row]:
    from ...datasets.card import card_ids, data_root, load_card

    for id in card_ids():
        card = load_card(id)
        if card.builder is None:
            present = (data_root() / id).is_dir()
            remedy = f"asasr-bench data fetch {id}" if card.sources else card.get
            yield id, "here" if present else "not here", "" if present else remedy


def _compare_with_record(folder: Path, device: str, every: int) -> None:
    from ..metrics.registry import get_metric
    from ..verify.osediff_record import TOLERANCES, compare_with_record

    rows, missing, differing = [], [], []
    for row in compare_with_record(folder, device=device, every=every):
        metric = get_metric(row.metric)
        digits = metric.card.digits + 2
        if row.measured is None:
            missing.append(f"{metric.card.title}: {row.unavailable}")
            numbers = ("–", f"{row.authors:.{digits}f}", "", "", "", "")
        else:
            numbers = (
                f"{row.measured:.{digits}f}",
                f"{row.authors:.{digits}f}",
                f"{row.measured - row.authors:+.1e}",
                f"{row.median:.1e}",
                f"{row.largest:.1e}",
                "" if row.agrees is None else "yes" if row.agrees else "no",
            )
            if row.agrees is False:
                differing.append(
                    f"{metric.card.title}: an image is {row.largest:.1e} from the authors' value, more than"
                    f" {TOLERANCES[row.metric]:.0e}"
                )
        rows.append((metric.card.title, *numbers))
    say("differences from the authors: of the means; of single images, median and largest")
    print_table(("metric", "ours", "authors", "mean", "median", "largest", "same"), rows)
    for line in (*differing, *missing):
        say(line, err=True)
    if differing:
        raise typer.Exit(GATE_FAILED)
    if missing:
        raise typer.Exit(INCOMPLETE)
