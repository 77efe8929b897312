"""Combined scores of challenges: a score from the means of several metrics, with an interval over images.

They are columns of the tables of their protocol, beside the metrics that they combine. They do not count in ranks,
since the metrics that they combine count already.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf, nan

import numpy as np
import pandas as pd

from ..metrics.card import Floats, MetricCard
from ..metrics.metric import Metric, SetMetric, per_image
from .clusters import Clusters
from .contests import Contest, Entry, in_common
from .per_image import per_image as values_per_image
from .sets import pseudo_values
from .statistics import FEWEST, LEVEL, resampled

_RESAMPLES = 10_000


@dataclass(frozen=True)
class Part:
    """Contribution of one metric to a score: ``max(least, offset + slope * mean)``."""

    metric: str
    slope: float
    offset: float = 0.0
    least: float = -inf

    def __str__(self) -> str:
        inner = self.metric
        if abs(self.slope) != 1:
            inner = f"{inner} / {1 / abs(self.slope):g}"
        if self.offset or self.slope < 0:
            inner = f"{self.offset:g} {'-' if self.slope < 0 else '+'} {inner}"
        return f"({inner})" if self.least == -inf else f"max({self.least:g}, {inner})"


@dataclass(frozen=True)
class Composite:
    """A score of a set: the sum of its parts, each computed from the mean of a metric over the set."""

    id: str
    title: str
    protocols: tuple[str, ...]
    """Protocols in whose tables the score is shown."""
    parts: tuple[Part, ...]
    source: str

    @property
    def formula(self) -> str:
        """The score as a formula of ids of metrics."""
        return " + ".join(map(str, self.parts))

    def of_means(self, means: Floats) -> Floats:
        """Scores ``[...]`` from means of the parts' metrics ``[..., parts]``."""
        slopes, offsets, least = (
            np.array([getattr(part, name) for part in self.parts]) for name in ("slope", "offset", "least")
        )
        score: Floats = np.maximum(least, offsets + slopes * means).sum(-1)
        return score

    def metric(self) -> Metric:
        """The score as a metric, for the heads of tables. It has no value for a single image."""
        note = f"of the means: {self.formula} ({self.source})"
        card = MetricCard(self.id, self.title, "", 4, "higher", note, combined=True)
        return Metric(card, per_image(lambda image: nan), SetMetric(lambda payloads: nan))


COMPOSITES = (
    Composite(
        "ntire_perceptual",
        "NTIRE score",
        ("ntire-sr-x4",),
        (
            Part("lpips_alex", -1, 1),
            Part("dists", -1, 1),
            Part("clipiqa", 1),
            Part("maniqa_koniq", 1),
            Part("musiq_koniq", 0.01),
            Part("niqe", -0.1, 1, least=0),
        ),
        "NTIRE 2025 and 2026, image SR x4, perceptual track",
    ),
)


def composite_contests(
    scores: pd.DataFrame, metrics: Mapping[str, Metric], ceilings: Container[str], clusters: Clusters
) -> Iterator[Contest]:
    """The contest of every combined score whose protocol and metrics a store has.

    Args:
        scores: rows of cells, as in ``contests``.
        metrics: metrics of the store by id.
        ceilings: methods that are not compared with others, such as HR itself.
        clusters: clusters of images that are not independent samples.
    """
    for (protocol, dataset), group in scores.groupby(["protocol", "dataset"], sort=False):
        for composite in COMPOSITES:
            ids = [part.metric for part in composite.parts]
            if protocol in composite.protocols and set(ids) <= set(group["metric"]):
                yield _contest(composite, str(protocol), str(dataset), group, metrics, ceilings, clusters)


def _contest(
    composite: Composite,
    protocol: str,
    dataset: str,
    group: pd.DataFrame,
    metrics: Mapping[str, Metric],
    ceilings: Container[str],
    clusters: Clusters,
) -> Contest:
    stored = str(group["set"].iloc[0]) if "set" in group else dataset
    tables = _by_method(composite, group, metrics)
    entries = tuple(_entry(composite, name, table, clusters, stored) for name, table in tables.items())
    methods, left_out, images = in_common(
        {name: frozenset(table.index) for name, table in tables.items() if name not in ceilings}
    )
    shared = [tables[name].loc[sorted(images)].to_numpy(dtype=np.float64) for name in methods]
    values = np.array([composite.of_means(part.mean(0)) if len(part) else nan for part in shared], dtype=np.float64)
    units = [clusters.units(stored, sorted(images), part) for part in shared]
    pseudo = [_pseudo(composite, part) for part in units]
    stacked = np.stack(pseudo, axis=1) if pseudo else np.empty((0, 0))
    return Contest(protocol, dataset, composite.metric(), entries, methods, left_out, len(images), values, stacked)


def _by_method(composite: Composite, group: pd.DataFrame, metrics: Mapping[str, Metric]) -> dict[str, pd.DataFrame]:
    """Values ``[images, parts]`` of each method on the images that have all parts; seeds are averaged."""
    parts = {
        part.metric: values_per_image(group[group["metric"] == part.metric], metrics[part.metric])
        for part in composite.parts
    }
    names = dict.fromkeys(name for table in parts.values() for name in table)
    return {
        str(name): pd.DataFrame({id: table[name] for id, table in parts.items() if name in table})
        .reindex(columns=list(parts))
        .dropna()
        for name in names
    }


def _entry(composite: Composite, name: str, table: pd.DataFrame, clusters: Clusters, stored: str) -> Entry:
    values = table.to_numpy(dtype=np.float64)
    if not len(values):
        return Entry(name, nan, nan, nan, 0)
    units = clusters.units(stored, list(table.index), values)
    return Entry(name, float(composite.of_means(values.mean(0))), *_interval(composite, units), len(values))


def _interval(composite: Composite, units: Floats) -> tuple[float, float]:
    """95 % percentile bootstrap over images, the same resampled images for all parts; NaN for fewer than five."""
    if len(units) < FEWEST or not np.isfinite(units).all():
        return nan, nan
    draws = composite.of_means(resampled(units, _RESAMPLES))
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _pseudo(composite: Composite, units: Sequence[Floats] | Floats) -> Floats:
    """Jackknife pseudo-value of each image for the score; their mean is the score."""
    values = np.asarray(units, dtype=np.float64)
    count = len(values)
    if count < 2:
        return np.full(count, nan)
    without = composite.of_means((values.sum(0) - values) / (count - 1))
    return pseudo_values(float(composite.of_means(values.mean(0))), without)
