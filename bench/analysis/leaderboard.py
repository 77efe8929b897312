"""Compute the board of a store, from which all tables and pages are rendered. Nothing is measured here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from ...datasets.card import card_ids, load_card
from ...methods.published.values import imported_tables
from ...reports.board import (
    COST_COLUMNS,
    LEFT_OUT_COLUMNS,
    METHOD_COLUMNS,
    METRIC_COLUMNS,
    PROBLEM_COLUMNS,
    SCORE_COLUMNS,
    Background,
    Board,
    RunRecord,
)
from ...reports.escaping import without_folders
from ..metrics.metric import Metric, Payload
from ..metrics.registry import metrics_of
from ..store.records import Place, StoredMethod, StoredRun
from ..store.store import Store
from .clusters import Clusters, clusters_of
from .composites import composite_contests
from .confidence_set import can_tell
from .contests import Contest, contests
from .order import datasets_in_order, in_order_of_datasets, methods_in_order, metrics_in_order
from .per_image import name_scales
from .published import with_published
from .ranks import average_ranks
from .seed_spread import seed_spreads


def load_board(store: Store, *, title: str, published: bool = False, scores: pd.DataFrame | None = None) -> Board:
    """Means over images with confidence intervals, per dataset, protocol, method and metric.

    Args:
        store: an open store.
        title: title of tables and pages.
        published: add values that others published for the same datasets and protocols, and tables that were imported
            into the store's folder.
        scores: result of ``scores_of`` for this store, if it was read before; None: it is read.
    """
    scores, outputs = scores_of(store) if scores is None else scores, outputs_of(store)
    problems = _problems(scores, outputs)
    scores, outputs = _without_missing_options(store, scores, outputs)
    methods = methods_of(store, outputs)
    known = metrics_in_order(metrics_of(scores["metric"].unique(), store.metrics()), store)
    scores, infinite = leave_out_infinite(scores)
    clusters = clusters_of(store)
    payloads = payloads_of(store, known)
    by_id = {metric.id: metric for metric in known}
    played = list(contests(scores, by_id, payloads, ceilings(methods), clusters))
    ranking = average_ranks(played)
    combined = list(composite_contests(scores, {metric.id: metric for metric in known}, ceilings(methods), clusters))
    played += combined  # after the ranks, in which the combined metrics count already
    known += {contest.metric.id: contest.metric for contest in combined}.values()
    board = Board(
        title=title,
        scores=_values(played, methods, known, datasets_in_order(scores, store), infinite),
        rules=_rules(outputs),
        untested=_untested(scores, clusters),
        clusters=_cluster_counts(scores, clusters),
        methods=methods,
        problems=problems,
        metrics=pd.DataFrame(
            [
                (card.id, card.title, card.unit, card.digits, card.direction, card.note, of_set is not None)
                for card, of_set in ((metric.card, metric.of_set) for metric in known)
            ],
            columns=METRIC_COLUMNS,
        ),
        provenance=_provenance(store),
        costs=_costs(outputs, store.methods()),
        seeds=seed_spreads(scores, by_id, payloads),
        whole=_whole(store, outputs),
        ranks=ranking.rows,
        rank_notes=ranking.notes,
        left_out=left_out(store, set(scores["dataset"])),
        background={
            name: Background(*map(without_folders, (card.summary, card.paper, card.code, card.licence)))
            for name, card in store.methods().items()
        },
    )
    return with_published(board, outputs, store.input_of, imported_tables(store.root)) if published else board


def scores_of(store: Store) -> pd.DataFrame:
    """Every cell of a store; ``dataset`` has the names that tables show, ``set`` those of the store."""
    return in_order_of_datasets(name_scales(store.scores()), store)


def outputs_of(store: Store) -> pd.DataFrame:
    """Every output of a store, with ``dataset`` and ``set`` as in ``scores_of``."""
    return in_order_of_datasets(name_scales(store.outputs()), store)


def _without_missing_options(
    store: Store, scores: pd.DataFrame, outputs: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Cells and outputs without the optional metrics and methods of which nothing was measured for lack of weights."""
    optional = {name for run in store.runs() for name in run.spec.optional}
    if not optional:
        return scores, outputs
    measured = scores[scores["status"] == "done"]
    missing = optional - set(measured["metric"]) - set(measured["method"])
    if set(scores["metric"]) <= missing or set(scores["method"]) <= missing:
        return scores, outputs
    shown = ~(scores["metric"].isin(missing) | scores["method"].isin(missing))
    return scores[shown].reset_index(drop=True), outputs[~outputs["method"].isin(missing)].reset_index(drop=True)


_VALUE = ["protocol", "dataset", "metric", "method"]


