"""Agreement of the metrics of a store with the votes of raters."""

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
    """Agreement of each metric with the votes, the best predictor first.

    Metrics without a direction and metrics without values on the study's images are left out.

    Args:
        store: the store from which the study was made.
        key: key of the study.
        votes: votes that count.
        counted: the same votes as arrays.
        strengths: strength of each method from the votes, in log-odds.
    """
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
    return sorted(rows, key=lambda row: -np.nan_to_num(row.predicted, nan=-1))


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

    agreement = estimate(counted, parts, share)
    means = {name: np.mean([value for (_, _, method), value in losses.items() if method == name]) for name in strengths}
    return _row(
        metric,
        (agreement.value[0], agreement.low[0], agreement.high[0]),
        {n: float(v) for n, v in means.items()},
        strengths,
    )


def _predicted(vote: Vote, losses: Mapping[tuple[str, str, str], float]) -> tuple[float, float]:
    """Number of a vote's preferences with which the metric agrees (ties count half), and number of its preferences."""
    if vote.choice is None:
        return 0.0, 0.0
    agreed = comparable = 0.0
    best = losses.get((vote.dataset, vote.image, vote.choice), np.nan)
    for method in vote.methods:
        loss = losses.get((vote.dataset, vote.image, method), np.nan)
        if method != vote.choice and not np.isnan(best + loss):
            comparable += 1
            agreed += (best < loss) + 0.5 * (best == loss)
    return agreed, comparable


def _set_losses(store: Store, metric: Metric, scores: pd.DataFrame) -> dict[str, float]:
    """Loss of each method on the study's images; the mean over several sets."""
    payloads = dict(store.payloads(metric.id))
    values: dict[str, list[float]] = {}
    for (_, method), part in scores.groupby(["dataset", "method"], sort=False):
        of_method = {(place.image, place.seed): payloads[place] for place in places_of(part) if place in payloads}
        values.setdefault(str(method), []).append(combine(metric, of_method).value)
    return {name: float(metric.card.losses(np.array([np.mean(set_values)]))[0]) for name, set_values in values.items()}


def _row(
    metric: Metric, predicted: tuple[float, float, float], losses: Mapping[str, float], strengths: Mapping[str, float]
) -> MetricRow:
    names = [name for name in strengths if np.isfinite(losses.get(name, np.nan))]
    by_votes, by_metric = [strengths[name] for name in names], [-losses[name] for name in names]
    srcc = kendall = float("nan")
    if len(names) > 2 and len(set(by_metric)) > 1 and len(set(by_votes)) > 1:
        srcc, kendall = float(stats.spearmanr(by_votes, by_metric)[0]), float(stats.kendalltau(by_votes, by_metric)[0])
    share, low, high = map(float, predicted)
    return MetricRow(metric.card.id, metric.card.title, share, low, high, srcc, kendall)
