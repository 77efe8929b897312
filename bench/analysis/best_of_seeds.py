"""Best, mean and worst of M samples of a seeded method: what a user can expect who draws M samples and keeps one.

Best@M, Mean@M and Worst@M of DP2O-SR (Wu et al., 2025). If S > M seeds are stored, the value is the exact mean over all
subsets of M seeds, which follows from the order of the S values; nothing is drawn at random.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import comb
from pathlib import Path

import numpy as np

from ..metrics.metric import Metric
from ..metrics.registry import metrics_of
from ..store.store import open_store
from .clusters import Clusters, clusters_of
from .per_image import names_with_scales
from .seeds import StabilityError, chosen_metrics
from .statistics import Floats, interval

_PLACE = ["protocol", "scale", "dataset", "method", "metric"]


@dataclass(frozen=True)
class BestOfSeeds:
    """Best, mean and worst of M samples of each image, in one metric of one method on one dataset."""

    dataset: str
    protocol: str
    method: str
    metric: str
    title: str
    digits: int
    samples: int
    """M, the number of samples of each image."""
    best: float
    """Mean over images of the expected best of M samples, by the metric's direction."""
    best_interval: tuple[float, float]
    """95 % interval over images."""
    mean: float
    worst: float
    seeds: int
    """S, the number of seeds that all images have."""
    images: int


def best_of_seeds(root: Path, *, metrics: Sequence[str] | None = None) -> list[BestOfSeeds]:
    """Best@M, Mean@M and Worst@M of every seeded method, for M = 1, 2, 4, ... and the number of all seeds.

    Only images with a finite value for every seed count. Metrics without a direction and metrics of whole sets, which
    have no value for an image, are left out.

    Args:
        root: folder of the store.
        metrics: ids of metrics; default: all metrics of the store.

    Raises:
        StabilityError: no method has an image with two seeds, or the store has no values of a metric.
        StoreError: the folder is not a store.
    """
    with open_store(root) as store:
        scores = store.scores()
        names = names_with_scales(scores)
        scores = scores[scores["status"] == "done"]
        known = chosen_metrics(root, metrics_of(scores["metric"].unique(), store.metrics()), metrics)
        clusters = clusters_of(store)
    rows: list[BestOfSeeds] = []
    for (protocol, scale, dataset, method, id), group in scores.groupby(_PLACE, sort=False):
        metric = known.get(str(id))
        if metric is None or metric.of_set is not None or metric.card.direction == "none":
            continue
        table = group.pivot(index="image", columns="seed", values="value")
        table = table[np.isfinite(table.to_numpy()).all(axis=1)]
        if table.shape[1] > 1 and len(table):
            place = names[protocol, scale, dataset], str(protocol), str(method)
            images = [str(name) for name in table.index]
            rows += _rows(place, str(dataset), metric, table.to_numpy(), images, clusters)
    if not rows:
        raise StabilityError(
            f"{root}: no method has an image with values of two seeds (in a metric of images that has a direction);"
            " run with --seed 0 --seed 1 ..."
        )
    return rows


def _rows(
    place: tuple[str, str, str], dataset: str, metric: Metric, values: Floats, images: list[str], clusters: Clusters
) -> Iterator[BestOfSeeds]:
    seeds = values.shape[1]
    compared = metric.card.compared(values)
    for samples in [2**power for power in range(seeds.bit_length()) if 2**power < seeds] + [seeds]:
        best, worst = expected_extremes(compared, samples, higher=metric.card.direction == "higher")
        bounds = interval(clusters.units(dataset, images, best))
        yield BestOfSeeds(
            *place,
            metric.id,
            metric.card.title,
            metric.card.digits,
            samples,
            float(best.mean()),
            bounds,
            float(compared.mean()),
            float(worst.mean()),
            seeds,
            len(images),
        )


def expected_extremes(values: Floats, samples: int, *, higher: bool) -> tuple[Floats, Floats]:
    """Expected best and worst of ``samples`` values drawn without replacement, of each image.

    Args:
        values: ``[images, seeds]``.
        samples: from 1 to the number of seeds.
        higher: whether the greater value is better.
    """
    seeds = values.shape[1]
    # The k-th smallest value is the smallest of a subset if the other members of the subset are larger values.
    weights = np.array([comb(seeds - 1 - place, samples - 1) for place in range(seeds)]) / comb(seeds, samples)
    ordered = np.sort(values, axis=1)
    least, greatest = ordered @ weights, ordered[:, ::-1] @ weights
    return (greatest, least) if higher else (least, greatest)
