"""The document of a store's results: everything from which tables are made, without pixels.

Values that are out of date in the store are not in its document, and no text in it names a folder of the machine. The
JSON schema of the document is in the documentation.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import Field

from ...datasets.errors import BenchError
from ...datasets.scales import Scale
from ...datasets.strict import Strict
from ..store.records import Operations, StoredMethod
from ..store.stored_values import DamagedRowError, from_text

FORMAT: Literal["asasr-bench results"] = "asasr-bench results"
VERSION: Literal[1] = 1

Status = Literal["done", "failed", "unavailable"]
Number = Annotated[float, Field(strict=False, allow_inf_nan=False)]
Value = Number | Literal["Infinity", "-Infinity"] | None
"""A number; JSON has no infinite numbers, so these are texts. Null: there is no value, or only sets have one."""
Items = Field(default=(), strict=False)


class ExchangeError(BenchError, ValueError):
    """A file of results cannot be written or read; the message names the file, the cause and the remedy."""


class TableRow(Strict):
    """One value of the leaderboard, as in CSV tables; for human readers, since an import computes it again."""

    dataset: str
    method: str
    metric: str
    protocol: str
    value: Value
    """Value over all images that the method has."""
    ci_low: Value
    """95 % interval of the value."""
    ci_high: Value
    n: int
    """Number of images that the method has."""
    set_images: int
    """Number of images of the whole set."""
    direction: str
    """higher, lower, zero (nearest to 0 is best) or none."""


class Run(Strict):
    """One run."""

    id: int
    """Number by which outputs and cells refer to the run."""
    started: str
    """ISO 8601, UTC."""
    finished: str | None
    spec: dict[str, Any]
    """The spec as it was run; ``asasr-bench run`` accepts it."""
    provenance: dict[str, Any]
    """Command, commit, packages, platform, device."""


class Method(Strict):
    """A method with the digests of its weights and settings."""

    name: str
    weights: str
    """SHA-256 of its weight files; '' if it has none."""
    identity: str
    """SHA-256 of everything except the image that determines its pixels; '': not known."""
    card: dict[str, Any]


def operations_of(method: Method) -> dict[tuple[str, str], Operations]:
    """What a run counted of a method, by dataset and scale as they are written."""
    try:
        kept = from_text(StoredMethod, json.dumps(method.card), name="", weights="", identity="")
        places = [(dataset, scale) for dataset, scales in kept.operations.items() for scale in scales]
        known = {(dataset, scale): kept.operations_on(dataset, float(scale)) for dataset, scale in places}
    except (DamagedRowError, ValueError):  # of another program
        return {}
    return {place: operations for place, operations in known.items() if operations is not None}


class MetricEntry(Strict):
    """What tables need to know of a metric if its code is not installed."""

    id: str
    version: str
    """Version of the implementation and its weights."""
    card: dict[str, Any]
    """Title, unit, digits, direction, range and everything else that a table needs."""


class PlannedImage(Strict):
    """One image of a dataset as the latest run planned it."""

    protocol: str
    scale: Scale
    dataset: str
    image: str
    luma: int
    """1: LQ is a float Y plane."""
    lq_rule: str
    lq: str
    """SHA-256 of the LQ pixels; '' if the files cannot be read."""
    reference: str | None
    """SHA-256 of the HR pixels."""
    run: int


class Input(Strict):
    """Digests of the pixels that were read or made from the files of one image."""

    key: str
    """Digest of the digests of the files and of the LQ rule."""
    lq: str
    reference: str | None


class Restoration(Strict):
    """One SR image with its time and memory."""

    key: str
    """Digest of LQ, method, settings, scale and seed."""
    sr: str
    """SHA-256 of the SR pixels."""
    seconds: Number | None
    memory: int | None
    """Peak memory in bytes, above the loaded model."""
    device: str
    run: int


class PayloadEntry(Strict):
    """The array of an image that values of sets and figures need in addition to the image's value."""

    dtype: str
    """Data type of NumPy, little-endian, such as <f4."""
    shape: Annotated[tuple[int, ...], Field(strict=False)]
    content: str
    """The array row by row, compressed with zlib, as base64."""


class Cell(Strict):
    """One metric of one output."""

    metric: str
    status: Status
    value: Value = None
    key: str | None = None
    """Digest of SR, reference, metric with version and weights, and protocol."""
    run: int | None = None
    """The run that measured the value."""
    message: str = ""
    payload: PayloadEntry | None = None


class Output(Strict):
    """One image restored by one method."""

    protocol: str
    scale: Scale
    dataset: str
    image: str
    method: str
    seed: int
    """0 for deterministic methods."""
    status: Status
    lq_rule: str
    """Rule by which LQ was made; ``files``: it was read from a file."""
    lq: str | None
    """SHA-256 of the LQ pixels."""
    reference: str | None
    """SHA-256 of the HR pixels."""
    restoration: Restoration | None = None
    message: str = ""
    cells: Annotated[tuple[Cell, ...], Items] = ()


class Document(Strict):
    """All results of a store."""

    format: Literal["asasr-bench results"] = FORMAT
    version: Literal[1] = VERSION
    program: str
    """Version of asasr-bench that wrote the document."""
    exported: str
    """ISO 8601, UTC."""
    title: str = ""
    table: Annotated[tuple[TableRow, ...], Items] = ()
    runs: Annotated[tuple[Run, ...], Items] = ()
    methods: Annotated[tuple[Method, ...], Items] = ()
    metrics: Annotated[tuple[MetricEntry, ...], Items] = ()
    sets: Annotated[tuple[PlannedImage, ...], Items] = ()
    inputs: Annotated[tuple[Input, ...], Items] = ()
    outputs: Annotated[tuple[Output, ...], Items] = ()


def schema() -> dict[str, Any]:
    """The JSON schema of the document, as ``docs/results.schema.json`` has it."""
    return Document.model_json_schema()
