"""Methods compared in one metric on one dataset: all of them on the same images, whatever else each of them has."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..metrics.card import Floats
from ..metrics.metric import Metric, Payload
from ..store.records import Place
from .clusters import Clusters
from .confidence_set import can_tell, tied_with_best
from .per_image import per_image, places_of
from .sets import SetValue, combine
from .statistics import intervals

_LEAST_IN_COMMON = 0.5
"""Of the images that any method has: a method that leaves fewer in common takes no part, or one that failed on most
images would decide on which of them all others are compared."""


@dataclass(frozen=True)
class Entry:
    """What tables say of one method."""

    method: str
    value: float
    """Over all images that the method has."""
    low: float
    high: float
    n: int
    """Images that the method has."""


@dataclass(frozen=True)
class Contest:
    """One metric on one dataset under one protocol."""

    protocol: str
    dataset: str
    metric: Metric
    entries: tuple[Entry, ...]
    """All methods, those without a value and HR itself included."""
    methods: tuple[str, ...]
    """Those that are compared."""
    left_out: tuple[str, ...]
    """Those that have values, but of too few images."""
    images: int
    """That all compared methods have."""
    values: Floats
    """Of the compared methods over these images ``[methods]``."""
    units: Floats
    """Of each image ``[images, methods]``, or of each cluster, or group of images in a large set: its value, or its
    pseudo-value where the metric is one of sets or images are in clusters; their means are ``values``."""

    @property
    def tied(self) -> frozenset[str]:
        """Methods that cannot be told from the best on the images that all have; nobody where there are too few."""
        if self.metric.card.direction == "none" or len(self.methods) < 2:
            return frozenset()
        if not can_tell(len(self.units)) or np.isnan(self.units).any():
            return frozenset()
        best = self.methods[int(np.argmin(self.metric.card.losses(self.values)))]
        inside = tied_with_best(self.metric.card.losses(self.units))
        return frozenset(name for name, within in zip(self.methods, inside, strict=True) if within) - {best}


def contests(
    scores: pd.DataFrame,
    metrics: Mapping[str, Metric],
    payloads: Mapping[str, Mapping[Place, Payload]],
    ceilings: Container[str],
    clusters: Clusters = Clusters(),  # noqa: B008 - frozen
) -> Iterator[Contest]:
    """The contest of every protocol, dataset and metric.

    Args:
        scores: cells, with the names of datasets as in tables and those of the store as ``set``.
        payloads: of every metric of sets, by its id.
        ceilings: methods that compete with nobody, such as HR itself.
        clusters: of images that are no independent samples.
    """
    for (protocol, dataset, id), group in scores.groupby(["protocol", "dataset", "metric"], sort=False):
        metric = metrics[str(id)]
        if metric.of_set is None:
            yield _of_images(str(protocol), str(dataset), metric, group, ceilings, clusters)
        else:
            yield _of_sets(str(protocol), str(dataset), metric, group, payloads[metric.id], ceilings, clusters)


def _of_images(
    protocol: str, dataset: str, metric: Metric, group: pd.DataFrame, ceilings: Container[str], clusters: Clusters
) -> Contest:
    table, stored = per_image(group, metric), str(group["set"].iloc[0]) if "set" in group else dataset
    values = {str(name): table[name].dropna() for name in table}
    bounds = _intervals({name: clusters.units(stored, list(own.index), own.to_numpy()) for name, own in values.items()})
    entries = [
        Entry(name, float(own.to_numpy().mean()) if own.size else float("nan"), *bounds[name], own.size)
        for name, own in values.items()
    ]
    methods, left_out, images = in_common(
        {name: frozenset(own.index) for name, own in values.items() if name not in ceilings}
    )
    shared = table.loc[sorted(images), list(methods)].to_numpy(dtype=np.float64)
    means = shared.mean(0) if len(shared) else np.full(len(methods), np.nan)
    units = clusters.units(stored, sorted(images), shared)
    return Contest(protocol, dataset, metric, tuple(entries), methods, left_out, len(images), means, units)


def _of_sets(
    protocol: str,
    dataset: str,
    metric: Metric,
    group: pd.DataFrame,
    payloads: Mapping[Place, Payload],
    ceilings: Container[str],
    clusters: Clusters,
) -> Contest:
    groups = clusters.of(str(group["set"].iloc[0]), group["image"].unique())
    stored: dict[str, dict[tuple[str, int], Payload]] = {}
    for name, part in group.groupby("method", sort=False):
        places = places_of(part, dataset="set")
        stored[str(name)] = {(place.image, place.seed): payloads[place] for place in places if place in payloads}
    own = {name: combine(metric, found, groups) for name, found in stored.items()}
    bounds = _intervals({name: one.pseudo for name, one in own.items()})
    entries = [Entry(name, one.value, *bounds[name], len(one.images)) for name, one in own.items()]
    methods, left_out, images = in_common({name: one.images for name, one in own.items() if name not in ceilings})

    def shared(name: str) -> SetValue:
        if own[name].images == images:
            return own[name]
        inside = {place: payload for place, payload in stored[name].items() if place[0] in images}
        return combine(metric, inside, groups)

    parts = [shared(name) for name in methods]
    units = np.stack([part.pseudo for part in parts], axis=1) if parts else np.empty((0, 0))
    values = np.array([part.value for part in parts], dtype=np.float64)
    return Contest(protocol, dataset, metric, tuple(entries), methods, left_out, len(images), values, units)


def in_common(
    images: Mapping[str, frozenset[str]],
) -> tuple[tuple[str, ...], tuple[str, ...], frozenset[str]]:
    """Methods that are compared, those that have too few images for it, and the images that all compared ones have.

    Methods come in by the number of their images, as long as half of all images stay in common.

    Args:
        images: of each method; what none has (too small for a metric) is not asked of anybody.
    """
    everything = frozenset().union(*images.values())
    common, inside = everything, set[str]()
    for name in sorted((name for name, own in images.items() if own), key=lambda name: -len(images[name])):
        if len(common & images[name]) >= _LEAST_IN_COMMON * len(everything):
            common, inside = common & images[name], inside | {name}
    compared = tuple(name for name in images if name in inside)
    return compared, tuple(name for name, own in images.items() if own and name not in inside), common


def _intervals(values: Mapping[str, Floats]) -> dict[str, tuple[float, float]]:
    """Methods with the same number of images together."""
    sizes: dict[int, list[str]] = {}
    for name, own in values.items():
        sizes.setdefault(own.size, []).append(name)
    bounds = {}
    for names in sizes.values():
        for name, (low, high) in zip(names, intervals(np.stack([values[name] for name in names])), strict=True):
            bounds[name] = float(low), float(high)
    return bounds
