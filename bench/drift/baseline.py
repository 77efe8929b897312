"""Read and write baselines: JSON files to commit, with one line for each output, so that a diff is readable."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, replace
from math import isinf
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ...datasets.errors import BenchError
from ...datasets.images import write_atomically
from ...datasets.names import did_you_mean
from ...datasets.strict import explained
from ..metrics.registry import stored_id
from ..store.records import Place
from ..store.store import open_store
from .baseline_text import FORMAT, BaselineText, parse
from .snapshot import OutputState, ScoreState, Snapshot, take_snapshot


class BaselineError(BenchError, ValueError):
    """A baseline that cannot be read or made; the message names the file and the remedy."""


def write_baseline(
    root: Path,
    path: Path,
    *,
    methods: Collection[str] = (),
    datasets: Collection[str] = (),
    metrics: Collection[str] = (),
    tolerances: Mapping[str, float] | None = None,
) -> Snapshot:
    """Write the baseline of a store, or of a part of it; the same store gives the same bytes.

    Args:
        root: folder of the store.
        path: file to write.
        methods: names of methods to keep; empty: all.
        datasets: names of datasets to keep; empty: all.
        metrics: ids of metrics to keep; empty: all.
        tolerances: for a metric the largest difference that is no drift, in its unit; kept in the baseline.

    Raises:
        BaselineError: the selection has no cells, or a tolerance is for a metric without values.
        StoreError: the folder is not a store.
    """
    with open_store(root) as store:
        snapshot = take_snapshot(store, methods=methods, datasets=datasets, metrics=metrics)
    if not any(output.scores for output in snapshot.outputs.values()):
        raise BaselineError(f"{root}: has no cells of these methods, datasets and metrics to keep as a baseline")
    snapshot = _used(replace(snapshot, tolerances=known_tolerances(tolerances or {}, snapshot)))
    write_atomically(path, to_json(snapshot).encode())
    return snapshot


def known_tolerances(tolerances: Mapping[str, float], *snapshots: Snapshot) -> dict[str, float]:
    """Tolerances under the ids of metrics that the snapshots use.

    Raises:
        BaselineError: no snapshot has values of a metric.
    """
    ids = {metric for snapshot in snapshots for output in snapshot.outputs.values() for metric in output.scores}
    by_id = {stored_id(metric, ids): value for metric, value in tolerances.items()}
    for metric in by_id:
        if metric not in ids:
            hint = did_you_mean(metric, sorted(ids))
            raise BaselineError(f"tolerance: there are no values of metric '{metric}'{hint}")
    return by_id


def read_baseline(path: Path) -> Snapshot:
    """Read a baseline of ``write_baseline``.

    Raises:
        BaselineError: no such file, not a baseline, or one of another version.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise BaselineError(f"{path}: no such baseline; 'asasr-bench baseline STORE --out {path}' makes one") from None
    except (OSError, ValueError) as error:
        raise BaselineError(f"{path}: cannot be read as a baseline ({error})") from None
    try:
        snapshot = parse(text)
    except ValidationError as error:
        raise BaselineError(
            f"{path}: is not a baseline of format {FORMAT}, or is damaged ({explained(error, BaselineText)});"
            " write a new one with 'asasr-bench baseline'"
        ) from None
    if not any(score.value is not None for output in snapshot.outputs.values() for score in output.scores.values()):
        raise BaselineError(f"{path}: has no values, so nothing could be checked against it; write a new baseline")
    return snapshot


def to_json(snapshot: Snapshot) -> str:
    """The text of a baseline file."""
    head = {
        "format": FORMAT,
        "name": snapshot.name,
        "started": snapshot.started,
        "tolerances": dict(snapshot.tolerances),
        "origins": [asdict(origin) for origin in snapshot.origins],
        "methods": {name: dict(card) for name, card in snapshot.methods.items()},
    }
    lines = [json.dumps(_output(place, output), ensure_ascii=False) for place, output in snapshot.outputs.items()]
    text = json.dumps(head, indent=1, sort_keys=True, ensure_ascii=False)
    return text.removesuffix("\n}") + ',\n "outputs": [\n' + ",\n".join(lines) + "\n]}\n"


def _output(place: Place, output: OutputState) -> list[Any]:
    scores = {metric: _score(score) for metric, score in output.scores.items()}
    return [*place, output.lq, output.reference, output.sr, output.restoration, output.origin, scores]


def _score(score: ScoreState) -> list[Any] | str:
    if score.value is None:
        return score.message
    value = score.value
    return [("inf" if value > 0 else "-inf") if isinf(value) else value, score.key, score.origin]


def _used(snapshot: Snapshot) -> Snapshot:
    """The snapshot without the origins that no cell refers to."""
    numbers = {output.origin for output in snapshot.outputs.values()}
    numbers |= {score.origin for output in snapshot.outputs.values() for score in output.scores.values()}
    order = sorted(number for number in numbers if number is not None)
    new = {old: place for place, old in enumerate(order)}
    return replace(
        snapshot,
        origins=tuple(snapshot.origins[number] for number in order),
        outputs={
            place: replace(
                output,
                origin=None if output.origin is None else new[output.origin],
                scores={
                    metric: replace(score, origin=None if score.origin is None else new[score.origin])
                    for metric, score in output.scores.items()
                },
            )
            for place, output in snapshot.outputs.items()
        },
    )
