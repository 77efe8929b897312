"""Comparison of methods in one metric on one dataset, all on the images that every compared method has."""

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
"""Share of all images that the compared methods have in common at least. A method that would leave fewer is left out;
else a method that failed on most images would decide on which images all others are compared."""


@dataclass(frozen=True)
class Entry:
    """The row of one method in tables."""

    method: str
    value: float
    """Value over all images that the method has."""
    low: float
    high: float
    n: int
    """Number of images that the method has."""


@dataclass(frozen=True)
class Contest:
    """Methods compared in one metric on one dataset under one protocol."""

    protocol: str
    dataset: str
    metric: Metric
    entries: tuple[Entry, ...]
    """All methods, including HR itself and methods without a value."""
    methods: tuple[str, ...]
    """Methods that are compared."""
    left_out: tuple[str, ...]
    """Methods that have values, but on too few images to be compared."""
    images: int
    """Number of images that all compared methods have."""
    values: Floats
    """Values ``[methods]`` of the compared methods over these images."""
    units: Floats
    """Values ``[images, methods]`` of the compared methods on each image, whose means are ``values``; pseudo-values if
    the metric is one of whole sets or images are in clusters, then one for each cluster, or group of images in a large
    set."""

    @property
    def tied(self) -> frozenset[str]:
        """Methods that are not significantly worse than the best on the common images; empty for too few images."""
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
        scores: rows of cells; ``dataset`` has the names in tables and ``set`` those in the store.
        metrics: metrics by id.
        payloads: payloads of every metric of sets, by the metric's id.
        ceilings: methods that are not compared with others, such as HR itself.
        clusters: clusters of images that are not independent samples.
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
    bounds = _intervals(
        {
            name: clusters.units(stored, list(of_method.index), of_method.to_numpy())
            for name, of_method in values.items()
        }
    )
    entries = [
        Entry(
            name, float(of_method.to_numpy().mean()) if of_method.size else float("nan"), *bounds[name], of_method.size
        )
        for name, of_method in values.items()
    ]
    methods, left_out, images = in_common(
        {name: frozenset(of_method.index) for name, of_method in values.items() if name not in ceilings}
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
    sets = {name: combine(metric, of_method, groups) for name, of_method in stored.items()}
    bounds = _intervals({name: set_value.pseudo for name, set_value in sets.items()})
    entries = [Entry(name, set_value.value, *bounds[name], len(set_value.images)) for name, set_value in sets.items()]
    methods, left_out, images = in_common(
        {name: set_value.images for name, set_value in sets.items() if name not in ceilings}
    )

    def shared(name: str) -> SetValue:
        if sets[name].images == images:
            return sets[name]
        inside = {place: payload for place, payload in stored[name].items() if place[0] in images}
        return combine(metric, inside, groups)

    parts = [shared(name) for name in methods]
    units = np.stack([part.pseudo for part in parts], axis=1) if parts else np.empty((0, 0))
    values = np.array([part.value for part in parts], dtype=np.float64)
    return Contest(protocol, dataset, metric, tuple(entries), methods, left_out, len(images), values, units)


def in_common(
    images: Mapping[str, frozenset[str]],
) -> tuple[tuple[str, ...], tuple[str, ...], frozenset[str]]:
    """Methods that are compared, methods with too few images for that, and the images that all compared ones have.

    Methods are added in the order of the number of their images, as long as at least half of all images stay common.

    Args:
        images: images of each method; an image that no method has (too small for a metric) does not count.
    """
    everything = frozenset().union(*images.values())
    common, inside = everything, set[str]()
    for name in sorted((name for name, of_method in images.items() if of_method), key=lambda name: -len(images[name])):
        if len(common & images[name]) >= _LEAST_IN_COMMON * len(everything):
            common, inside = common & images[name], inside | {name}
    compared = tuple(name for name in images if name in inside)
    return compared, tuple(name for name, of_method in images.items() if of_method and name not in inside), common


def _intervals(values: Mapping[str, Floats]) -> dict[str, tuple[float, float]]:
    """Interval of each method; methods with the same number of images are computed together."""
    sizes: dict[int, list[str]] = {}
    for name, of_method in values.items():
        sizes.setdefault(of_method.size, []).append(name)
    bounds = {}
    for names in sizes.values():
        for name, (low, high) in zip(names, intervals(np.stack([values[name] for name in names])), strict=True):
            bounds[name] = float(low), float(high)
    return bounds