def leave_out_infinite(scores: pd.DataFrame) -> tuple[pd.DataFrame, Counter[tuple[str, ...]]]:
    """Scores without infinite values, and the number of images left out by protocol, dataset, metric and method.

    A single image that equals HR would make the mean PSNR infinite and its method the winner, whatever the other images
    are. Infinite values are treated as not measured for this method alone; a method without finite values keeps them.
    """
    infinite = scores[np.isinf(scores["value"].to_numpy())]
    if infinite.empty:
        return scores, Counter()
    per_image = [*_VALUE, "image"]
    places = pd.MultiIndex.from_frame(infinite[per_image]).unique()
    bad = pd.MultiIndex.from_frame(scores[per_image]).isin(places)  # all seeds of an image
    has_finite = (scores["value"].notna() & ~bad).groupby([scores[name] for name in _VALUE]).transform("any")
    counts: Counter[tuple[str, ...]] = Counter(tuple(place[:-1]) for place in places)
    return scores.assign(value=scores["value"].mask(bad & has_finite)), counts


def left_out(store: Store, named: Container[str]) -> pd.DataFrame:
    """Rows ``LEFT_OUT_COLUMNS`` of values that are out of date; datasets have the names that tables show.

    Args:
        store: an open store.
        named: names of datasets in tables.
    """
    rows = []
    for record in store.left_out():
        with_scale = f"{record.dataset} x{record.scale}"
        dataset = with_scale if with_scale in named else record.dataset
        rows.append((record.protocol, dataset, record.method, record.metric, record.reason, record.count, record.total))
    return pd.DataFrame(rows, columns=LEFT_OUT_COLUMNS)


def ceilings(methods: pd.DataFrame) -> set[str]:
    """HR itself, which shows the best possible value of a task and is not compared with methods."""
    return set(methods["method"][methods["family"] == "reference"])


def contests_of(
    store: Store, scores: pd.DataFrame, metrics: Sequence[Metric], ceilings: Container[str], clusters: Clusters
) -> list[Contest]:
    """The contests of a store; see ``contests``.

    Args:
        store: an open store.
        scores: rows of cells of ``scores_of``.
        metrics: metrics to compare in.
        ceilings: methods that are not compared with others, such as HR itself.
        clusters: clusters of images that are not independent samples.
    """
    by_id = {metric.id: metric for metric in metrics}
    return list(contests(scores, by_id, payloads_of(store, metrics), ceilings, clusters))


def payloads_of(store: Store, metrics: Iterable[Metric]) -> dict[str, dict[Place, Payload]]:
    """Payloads of each image, for those of the metrics that are metrics of whole sets."""
    return {metric.id: dict(store.payloads(metric.id)) for metric in metrics if metric.of_set is not None}


def _values(
    played: Iterable[Contest],
    methods: pd.DataFrame,
    metrics: Sequence[Metric],
    datasets: Sequence[str],
    infinite: Counter[tuple[str, ...]],
) -> pd.DataFrame:
    """One row per dataset, method, metric and protocol, in the order of methods, metrics and datasets."""
    rows: list[tuple[object, ...]] = []
    for contest in played:
        place, tied = (contest.protocol, contest.dataset, contest.metric.id), contest.tied
        shared = dict(zip(contest.methods, contest.values.tolist(), strict=True))
        rows += [
            (
                *place,
                entry.method,
                entry.value,
                entry.low,
                entry.high,
                entry.n,
                contest.metric.card.direction,
                shared.get(entry.method, np.nan),
                contest.images,
                entry.method in tied,
                infinite[(*place, entry.method)],
            )
            for entry in contest.entries
        ]
    frame = pd.DataFrame(rows, columns=SCORE_COLUMNS)
    ranks = {
        "method": {name: rank for rank, name in enumerate(methods["method"])},
        "metric": {metric.id: rank for rank, metric in enumerate(metrics)},
        "dataset": {name: rank for rank, name in enumerate(datasets)},
    }
    return frame.sort_values(
        ["protocol", "dataset", "method", "metric"],
        key=lambda column: column.map(ranks[str(column.name)]) if str(column.name) in ranks else column,
        kind="stable",
        ignore_index=True,
    )


def _rules(outputs: pd.DataFrame) -> dict[tuple[str, str], str]:
    """LQ rules of each protocol and dataset."""
    groups = outputs.groupby(["protocol", "dataset"], sort=False)["lq_rule"]
    return {(str(protocol), str(dataset)): ", ".join(rules.unique()) for (protocol, dataset), rules in groups}


def _whole(store: Store, outputs: pd.DataFrame) -> dict[tuple[str, str], int]:
    """Number of images of each set: by its card if a card has its name, else as many as a run planned."""
    known, planned = set(card_ids()), store.set_sizes()
    whole = {}
    for (protocol, dataset), part in outputs.groupby(["protocol", "dataset"], sort=False):
        name, scale = str(part["set"].iloc[0]), float(part["scale"].iloc[0])
        images = max(planned.get((str(protocol), scale, name), 0), int(part["image"].nunique()))
        whole[str(protocol), str(dataset)] = load_card(name).count if name in known else images
    return whole


