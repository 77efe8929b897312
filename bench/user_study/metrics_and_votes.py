"""How far the metrics of a store go with the votes of people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import stats

from ...reports.user_study.board import MetricRow
from ..analysis.per_image import per_image, places_of
from ..analysis.sets import combine
from ..metrics.metric import Metric
from ..metrics.registry import metrics_of
from ..store.store import Store
from .ballots import Ballots, Floats, Vote, estimate
from .key import StudyKey


def metric_rows(
    store: Store, key: StudyKey, votes: Sequence[Vote], counted: Ballots, strengths: Mapping[str, float]
) -> list[MetricRow]:
    """Every metric of the store that has a direction and values of the study's images, the best predictor first."""
    scores = store.scores()
    scores = scores[
        (scores["protocol"] == key.protocol) & (scores["scale"] == key.scale) & (scores["status"] == "done")
    ]
    scores = scores[scores["method"].isin(key.methods)]
    judged = {(trial.dataset, trial.image) for trial in key.trials if trial.expected is None}
    scores = scores[pd.MultiIndex.from_frame(scores[["dataset", "image"]]).isin(judged)]
    known = metrics_of(scores["metric"].unique(), store.metrics())
    rows = []
    for id, group in scores.groupby("metric", sort=False):
        metric = known[str(id)]
        if metric.card.direction == "none":
            continue
        if metric.of_set is None:
            row = _of_images(metric, group, votes, counted, strengths)
        else:
            row = _row(metric, (np.nan, np.nan, np.nan), _set_losses(store, metric, group), strengths)
        if row is not None:
            rows.append(row)
    return sorted(rows, key=lambda one: -np.nan_to_num(one.predicted, nan=-1))


def _of_images(
    metric: Metric, scores: pd.DataFrame, votes: Sequence[Vote], counted: Ballots, strengths: Mapping[str, float]
) -> MetricRow | None:
    tables = {str(dataset): per_image(part, metric) for dataset, part in scores.groupby("dataset", sort=False)}
    losses: dict[tuple[str, str, str], float] = {}
    for dataset, table in tables.items():
        values = metric.card.losses(table.to_numpy(dtype=np.float64))
        for row, image in enumerate(table.index):
            for column, method in enumerate(table.columns):
                losses[dataset, str(image), str(method)] = float(values[row, column])
    parts = np.array([_predicted(vote, losses) for vote in votes])
    if not parts[:, 1].sum():
        return None

    def share(sums: Floats) -> Floats:
        with np.errstate(invalid="ignore"):
            shares: Floats = sums[..., :1] / sums[..., 1:]
        return shares

    one = estimate(counted, parts, share)
    means = {name: np.mean([value for (_, _, own), value in losses.items() if own == name]) for name in strengths}
    return _row(metric, (one.value[0], one.low[0], one.high[0]), {n: float(v) for n, v in means.items()}, strengths)


def _predicted(vote: Vote, losses: Mapping[tuple[str, str, str], float]) -> tuple[float, float]:
    """In how many of a vote's preferences the metric agrees, ties of it half, and how many there are."""
    if vote.choice is None:
        return 0.0, 0.0
    agreed = asked = 0.0
    best = losses.get((vote.dataset, vote.image, vote.choice), np.nan)
    for other in vote.methods:
        loss = losses.get((vote.dataset, vote.image, other), np.nan)
        if other != vote.choice and not np.isnan(best + loss):
            asked += 1
            agreed += (best < loss) + 0.5 * (best == loss)
    return agreed, asked


def _set_losses(store: Store, metric: Metric, scores: pd.DataFrame) -> dict[str, float]:
    """Of each method, on the study's images; of several sets the mean."""
    payloads = dict(store.payloads(metric.id))
    values: dict[str, list[float]] = {}
    for (_, method), part in scores.groupby(["dataset", "method"], sort=False):
        own = {(place.image, place.seed): payloads[place] for place in places_of(part) if place in payloads}
        values.setdefault(str(method), []).append(combine(metric, own).value)
    return {name: float(metric.card.losses(np.array([np.mean(own)]))[0]) for name, own in values.items()}


def _row(
    metric: Metric, predicted: tuple[float, float, float], losses: Mapping[str, float], strengths: Mapping[str, float]
) -> MetricRow:
    names = [name for name in strengths if np.isfinite(losses.get(name, np.nan))]
    ours, theirs = [strengths[name] for name in names], [-losses[name] for name in names]
    srcc = kendall = float("nan")
    if len(names) > 2 and len(set(theirs)) > 1 and len(set(ours)) > 1:
        srcc, kendall = float(stats.spearmanr(ours, theirs)[0]), float(stats.kendalltau(ours, theirs)[0])
    share, low, high = map(float, predicted)
    return MetricRow(metric.card.id, metric.card.title, share, low, high, srcc, kendall)
