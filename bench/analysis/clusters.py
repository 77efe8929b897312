"""Clusters of images that are not independent samples, such as frames of one film or crops of one photo.

A spec or a dataset's card says which image belongs to which cluster. Intervals, tests and ranks then count clusters
instead of images; means stay means over images.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...datasets.card import card_ids, load_card
from ...datasets.errors import BenchError
from ..plan.part import whole_of
from ..store.store import Store
from .statistics import Floats


class ClusterError(BenchError, ValueError):
    """A rule of clusters that matches no image of its dataset; the message names an image."""


@dataclass(frozen=True)
class Clusters:
    """The clusters of the datasets of a store."""

    rules: Mapping[str, str | Mapping[str, str]] = field(default_factory=dict)
    """By dataset: a regular expression for names of images, or the cluster of each image."""

    def of(self, dataset: str, images: Iterable[str]) -> dict[str, str] | None:
        """The cluster of each image; None if the dataset has no clusters.

        A regular expression is matched from the beginning of an image's name. Its first group names the cluster; if it
        has no group, the whole match does. An image that the expression does not match is a cluster of its own.

        Raises:
            ClusterError: the rule matches none of the images.
        """
        rule = self.rules.get(whole_of(dataset))
        if rule is None:
            return None
        names = list(images)
        if isinstance(rule, Mapping):
            known = {name: rule[name] for name in names if name in rule}
        else:
            matches = {name: match for name in names if (match := re.match(rule, name))}
            known = {name: str(match[1] if match.re.groups else match[0]) for name, match in matches.items()}
        if names and not known:
            rule_text = "its list of clusters" if isinstance(rule, Mapping) else f"the rule of clusters '{rule}'"
            raise ClusterError(f"{dataset}: {rule_text} matches none of its images, such as '{names[0]}'")
        return {name: f"cluster {known[name]}" if name in known else f"image {name}" for name in names}

    def units(self, dataset: str, images: Sequence[str], values: Floats) -> Floats:
        """Values ``[images, ...]`` as values of clusters if the dataset has clusters; see ``of_clusters``."""
        clusters = self.of(dataset, images)
        return values if clusters is None else of_clusters(values, [clusters[name] for name in images])

    def count(self, dataset: str, images: Sequence[str]) -> int:
        """Number of clusters of these images, or of images if the dataset has no clusters."""
        clusters = self.of(dataset, images)
        return len(images) if clusters is None else len(set(clusters.values()))


def clusters_of(store: Store, overrides: Mapping[str, Any] | None = None) -> Clusters:
    """Clusters of a store's datasets: from ``overrides``, else from the latest spec, else from the datasets' cards."""
    named = {str(dataset) for (dataset,) in store.query("SELECT DISTINCT dataset FROM outputs")}
    rules: dict[str, Any] = {
        id: card.clusters
        for id in sorted(named.intersection(card_ids()))
        if (card := load_card(id)).clusters is not None
    }
    for run in store.runs():
        rules |= run.spec.clusters
    return Clusters(rules | dict(overrides or {}))


def of_clusters(values: Floats, clusters: Sequence[str]) -> Floats:
    """Pseudo-values of clusters, ``[images, ...]`` to ``[clusters, ...]``, whose mean is the mean over images.

    They come from the jackknife that leaves out one cluster at a time: a pseudo-value is larger by as much as its
    cluster makes the mean larger. So intervals and tests of the mean over images are valid although images of a cluster
    are alike. If all clusters have the same size, the pseudo-values are the means of the clusters.
    """
    codes = np.unique(np.asarray(clusters), return_inverse=True)[1]
    count = int(codes.max(initial=-1)) + 1
    if count < 2:
        return values.mean(0, keepdims=True) if count else values
    sums = np.zeros((count, *values.shape[1:]))
    np.add.at(sums, codes, values)
    sizes = np.bincount(codes).reshape(-1, *(1,) * (values.ndim - 1))
    without = (sums.sum(0) - sums) / (len(values) - sizes)
    pseudo: Floats = values.mean(0) + (count - 1) * (without.mean(0) - without)
    return pseudo