def _untested(scores: pd.DataFrame, clusters: Clusters) -> frozenset[tuple[str, str]]:
    """Protocols and datasets with too few images, or clusters of images, for a test."""
    return frozenset(place for place, count in _units(scores, clusters) if not can_tell(count))


def _cluster_counts(scores: pd.DataFrame, clusters: Clusters) -> dict[tuple[str, str], int]:
    """Number of clusters by protocol and dataset, for datasets with clusters."""
    return dict(_units(scores[scores["set"].isin(list(clusters.rules))], clusters))


def _units(scores: pd.DataFrame, clusters: Clusters) -> Iterator[tuple[tuple[str, str], int]]:
    groups = scores[scores["status"] == "done"].groupby(["protocol", "dataset"], sort=False)
    for (protocol, dataset), part in groups:
        images = [str(name) for name in part["image"].unique()]
        yield (str(protocol), str(dataset)), clusters.count(str(part["set"].iloc[0]), images)


def methods_of(store: Store, outputs: pd.DataFrame) -> pd.DataFrame:
    """Family, parameters and steps of every method, in the order of tables."""
    cards = store.methods()
    rows = []
    for name in methods_in_order(outputs["method"].unique(), store):
        card = cards.get(name) or StoredMethod(name, weights="", identity="")
        rows.append((name, card.family, card.parameters, card.steps, without_folders(card.incomplete)))
    frame = pd.DataFrame(rows, columns=METHOD_COLUMNS)
    return frame.astype({"parameters": "Int64", "steps": "Int64"})


def _costs(outputs: pd.DataFrame, cards: Mapping[str, StoredMethod]) -> pd.DataFrame:
    """Time, memory and device of each method for each dataset and protocol, since datasets have other image sizes."""
    groups = outputs.dropna(subset=["seconds"]).groupby(["protocol", "dataset", "method"], sort=False)
    rows = []
    for place, part in groups:
        card = cards.get(str(place[-1]))
        counted = None if card is None else card.operations_on(str(part["set"].iloc[0]), float(part["scale"].iloc[0]))
        devices = ", ".join(sorted(part["device"].unique()))
        operations = (
            (np.nan, np.nan, "")
            if counted is None
            else (float(counted.macs), float(counted.activations), f"{counted.width}x{counted.height}")
        )
        rows.append((*place, part["seconds"].median(), part["memory"].max(), devices, *operations))
    return _of_one_size(pd.DataFrame(rows, columns=COST_COLUMNS))


def _of_one_size(costs: pd.DataFrame) -> pd.DataFrame:
    """Costs of which a dataset's operations are those of the LQ size at which most methods were counted."""
    known = costs[costs["lq_size"] != ""]
    sizes = known.groupby(["protocol", "dataset"], sort=False)["lq_size"].agg(lambda sizes: sizes.mode().iloc[0])
    places = zip(costs["protocol"], costs["dataset"], strict=True)
    common = pd.Series([sizes.get(place, "") for place in places], index=costs.index, dtype=object)
    same = costs["lq_size"] == common
    operations = {name: costs[name].where(same) for name in ("macs", "activations")}
    return costs.assign(**operations, lq_size=common)


def _problems(scores: pd.DataFrame, outputs: pd.DataFrame) -> pd.DataFrame:
    """Number of images without output and of cells without score, by reason."""
    *columns, count = PROBLEM_COLUMNS
    lost = outputs[outputs["status"] != "done"].assign(metric="")
    place = ["protocol", "scale", "dataset", "image", "method", "seed"]
    bad = scores[scores["status"] != "done"]
    bad = bad[~pd.MultiIndex.from_frame(bad[place]).isin(pd.MultiIndex.from_frame(lost[place]))]
    rows = pd.concat([lost[columns], bad[columns]])
    rows["message"] = rows["message"].map({text: without_folders(text) for text in rows["message"].unique()})
    return rows.groupby(columns, sort=False).size().rename(count).reset_index()


def _provenance(store: Store) -> list[RunRecord]:
    """The runs that restored or measured what is shown; the latest run if there are none."""
    restored, measured = store.work()
    runs = store.runs()
    shown_runs = [run for run in runs if run.id in restored or run.id in measured] or runs[-1:]
    return [_run_record(run, restored.get(run.id, {}), measured.get(run.id, {})) for run in shown_runs]


def _run_record(run: StoredRun, restored: dict[str, int], measured: dict[str, int]) -> RunRecord:
    provenance = run.provenance
    cores = f"{provenance.cores} cores" if provenance.cores else ""
    threads = f"threads: {provenance.threads}" if provenance.threads else ""
    return RunRecord(
        spec=without_folders(run.spec.name),
        command=without_folders(provenance.command),
        started=run.started,
        finished=run.finished or "",
        outputs=restored,
        values=measured,
        packages=dict(provenance.packages),
        surroundings={
            "code": provenance.git or "installed package",
            "python": provenance.python,
            "platform": provenance.platform,
            "device": ", ".join(filter(None, [provenance.device, cores, threads, provenance.processor])),
        },
    )
