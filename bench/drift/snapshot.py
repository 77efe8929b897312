"""A snapshot of a store for the drift gate: the value of every cell, short digests of its inputs, and its origin."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isnan

from ...reports.escaping import without_folders
from ..metrics.metric import Metric, Payload
from ..metrics.registry import metrics_of
from ..store.keys import digest
from ..store.provenance import Provenance
from ..store.records import Place, StoredCell, StoredOutput
from ..store.store import Store

WHOLE = "(whole set)"
"""Stands in place of an image's name for values that belong to all images of a set."""

DIGEST = 16
"""Number of hex digits of a digest that are kept: 64 bits distinguish files, and a baseline stays readable."""


@dataclass(frozen=True)
class Origin:
    """Packages, device and code with which something was computed, which may explain a changed value."""

    packages: Mapping[str, str]
    python: str = ""
    device: str = ""
    processor: str = ""
    code: str = ""
    """Git commit of the checkout; '' for an installed package."""


@dataclass(frozen=True)
class ScoreState:
    """One metric of one output."""

    value: float | None
    """None: there is no value, for the reason in ``message``."""
    key: str = ""
    """Digest of SR, reference, metric with version and weights, and protocol."""
    origin: int | None = None
    """Index in ``Snapshot.origins`` of the run that measured the value."""
    message: str = ""


@dataclass(frozen=True)
class OutputState:
    """One image restored by one method."""

    lq: str = ""
    reference: str = ""
    sr: str = ""
    restoration: str = ""
    """Digest of LQ, the method with its code version, weights and settings, scale and seed."""
    origin: int | None = None
    """Index in ``Snapshot.origins`` of the run that restored the image."""
    scores: Mapping[str, ScoreState] = field(default_factory=dict)


@dataclass(frozen=True)
class Snapshot:
    """The state of a store at one moment, or the baseline that was written from it."""

    name: str
    started: str
    """Time at which the latest run started, ISO 8601."""
    origins: tuple[Origin, ...]
    methods: Mapping[str, Mapping[str, str]]
    """Name of a method to the ``version`` of its code and the digest of its ``weights``."""
    outputs: Mapping[Place, OutputState]
    tolerances: Mapping[str, float] = field(default_factory=dict)
    """Metric to the largest difference that is no drift, if it is not the metric's default."""
    metrics: Mapping[str, Metric] = field(default_factory=dict, compare=False)
    """Metrics of the store by id; empty for a baseline."""


def take_snapshot(
    store: Store, *, methods: Collection[str] = (), datasets: Collection[str] = (), metrics: Collection[str] = ()
) -> Snapshot:
    """Take a snapshot of a store, or of a part of it.

    Args:
        store: an open store.
        methods: names of methods to keep; empty: all.
        datasets: names of datasets to keep; empty: all.
        metrics: ids of metrics to keep; empty: all.
    """
    runs = store.runs()
    origins: list[Origin] = []
    number: dict[int, int] = {}
    for run in runs:
        origin = _origin(run.provenance)
        if origin not in origins:
            origins.append(origin)
        number[run.id] = origins.index(origin)
    outputs: dict[Place, OutputState] = {}
    for output in store.ledger():
        place = output.place
        if (methods and place.method not in methods) or (datasets and place.dataset not in datasets):
            continue
        outputs[place] = OutputState(
            lq=_short(output.lq),
            reference=_short(output.reference),
            sr=_short(output.sr),
            restoration=_short(output.restoration),
            origin=_number_of(output.run, number),
            scores={
                cell.metric: _score(output, cell, number)
                for cell in output.cells
                if not metrics or cell.metric in metrics
            },
        )
    known = metrics_of({metric for output in outputs.values() for metric in output.scores}, store.metrics())
    for place, state in _sets(store, outputs, known).items():
        outputs[place] = state
    cards = {
        name: {"version": method.version, "weights": _short(method.weights)} for name, method in store.methods().items()
    }
    compared = {place.method for place in outputs}
    return Snapshot(
        store.root.name,
        runs[-1].started if runs else "",
        tuple(origins),
        {name: card for name, card in cards.items() if name in compared},
        outputs,
        metrics=known,
    )


def _score(output: StoredOutput, cell: StoredCell, number: Mapping[int, int]) -> ScoreState:
    if output.status != "done" or cell.status != "done":
        return ScoreState(None, message=without_folders(output.message or cell.message or cell.status))
    value = None if cell.value is None or isnan(cell.value) else cell.value  # NaN for metrics of sets; see _sets
    return ScoreState(value, _short(cell.key), _number_of(cell.run, number))


def _number_of(run: int | None, number: Mapping[int, int]) -> int | None:
    return None if run is None else number.get(run)


def _sets(
    store: Store, outputs: Mapping[Place, OutputState], metrics: Mapping[str, Metric]
) -> dict[Place, OutputState]:
    """Values of metrics of whole sets (mAP, mIoU, FID), each as a further output with digests over all images."""
    states: dict[Place, OutputState] = {}
    for id, metric in metrics.items():
        if metric.of_set is None:
            continue
        sets: dict[Place, dict[Place, Payload]] = {}
        for place, payload in store.payloads(id):
            if place in outputs:
                sets.setdefault(place._replace(image=WHOLE), {})[place] = payload
        for whole, payloads in sets.items():
            members = [outputs[place] for place in payloads]
            keys = [member.scores[id].key for member in members]
            value = float(metric.of_set.combine(list(payloads.values())))
            score = ScoreState(value, _of_all(keys), members[-1].scores[id].origin)
            if isnan(value):
                score = ScoreState(None, message="not defined for these images, or its code is not here")
            state = states.get(whole) or OutputState(
                _of_all([member.lq for member in members]),
                _of_all([member.reference for member in members]),
                _of_all([member.sr for member in members]),
                _of_all([member.restoration for member in members]),
                members[-1].origin,
            )
            states[whole] = replace(state, scores={**state.scores, id: score})
    return states


def _of_all(digests: Sequence[str]) -> str:
    return digest({"all": list(digests)})[:DIGEST]


def _origin(provenance: Provenance) -> Origin:
    return Origin(dict(provenance.packages), provenance.python, provenance.device, provenance.processor, provenance.git)


def _short(digest: str | None) -> str:
    return (digest or "")[:DIGEST]
