"""Stability over seeds: how much a method's output for one image depends on its seed.

G-STD and L-STD of Sun et al., "Improving the stability of diffusion models for content consistent super-resolution"
(CCSR), 2024: the standard deviation over seeds of a metric, and of each pixel, averaged over images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ..datasets.images import as_rgb
from .metrics.metric import all_metrics
from .objects import Objects
from .statistics import bootstrap_ci
from .store import open_store

PIXELS = "L-STD"
"""In place of a metric's id: every pixel, in levels of 255."""
_PLACE = ["protocol", "scale", "dataset", "method"]


class StabilityError(ValueError):
    """Nothing to tell; the message says why."""


@dataclass(frozen=True)
class Stability:
    """One metric of one method on one dataset."""

    dataset: str
    protocol: str
    method: str
    metric: str
    """A metric's id (G-STD), or ``L-STD``."""
    value: float
    """Standard deviation over seeds (population), mean over images."""
    low: float
    high: float
    """Bootstrap interval over images."""
    seeds: int
    images: int


def stability(root: Path, *, metrics: Sequence[str] | None = None, pixels: bool = True) -> list[Stability]:
    """How every seeded method of a store varies over its seeds, on the images that have all of them.

    Args:
        metrics: ids; default: all that the store has.
        pixels: read the images and tell the deviation of each pixel as well.

    Raises:
        StabilityError: no method has an image with two seeds.
        StoreError: no store there.
    """
    with open_store(root) as store:
        scores, outputs = store.scores(), store.outputs()
        objects = store.objects
    scores = scores[(scores["status"] == "done") & scores["metric"].isin(metrics or all_metrics())]
    rows = []
    for (protocol, scale, dataset, method), group in outputs[outputs["status"] == "done"].groupby(_PLACE, sort=False):
        table = group.pivot(index="image", columns="seed", values="sr").dropna()
        if table.shape[1] < 2 or table.empty:
            continue
        here = scores[(scores[_PLACE] == [protocol, scale, dataset, method]).all(axis=1)]
        found = {str(id): _by_seed(part) for id, part in here.groupby("metric", sort=False)}
        if pixels:
            found[PIXELS] = np.array([_pixel_deviation(objects, digests) for digests in table.to_numpy().tolist()])
        for id, deviations in found.items():
            if deviations.size:
                low, high = bootstrap_ci(deviations)
                value = float(deviations.mean())
                rows.append(Stability(str(dataset), str(protocol), str(method), id, value, low, high,
                                      table.shape[1], deviations.size))  # fmt: skip
    if not rows:
        raise StabilityError(f"{root}: no method has an image restored with two seeds; run with --seed 0 --seed 1 ...")
    return rows


def _by_seed(scores: pd.DataFrame) -> np.ndarray:
    """Deviation over seeds of every image that has a finite value for each."""
    table = scores.pivot(index="image", columns="seed", values="value").to_numpy()
    complete = table[np.isfinite(table).all(axis=1)]
    return complete.std(axis=1) if complete.size else np.empty(0)


def _pixel_deviation(objects: Objects, digests: Sequence[str]) -> float:
    """Mean over pixels and channels of the deviation over seeds; images of one place have one size."""
    total = square = None
    reference = None
    for digest in digests:
        image = as_rgb(objects.get(digest)).astype(np.float64)
        reference = image if reference is None else reference
        difference = image - reference  # small numbers: their squares lose no digits
        total = difference if total is None else total + difference
        square = difference**2 if square is None else square + difference**2
    assert total is not None
    assert square is not None
    count = len(digests)
    return float(np.sqrt(np.maximum(square / count - (total / count) ** 2, 0)).mean())
