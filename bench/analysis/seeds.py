"""Stability over seeds: how much a method's output for one image depends on its seed.

G-STD and L-STD of Sun et al., "Improving the stability of diffusion models for content consistent super-resolution"
(CCSR), 2024: the standard deviation over seeds of a metric, and of each pixel, averaged over images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ...datasets.errors import BenchError
from ...datasets.images import as_rgb
from ...datasets.names import did_you_mean
from ..metrics.metric import Metric, Payload
from ..metrics.registry import metrics_of, stored_id
from ..store.images import Objects
from ..store.records import Place
from ..store.store import open_store
from .clusters import Clusters, clusters_of
from .per_image import names_with_scales, places_of
from .sets import combine, pseudo_values
from .statistics import interval

PIXELS = "L-STD"
"""Stands in place of a metric's id for the deviation of every pixel, in levels of 255."""
_PLACE = ["protocol", "scale", "dataset", "method"]


class StabilityError(BenchError, ValueError):
    """Stability cannot be computed; the message says why."""


@dataclass(frozen=True)
class Stability:
    """Deviation over seeds in one metric of one method on one dataset."""

    dataset: str
    protocol: str
    method: str
    metric: str
    """A metric's id (G-STD), or ``L-STD``."""
    value: float
    """Standard deviation over seeds (population): mean over images, or that of the set's value for a metric of sets."""
    low: float
    high: float
    """95 % interval over images."""
    seeds: int
    images: int
    title: str
    """Name in tables."""
    digits: int


def stability(root: Path, *, metrics: Sequence[str] | None = None, pixels: bool = True) -> list[Stability]:
    """Deviation over seeds of every seeded method of a store, on the images that have all seeds.

    Args:
        root: folder of the store.
        metrics: ids of metrics; default: all metrics of the store. For a metric of sets (mIoU, AP, FID) the deviation
            is that of the set's value.
        pixels: also read the images and compute the deviation of each pixel.

    Raises:
        StabilityError: no method has an image with two seeds, or the store has no values of a metric.
        StoreError: the folder is not a store.
    """
    with open_store(root) as store:
        scores, outputs = store.scores(), store.outputs()
        names = names_with_scales(outputs)
        objects, clusters = store.objects, clusters_of(store)
        scores = scores[scores["status"] == "done"]
        known = chosen_metrics(root, metrics_of(scores["metric"].unique(), store.metrics()), metrics)
        payloads = {id: dict(store.payloads(id)) for id, metric in known.items() if metric.of_set is not None}
    rows = []
    for (protocol, scale, dataset, method), group in outputs[outputs["status"] == "done"].groupby(_PLACE, sort=False):
        table = group.pivot(index="image", columns="seed", values="sr").dropna()
        if table.shape[1] < 2 or table.empty:
            continue
        method_scores = scores[(scores[_PLACE] == [protocol, scale, dataset, method]).all(axis=1)]
        deviations: list[tuple[str, str, int, Deviation | None]] = []
        for id, part in method_scores.groupby("metric", sort=False):
            if id not in known:
                continue
            metric = known[str(id)]
            if metric.of_set is None:
                deviation = _of_images(*_by_seed(part), str(dataset), clusters)
            else:
                groups = clusters.of(str(dataset), table.index)
                deviation = _of_sets(part, metric, payloads[metric.id], groups)
            deviations.append((metric.id, f"G-STD {metric.card.title}", metric.card.digits + 1, deviation))
        if pixels:
            levels = np.array([_pixel_deviation(objects, digests) for digests in table.to_numpy().tolist()])
            deviations.append((PIXELS, PIXELS, 3, _of_images(levels, list(table.index), str(dataset), clusters)))
        for id, title, digits, spread in deviations:
            if spread is not None:
                rows.append(
                    Stability(
                        names[protocol, scale, dataset],
                        str(protocol),
                        str(method),
                        id,
                        spread.value,
                        spread.low,
                        spread.high,
                        table.shape[1],
                        spread.images,
                        title,
                        digits,
                    )
                )
    if not rows:
        raise StabilityError(f"{root}: no method has an image restored with two seeds; run with --seed 0 --seed 1 ...")
    return rows


def chosen_metrics(root: Path, known: dict[str, Metric], requested: Sequence[str] | None) -> dict[str, Metric]:
    """The requested metrics of a store by id; all metrics if none are requested.

    Raises:
        StabilityError: the store has no values of a requested metric.
    """
    ids = [stored_id(id, known) for id in requested or known]
    for id in ids:
        if id not in known:
            raise StabilityError(f"{root}: has no values of metric '{id}'{did_you_mean(id, known)}")
    return {id: known[id] for id in ids}


@dataclass(frozen=True)
class Deviation:
    """A deviation over seeds with its 95 % interval over images."""

    value: float
    low: float
    high: float
    images: int


def _of_images(deviations: np.ndarray, images: list[str], dataset: str, clusters: Clusters) -> Deviation | None:
    if not deviations.size:
        return None
    bounds = interval(clusters.units(dataset, images, deviations))
    return Deviation(float(deviations.mean()), *bounds, deviations.size)


def _of_sets(
    scores: pd.DataFrame, metric: Metric, payloads: Mapping[Place, Payload], groups: Mapping[str, str] | None
) -> Deviation | None:
    """Deviation of the set's value over seeds, on the images that have all of them."""
    table = scores.pivot(index="image", columns="seed", values="status").dropna()
    by_seed: dict[int, dict[tuple[str, int], Payload]] = {}
    for place in places_of(scores[scores["image"].isin(table.index)]):
        if place in payloads:
            by_seed.setdefault(place.seed, {})[place.image, place.seed] = payloads[place]
    sets = [combine(metric, of_seed, groups) for of_seed in by_seed.values()]
    if (
        len(sets) < 2
        or len({set_value.images for set_value in sets}) > 1
        or any(np.isnan(set_value.value) for set_value in sets)
    ):
        return None
    value = float(np.std([set_value.value for set_value in sets]))
    count = sets[0].pseudo.size
    if count < 2:
        return Deviation(value, float("nan"), float("nan"), len(sets[0].images))
    # Values of the sets without one image follow from the pseudo-values; then their deviation over seeds.
    without = np.std(
        [set_value.value - (set_value.pseudo - set_value.value) / (count - 1) for set_value in sets], axis=0
    )
    low, high = interval(pseudo_values(value, without))
    return Deviation(value, float(np.maximum(0.0, low)), high, len(sets[0].images))


def _by_seed(scores: pd.DataFrame) -> tuple[np.ndarray, list[str]]:
    """Deviation over seeds of every image with a finite value for each seed, and the names of these images."""
    table = scores.pivot(index="image", columns="seed", values="value")
    complete = table[np.isfinite(table.to_numpy()).all(axis=1)]
    return complete.to_numpy().std(axis=1) if complete.size else np.empty(0), list(complete.index)


def _pixel_deviation(objects: Objects, digests: Sequence[str]) -> float:
    """Mean over pixels and channels of the deviation over seeds; outputs of one image have the same size."""
    total = square = None
    reference = None
    for digest in digests:
        image = as_rgb(objects.get(digest)).astype(np.float64)
        reference = image if reference is None else reference
        difference = image - reference  # small numbers, whose squares lose no precision
        total = difference if total is None else total + difference
        square = difference**2 if square is None else square + difference**2
    assert total is not None
    assert square is not None
    count = len(digests)
    return float(np.sqrt(np.maximum(square / count - (total / count) ** 2, 0)).mean())
