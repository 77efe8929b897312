"""Spread of a set's value over seeds: the standard deviation that papers print after ±, and the best seed.

Not the same as in ``seeds.py``, which has the deviation of each image; this is the deviation of the mean over images.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ...reports.board import SEED_COLUMNS
from ..metrics.card import Floats
from ..metrics.metric import Metric, Payload
from ..store.records import Place
from .per_image import places_of

_PLACE = ["protocol", "dataset", "method", "metric"]


def seed_spreads(
    scores: pd.DataFrame, metrics: Mapping[str, Metric], payloads: Mapping[str, Mapping[Place, Payload]]
) -> pd.DataFrame:
    """Rows of ``Board.seeds`` for all methods with two or more seeds, on the images that all seeds have.

    Args:
        scores: rows of cells; ``dataset`` has the names in tables and ``set`` those in the store.
        metrics: metrics by id.
        payloads: payloads of every metric of sets, by the metric's id.
    """
    several = scores.groupby(["protocol", "dataset", "method"], sort=False)["seed"].transform("nunique") > 1
    rows = []
    for place, part in scores[several].groupby(_PLACE, sort=False):
        metric = metrics[str(place[3])]
        values = _of_images(part, metric) if metric.of_set is None else _of_sets(part, metric, payloads[metric.id])
        if values.size > 1 and np.isfinite(values).all():
            best = float("nan")
            if metric.card.direction in ("higher", "lower", "zero"):
                best = float(values[int(np.argmin(metric.card.losses(values)))])
            rows.append((*place, values.size, float(values.std(ddof=1)), best))
    return pd.DataFrame(rows, columns=SEED_COLUMNS)


def _of_images(scores: pd.DataFrame, metric: Metric) -> Floats:
    """Mean over images for each seed ``[seeds]``."""
    compared = scores.assign(value=metric.card.compared(scores["value"].to_numpy(dtype=np.float64)))
    means: Floats = compared.pivot(index="image", columns="seed", values="value").dropna().mean().to_numpy()
    return means


def _of_sets(scores: pd.DataFrame, metric: Metric, payloads: Mapping[Place, Payload]) -> Floats:
    """The set's value for each seed ``[seeds]``."""
    assert metric.of_set is not None
    by_seed: dict[int, dict[str, Payload]] = {}
    for place in places_of(scores, dataset="set"):
        if place in payloads:
            by_seed.setdefault(place.seed, {})[place.image] = payloads[place]
    shared = sorted(set.intersection(*(set(of_seed) for of_seed in by_seed.values()))) if by_seed else []
    if not shared:
        return np.empty(0)
    return np.array([metric.of_set.combine([of_seed[image] for image in shared]) for of_seed in by_seed.values()])
