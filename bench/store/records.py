"""Rows of a store, as a run writes them and as a reader gets them."""

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
    """Score key; None where nothing was measured."""
    value: float | None = None
    """The score, where this run measured it; None refers to a score that the store has. NaN: it is defined for sets
    alone, and the payload says what this image adds."""
    message: str = ""
    detail: str = ""
    """Traceback of a user's code that failed; it is shown on demand alone."""
    payload: NDArray[Any] | None = field(default=None, compare=False)
    """What figures and values of sets need beside the value; any numeric type."""


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
    """How LQ was made."""
    lq: str | None = None
    reference: str | None = None
    restoration: str | None = None
    """Restoration key."""
    sr: str | None = None
    """Digest of the SR pixels where this run restored them; None refers to a restoration that the store has."""
    seconds: float | None = None
    memory: int | None = None
    device: str = "cpu"
    parameters: int | None = None
    """Of the loaded method, where this run restored it."""
    operations: Operations | None = None
    """Of this image, where they were counted."""
    message: str = ""
    detail: str = ""
    """Traceback of a user's code that failed; it is shown on demand alone."""
    cells: tuple[CellRecord, ...] = field(default=())
    worker: str = field(default="", compare=False)
    """Host and process that made the row, for those who watch; it is not stored."""


@dataclass(frozen=True)
class SetImage:
    """One image of a dataset as a run planned it."""

    dataset: str
    image: str
    luma: bool
    lq_rule: str
    """With the version of the rule."""
    lq: str
    """'' where the files cannot be read."""
    reference: str | None


@dataclass(frozen=True)
class LeftOut:
    """Results that are in a store and in no table, because they are out of date."""

    protocol: str
    scale: float
    dataset: str
    method: str
    metric: str
    """'' where whole images are left out."""
    reason: str
    """In words, with what to do."""
    count: int
    total: int

    def __str__(self) -> str:
        what = f"values of {self.metric} of " if self.metric else "images of "
        return f"{self.count} of {self.total} {what}{self.method} on {self.dataset} ({self.protocol}) {self.reason}"


class Place(NamedTuple):
    """Where an output belongs in a store; it is hashed and compared as the tuple of its parts."""

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
    """Score key; None where nothing was measured."""
    value: float | None
    """None: there is none, or it is defined for sets alone."""
    run: int | None
    """The run that measured it."""
    status: Status
    message: str


@dataclass(frozen=True, slots=True)
class StoredOutput:
    """One stored output with what determined it and its cells, as a reader gets it."""

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
    """The run that restored it."""
    status: Status
    message: str
    cells: tuple[StoredCell, ...] = ()


@dataclass(frozen=True)
class StoredMethod:
    """What stands behind a method's name. Fields with a default are those of its card."""

    name: str
    weights: str
    """Digest of its weight files; '' if it has none."""
    identity: str
    """Digest of what determines its pixels beside the image; '': not known."""
    family: str = "external"
    version: str = ""
    incomplete: str = ""
    """What of its code or weights is not part of its identity."""
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
    """What readers need of the spec of a run."""

    name: str = ""
    protocol: str | dict[str, Any] = ""
    conventions: dict[str, Any] = field(default_factory=dict)
    """Values of somebody's own protocol; of the package's, its name is enough."""
    methods: Sequence[str | dict[str, Any]] = ()
    """Method references."""
    datasets: Sequence[str | dict[str, Any]] = ()
    metrics: Sequence[str | dict[str, Any]] = ()
    optional: Sequence[str] = ()
    """Methods and metrics that a table is complete without."""
    clusters: dict[str, str | dict[str, str]] = field(default_factory=dict)
    """By dataset: a regular expression for names of images, or the cluster of each image."""


@dataclass(frozen=True)
class StoredRun:
    """One run of a store."""

    id: int
    started: str
    """ISO 8601, UTC."""
    finished: str | None
    """None: it still runs, or was killed."""
    spec: StoredSpec
    provenance: Provenance


@dataclass(frozen=True)
class PlaceState:
    """What the store has for one output."""

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
