"""Images that are no independent samples: frames of one film, crops of one photo. Their cluster is the unit then.

A spec or a dataset's card says which image belongs to which cluster; intervals, tests and ranks count clusters. Means
stay means over images.
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
    """A rule of clusters that does not fit its dataset; the message says which images it meant."""


@dataclass(frozen=True)
class Clusters:
    """The clusters of the datasets of a store."""

    rules: Mapping[str, str | Mapping[str, str]] = field(default_factory=dict)
    """By dataset: a regular expression for names of images, or the cluster of each image."""

    def of(self, dataset: str, images: Iterable[str]) -> dict[str, str] | None:
        """The cluster of each image; None where images are the unit.

        A regular expression is matched from the beginning of a name; its first group names the cluster, without one all
        that it matched. An image that it does not match is a cluster of its own.

        Raises:
            ClusterError: the rule speaks of none of the images.
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
            told = "its list of clusters" if isinstance(rule, Mapping) else f"the rule of clusters '{rule}'"
            raise ClusterError(f"{dataset}: {told} speaks of none of its images, such as '{names[0]}'")
        return {name: f"cluster {known[name]}" if name in known else f"image {name}" for name in names}

    def units(self, dataset: str, images: Sequence[str], values: Floats) -> Floats:
        """Values of images as values of their clusters, where there are some; see ``of_clusters``."""
        clusters = self.of(dataset, images)
        return values if clusters is None else of_clusters(values, [clusters[name] for name in images])

    def count(self, dataset: str, images: Sequence[str]) -> int:
        """How many units these images are."""
        clusters = self.of(dataset, images)
        return len(images) if clusters is None else len(set(clusters.values()))


def clusters_of(store: Store, given: Mapping[str, Any] | None = None) -> Clusters:
    """What is known of the clusters of a store's datasets: given here, else by the latest spec, else by their cards."""
    named = {str(dataset) for (dataset,) in store.query("SELECT DISTINCT dataset FROM outputs")}
    rules: dict[str, Any] = {
        id: card.clusters
        for id in sorted(named.intersection(card_ids()))
        if (card := load_card(id)).clusters is not None
    }
    for run in store.runs():
        rules |= run.spec.clusters
    return Clusters(rules | dict(given or {}))


def of_clusters(values: Floats, clusters: Sequence[str]) -> Floats:
    """Pseudo-values of clusters, ``[images, ...]`` to ``[clusters, ...]``, whose mean is the mean over images.

    Each is larger by as much as its cluster makes the mean larger (the jackknife that leaves out a cluster at a time),
    so that intervals and tests of the mean over images hold where images of a cluster are alike. With clusters of one
    size they are the clusters' means.
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
