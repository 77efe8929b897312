"""How the value of a set differs from seed to seed: mean ± standard deviation of papers, and the best seed.

Another question than ``seeds.py`` asks: there the deviation is of each image, here of the mean over images.
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
    """Rows of ``Board.seeds`` of all methods that have values of two seeds or more, on the images that all seeds have.

    Args:
        scores: cells, with the names of datasets as in tables and those of the store as ``set``.
        metrics: by id.
        payloads: of every metric of sets, by its id.
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
    """Mean over images of each seed ``[seeds]``."""
    compared = scores.assign(value=metric.card.compared(scores["value"].to_numpy(dtype=np.float64)))
    means: Floats = compared.pivot(index="image", columns="seed", values="value").dropna().mean().to_numpy()
    return means


def _of_sets(scores: pd.DataFrame, metric: Metric, payloads: Mapping[Place, Payload]) -> Floats:
    """The set's value of each seed ``[seeds]``."""
    assert metric.of_set is not None
    by_seed: dict[int, dict[str, Payload]] = {}
    for place in places_of(scores, dataset="set"):
        if place in payloads:
            by_seed.setdefault(place.seed, {})[place.image] = payloads[place]
    shared = sorted(set.intersection(*(set(own) for own in by_seed.values()))) if by_seed else []
    if not shared:
        return np.empty(0)
    return np.array([metric.of_set.combine([own[image] for image in shared]) for own in by_seed.values()])
