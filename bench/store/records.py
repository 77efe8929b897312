"""Rows of a store: records that a run writes, and records that readers get."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal, NamedTuple

from numpy.typing import NDArray

from .provenance import Provenance

Status = Literal["done", "failed", "unavailable"]


@dataclass(frozen=True)
class Operations:
    """What a method computes for one image of one size."""

    width: int
    """Of LQ, as the height."""
    height: int
    macs: int
    """Multiply-accumulate operations."""
    activations: int
    """Values that convolutions give."""


@dataclass(frozen=True)
class CellRecord:
    """One metric of one output."""

    metric: str
    status: Status
    key: str | None = None
    """Score key; None if nothing was measured."""
    value: float | None = None
    """The score if this run measured it; None refers to a score that the store has. NaN for a metric of sets, whose
    payload has the contribution of this image."""
    message: str = ""
    detail: str = ""
    """Traceback of a user's code that failed; it is shown on demand alone."""
    payload: NDArray[Any] | None = field(default=None, compare=False)
    """Array of any numeric type that figures and values of sets need in addition to the value."""


@dataclass(frozen=True)
class OutputRecord:
    """One image restored by one method, with its metrics."""

    protocol: str
    scale: float
    dataset: str
    image: str
    method: str
    seed: int
    status: Status
    lq_rule: str
    """Rule by which LQ was made."""
    lq: str | None = None
    reference: str | None = None
    restoration: str | None = None
    """Restoration key."""
    sr: str | None = None
    """Digest of the SR pixels if this run restored them; None refers to a restoration that the store has."""
    seconds: float | None = None
    memory: int | None = None
    device: str = "cpu"
    parameters: int | None = None
    """Number of parameters of the loaded method, if this run restored the image."""
    operations: Operations | None = None
    """Of this image, where they were counted."""
    message: str = ""
    detail: str = ""
    """Traceback of a user's code that failed; it is shown on demand alone."""
    cells: tuple[CellRecord, ...] = field(default=())
    worker: str = field(default="", compare=False)
    """Host and process that made the row, for the status file; it is not stored."""


@dataclass(frozen=True)
class SetImage:
    """One image of a dataset as a run planned it."""

    dataset: str
    image: str
    luma: bool
    lq_rule: str
    """Rule by which LQ is made, with the version of the rule."""
    lq: str
    """Digest of the LQ pixels; '' if the files cannot be read."""
    reference: str | None


@dataclass(frozen=True)
class LeftOut:
    """Results of a store that are out of date, and therefore in no table."""

    protocol: str
    scale: float
    dataset: str
    method: str
    metric: str
    """Id of the metric; '' if whole images are left out."""
    reason: str
    """The reason in words, with the remedy."""
    count: int
    total: int

    def __str__(self) -> str:
        subject = f"values of {self.metric} of " if self.metric else "images of "
        return f"{self.count} of {self.total} {subject}{self.method} on {self.dataset} ({self.protocol}) {self.reason}"


class Place(NamedTuple):
    """What names an output in a store: protocol, scale, dataset, image, method and seed."""

    protocol: str
    scale: float
    dataset: str
    image: str
    method: str
    seed: int
    """0 for deterministic methods."""


@dataclass(frozen=True, slots=True)
class StoredCell:
    """One metric of a stored output, as a reader gets it."""

    metric: str
    key: str | None
    """Score key; None if nothing was measured."""
    value: float | None
    """None: there is no value, or only sets have one."""
    run: int | None
    """The run that measured the value."""
    status: Status
    message: str


@dataclass(frozen=True, slots=True)
class StoredOutput:
    """One stored output with its digests and cells, as a reader gets it."""

    place: Place
    lq: str | None
    """Digest of the LQ pixels."""
    reference: str | None
    """Digest of the HR pixels; None: there is no HR."""
    restoration: str | None
    """Restoration key."""
    sr: str | None
    """Digest of the SR pixels; None: nothing was restored."""
    run: int | None
    """The run that restored the image."""
    status: Status
    message: str
    cells: tuple[StoredCell, ...] = ()


@dataclass(frozen=True)
class StoredMethod:
    """A method with the digests of its weights and settings. Fields with a default are those of its card."""

    name: str
    weights: str
    """Digest of its weight files; '' if it has none."""
    identity: str
    """Digest of everything except the image that determines its pixels; '': not known."""
    family: str = "external"
    version: str = ""
    incomplete: str = ""
    """Parts of its code or weights that the identity does not cover."""
    parameters: int | None = None
    steps: int | None = None
    summary: str = ""
    paper: str = ""
    code: str = ""
    licence: str = ""
    operations: dict[str, dict[str, dict[str, int]]] = field(default_factory=dict)
    """By dataset and scale: what an image of it took, see ``operations_on``."""

    def operations_on(self, dataset: str, scale: float) -> Operations | None:
        """What the first image of a dataset took; None: it was not counted."""
        counted = self.operations.get(dataset, {}).get(f"{scale:g}", {})
        names = [entry.name for entry in fields(Operations)]
        return Operations(*(counted[name] for name in names)) if set(names) <= counted.keys() else None


@dataclass(frozen=True)
class StoredSpec:
    """The part of a run's spec that readers need."""

    name: str = ""
    protocol: str | dict[str, Any] = ""
    conventions: dict[str, Any] = field(default_factory=dict)
    """Values of a user's own protocol; empty for a protocol of the package."""
    methods: Sequence[str | dict[str, Any]] = ()
    """Method references."""
    datasets: Sequence[str | dict[str, Any]] = ()
    metrics: Sequence[str | dict[str, Any]] = ()
    optional: Sequence[str] = ()
    """Methods and metrics without which a table counts as complete."""
    clusters: dict[str, str | dict[str, str]] = field(default_factory=dict)
    """By dataset: a regular expression for names of images, or the cluster of each image."""


@dataclass(frozen=True)
class StoredRun:
    """One run of a store."""

    id: int
    started: str
    """ISO 8601, UTC."""
    finished: str | None
    """None: the run is not finished, or was killed."""
    spec: StoredSpec
    provenance: Provenance


@dataclass(frozen=True)
class PlaceState:
    """State of one output in the store."""

    restoration: str | None
    status: Status
    lq: str | None = None
    reference: str | None = None
    cells: dict[str, tuple[str | None, Status]] = field(default_factory=dict)
    """Metric to (score key, status)."""

    @property
    def failed(self) -> frozenset[str]:
        """Metrics whose cells failed."""
        return frozenset(metric for metric, (_, status) in self.cells.items() if status == "failed")


@dataclass(frozen=True)
class Problem:
    """A reason for which cells of a dataset and method have no value."""

    status: Status
    dataset: str
    method: str
    message: str
    count: int


@dataclass(frozen=True)
class FailedCell:
    """A cell whose measuring failed."""

    protocol: str
    dataset: str
    image: str
    method: str
    seed: int
    metric: str
    message: str
    detail: str = ""
