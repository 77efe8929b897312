"""Compare two snapshots cell by cell, and say what changed: input, method output, or measurement."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from math import inf, isinf
from pathlib import Path

from ...reports.drift import CellDrift, DriftReport
from ..metrics.metric import Metric
from ..metrics.registry import metrics_of
from ..store.records import Place
from ..store.store import open_store
from .baseline import known_tolerances, read_baseline
from .snapshot import Origin, OutputState, ScoreState, Snapshot, take_snapshot

INPUT, METHOD, MEASUREMENT = "input", "method output", "measurement"
Packages = dict[str, tuple[str, str]]


def check_store(root: Path, baseline: Path, tolerances: Mapping[str, float] | None = None) -> DriftReport:
    """Compare a store with a baseline.

    Args:
        root: folder of the store.
        baseline: file of the baseline.
        tolerances: for a metric the largest difference that is no drift, in its unit; replaces the tolerance of the
            baseline and the default of the metric.

    Raises:
        BaselineError, StoreError: the baseline or the store cannot be read.
    """
    before = read_baseline(baseline)
    with open_store(root) as store:
        after = take_snapshot(store)
    return compare(before, after, known_tolerances(tolerances or {}, before, after), names=(baseline.name, root.name))


def default_tolerance(metric: str, *known: Mapping[str, Metric]) -> float:
    """Half a unit of the last printed digit; a smaller difference changes a table by its rounding at most.

    Args:
        metric: id of the metric.
        known: metrics of snapshots by id, searched first.
    """
    metric_of_id = (
        next((of_snapshot[metric] for of_snapshot in known if metric in of_snapshot), None)
        or metrics_of([metric])[metric]
    )
    return 0.5 * 10.0**-metric_of_id.card.digits


def compare(
    before: Snapshot, after: Snapshot, tolerances: Mapping[str, float], *, names: tuple[str, str]
) -> DriftReport:
    """Report every cell of ``before`` that differs in ``after`` by more than its tolerance, or is missing there.

    Args:
        before: the baseline.
        after: the store.
        tolerances: for a metric the largest difference that is no drift, in its unit.
        names: names of the baseline and of the store for the report.
    """
    cells: list[CellDrift] = []
    compared = within = 0
    for place, old in before.outputs.items():
        new = after.outputs.get(place)
        for metric, score in old.scores.items():
            tolerance = tolerances.get(metric, before.tolerances.get(metric, default_tolerance(metric, after.metrics)))
            now = None if new is None else new.scores.get(metric)
            if score.value is None:
                continue  # the baseline has no value; a new value is no drift
            if new is None or now is None or now.value is None:
                cells.append(_missing(place, metric, score.value, tolerance, now))
                continue
            compared += 1
            if _distance(score.value, now.value) > tolerance:
                cells.append(_drifted(before, after, place, metric, (old, new), (score, now), tolerance))
            elif old.sr != new.sr or score.value != now.value:
                within += 1
    cells.sort(key=_severity, reverse=True)
    return DriftReport(
        names[0], names[1], compared, tuple(cells), tuple(_extra(before, after)), within, _all_packages(before, after)
    )


def _severity(cell: CellDrift) -> float:
    """Difference in multiples of the tolerance; infinite for a missing cell or a tolerance of 0."""
    if cell.after is None or not cell.tolerance:
        return inf
    return _distance(cell.before, cell.after) / cell.tolerance


def groups(snapshot: Snapshot) -> list[tuple[str, str, str, str]]:
    """Protocol, dataset, method and metric of all cells with a value, in order, each once."""
    cells = {
        (place.protocol, place.dataset, place.method, metric): None
        for place, output in snapshot.outputs.items()
        for metric, score in output.scores.items()
        if score.value is not None
    }
    return list(cells)


def _distance(first: float, second: float) -> float:
    return 0.0 if first == second else inf if isinf(first) or isinf(second) else abs(first - second)


def _missing(place: Place, metric: str, value: float, tolerance: float, now: ScoreState | None) -> CellDrift:
    reason = now.message if now is not None and now.message else "the store has no such cell"
    return CellDrift(*place, metric, "missing", value, None, tolerance, (), (reason,), {})


def _drifted(
    before: Snapshot,
    after: Snapshot,
    place: Place,
    metric: str,
    outputs: tuple[OutputState, OutputState],
    scores: tuple[ScoreState, ScoreState],
    tolerance: float,
) -> CellDrift:
    (old, new), (score, now) = outputs, scores
    assert score.value is not None
    assert now.value is not None
    changed, details, packages = [], [], Packages()
    inputs = [
        word for word, is_same in (("LQ", old.lq == new.lq), ("HR", old.reference == new.reference)) if not is_same
    ]
    if inputs:
        changed.append(INPUT)
        details.append(f"{' and '.join(inputs)} pixels differ")
    cards = [snapshot.methods.get(place.method, {}) for snapshot in (before, after)]
    method = _method_change(old, new, cards)
    if method:
        changed.append(METHOD)
        details.append(method)
        packages |= _versions(before.origins, old.origin, after.origins, new.origin)
    if old.sr == new.sr and old.reference == new.reference:
        changed.append(MEASUREMENT)
        details.append(
            "same pixels and key, other value: code or packages changed under the same version"
            if score.key == now.key
            else "another version, weight file or protocol version of the metric"
        )
        packages |= _versions(before.origins, score.origin, after.origins, now.origin)
    elif not changed:
        changed.append(METHOD)
        details.append("other SR pixels")
    return CellDrift(
        *place, metric, "drift", score.value, now.value, tolerance, tuple(changed), tuple(details), packages
    )


def _method_change(old: OutputState, new: OutputState, cards: list[Mapping[str, str]]) -> str:
    """How the method changed, in words; '' if the output did not change, or changed because of its LQ."""
    parts = [
        f"{word} {cards[0].get(key) or 'none'} → {cards[1].get(key) or 'none'}"
        for key, word in (("weights", "weights"), ("version", "code version"))
        if cards[0].get(key, "") != cards[1].get(key, "")
    ]
    if old.sr == new.sr:
        return ""
    if parts:
        return "other SR pixels: " + ", ".join(parts)
    if old.lq != new.lq:
        return ""  # another LQ gives another output
    if old.restoration != new.restoration:
        return "other SR pixels: other settings, code or files of the method"
    return "other SR pixels by the same version, weights and settings: code, packages or machine"


def _versions(
    first: tuple[Origin, ...], first_number: int | None, second: tuple[Origin, ...], second_number: int | None
) -> Packages:
    if first_number is None or second_number is None:
        return {}
    return _differing(first[first_number], second[second_number])


def _differing(first: Origin, second: Origin) -> Packages:
    pairs = {
        name: (first.packages.get(name, ""), second.packages.get(name, ""))
        for name in sorted({*first.packages, *second.packages})
    }
    pairs |= {"python": (first.python, second.python), "device": (first.device, second.device)}
    if first.processor and second.processor:  # older baselines do not name it
        pairs["processor"] = first.processor, second.processor
    pairs["code"] = _commit(first), _commit(second)
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _commit(origin: Origin) -> str:
    """The first ten digits of a commit, with a plus sign if there were uncommitted changes."""
    commit, plus, _ = origin.code.partition("+")
    return commit[:10] + plus


def _all_packages(before: Snapshot, after: Snapshot) -> Packages:
    """Packages and other surroundings that differ between the latest runs."""
    if not before.origins or not after.origins:
        return {}
    return _differing(before.origins[-1], after.origins[-1])


def _extra(before: Snapshot, after: Snapshot) -> Iterator[str]:
    counts: Counter[tuple[str, str, str, str]] = Counter()
    for place, output in after.outputs.items():
        known = before.outputs[place].scores if place in before.outputs else {}
        for metric, score in output.scores.items():
            if score.value is not None and (metric not in known or known[metric].value is None):
                counts[place.protocol, place.dataset, place.method, metric] += 1
    for (protocol, dataset, method, metric), count in sorted(counts.items()):
        yield f"{dataset}, {method}, {metric} ({protocol}): {count} cells"
