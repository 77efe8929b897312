"""Follow values through many stores over time: in which store a value changed its level, and what changed there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from math import isfinite, log
from pathlib import Path

import numpy as np

from ...reports.history import HistoryReport, Series, Step
from ..store.store import open_store
from .baseline import BaselineError, known_tolerances
from .check import compare, default_tolerance
from .snapshot import WHOLE, Snapshot, take_snapshot

_LEAST_FOR_NOISE = 6
"""Fewest values from which noise is estimated."""

Group = tuple[str, str, str, str]
"""Protocol, dataset, method and metric."""


def history(
    roots: Sequence[Path],
    *,
    methods: Collection[str] = (),
    datasets: Collection[str] = (),
    metrics: Collection[str] = (),
    tolerances: Mapping[str, float] | None = None,
) -> HistoryReport:
    """Follow every value through stores, in the order in which their latest runs started.

    Args:
        roots: folders of the stores, two or more.
        methods: names of methods to follow; empty: all.
        datasets: names of datasets to follow; empty: all.
        metrics: ids of metrics to follow; empty: all.
        tolerances: for a metric the largest difference that is no change of level, in its unit.

    Raises:
        BaselineError: fewer than two stores, or the selection has no cells.
        StoreError: a store cannot be read.
    """
    if len(roots) < 2:
        raise BaselineError("history: name two or more stores")
    snapshots = []
    for root in roots:
        with open_store(root) as store:
            snapshots.append(take_snapshot(store, methods=methods, datasets=datasets, metrics=metrics))
    order = sorted(range(len(roots)), key=lambda number: (snapshots[number].started, number))
    snapshots = [snapshots[number] for number in order]
    allowed = known_tolerances(tolerances or {}, *snapshots)
    means = [_means(snapshot) for snapshot in snapshots]
    series = []
    for group in dict.fromkeys(group for of_snapshot in means for group in of_snapshot):
        known = [snapshot.metrics for snapshot in snapshots]
        tolerance = allowed.get(group[3], default_tolerance(group[3], *known))
        points = [
            (number, of_snapshot[group])
            for number, of_snapshot in enumerate(means)
            if isfinite(of_snapshot.get(group, float("nan")))
        ]
        values = [value for _, value in points]
        steps = []
        places = find_steps(values, tolerance)
        for start, place, end in zip([0, *places], places, [*places[1:], len(values)], strict=False):
            (last, _), (first, _) = points[place - 1], points[place]
            levels = float(np.mean(values[start:place])), float(np.mean(values[place:end]))
            steps.append(_step(snapshots[last], snapshots[first], first, group, *levels))
        series.append(Series(*group, tuple(of_snapshot.get(group) for of_snapshot in means), tuple(steps)))
    if not series:
        raise BaselineError("history: these stores have no cells of these methods, datasets and metrics")
    return HistoryReport(
        tuple(str(roots[number]) for number in order), tuple(snapshot.started for snapshot in snapshots), tuple(series)
    )


def find_steps(values: Sequence[float], tolerance: float) -> list[int]:
    """Indices at which a new level begins: the piecewise constant fit with the lowest penalised squared error.

    Noise is estimated from the median distance of neighbouring values, on which single steps have no influence. It is
    at least ``tolerance``, and equal to it if there are too few values for an estimate. A step costs ``6 + 4 log n``
    noise variances, so that noise alone makes about one step in a hundred series. Exact, by dynamic programming.

    Args:
        values: values in the order of time.
        tolerance: lowest standard deviation of the noise, in the unit of the values.
    """
    series = np.asarray(values, dtype=np.float64)
    n = series.size
    if n < 2:
        return []
    spread = float(np.median(np.abs(np.diff(series)))) / (0.6745 * 2**0.5) if n >= _LEAST_FOR_NOISE else 0.0
    scale = max(spread, tolerance, 1e-12) ** 2
    penalty = 6 + 4 * log(n)
    shifted = series - series[0]
    sums, squares = np.concatenate([[0.0], np.cumsum(shifted)]), np.concatenate([[0.0], np.cumsum(shifted**2)])
    best, before = np.zeros(n + 1), np.zeros(n + 1, dtype=int)
    best[0] = -penalty
    for end in range(1, n + 1):
        starts = np.arange(end)
        error = squares[end] - squares[starts] - (sums[end] - sums[starts]) ** 2 / (end - starts)
        cost = best[starts] + penalty + np.maximum(error, 0) / scale
        before[end] = int(np.argmin(cost))
        best[end] = cost[before[end]]
    places, end = [], n
    while end > 0:
        end = int(before[end])
        if end > 0:
            places.append(end)
    return places[::-1]


def _means(snapshot: Snapshot) -> dict[Group, float]:
    """The value of each set: seeds are averaged within an image, then images."""
    values: dict[Group, dict[str, list[float]]] = {}
    for (protocol, _, dataset, image, method, _), output in snapshot.outputs.items():
        for metric, score in output.scores.items():
            known = snapshot.metrics[metric]
            if known.of_set is not None and image != WHOLE:
                continue  # the whole set has the value that counts
            if score.value is not None:
                images = values.setdefault((protocol, dataset, method, metric), {})
                value = np.array(score.value) if known is None else known.card.compared(np.array(score.value))
                images.setdefault(image, []).append(float(value))
    return {group: float(np.mean([np.mean(seeds) for seeds in images.values()])) for group, images in values.items()}


def _step(before: Snapshot, after: Snapshot, at: int, group: Group, old: float, new: float) -> Step:
    """A change of level, with the causes that the cells of the series show."""
    report = compare(_only(before, group), _only(after, group), {group[3]: 0.0}, names=("", ""))
    changed: Counter[str] = Counter()
    details: Counter[str] = Counter()
    packages: dict[str, tuple[str, str]] = {}
    for cell in report.cells:
        changed.update(cell.changed or (cell.verdict,))
        details.update(cell.details)
        packages |= cell.packages
    if report.extra:
        changed["other images"] += 1
    words = tuple(word for word, _ in changed.most_common())
    return Step(at, old, new, words, tuple(text for text, _ in details.most_common()), packages)


def _only(snapshot: Snapshot, group: Group) -> Snapshot:
    protocol, dataset, method, metric = group
    outputs = {
        place: replace(output, scores={metric: output.scores[metric]} if metric in output.scores else {})
        for place, output in snapshot.outputs.items()
        if (place.protocol, place.dataset, place.method) == (protocol, dataset, method)
    }
    return replace(snapshot, outputs=outputs)
