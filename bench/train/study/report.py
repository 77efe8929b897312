"""Tables and figures of a planned study; the same scores give the same bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from ....datasets.images import write_atomically
from ....reports.planned import differences_markdown
from ....reports.tables import csv_text
from ...metrics.registry import get_metric
from .contrasts import TESTED, Difference
from .run import DIRECTIONS, Result, StudyOptions
from .spec import PRIOR, Study

_SIGNIFICANT = 0.05
_PLACES = 6
"""Decimals in tables."""
_NOT_EXPLORED = ["curve", "p_plan", "outcome", "reason"]
"""Columns of the tests of the plan alone."""


def write_report(study: Study, options: StudyOptions, result: Result) -> list[Path]:
    """Write the tests, the means of all points, the chosen settings and two figures into the folder ``report``."""
    folder = options.out / "report"
    metrics = {id: get_metric(id) for id in study.measurement.metrics}
    means = point_means(result.scores)
    files = {
        "differences.csv": csv_text(
            pd.DataFrame([asdict(difference) for difference in result.differences]).round(_PLACES)
        ),
        "explored.csv": csv_text(_explored(result).round(_PLACES)),
        "differences.md": differences_markdown(
            study.title, study.question, result.differences, {id: metric.card.digits for id, metric in metrics.items()}
        ),
        "points.csv": csv_text(means.round(_PLACES)),
        "chosen.csv": csv_text(_choice(result)),
    }
    cosines = [pd.read_csv(path) for path in sorted((options.out / DIRECTIONS).glob("*.csv"))]
    if cosines:
        groups = ["teacher", "direction", "s", "sigma"]
        table = pd.concat(cosines).groupby(groups, sort=False)["cosine"].agg(["mean", "std", "count"]).reset_index()
        files["directions.csv"] = csv_text(table.round(_PLACES))
    for name, text in files.items():
        write_atomically(folder / name, text.encode())
    return [*(folder / name for name in files), *_figures(study, folder, result, cosines)]


def _explored(result: Result) -> pd.DataFrame:
    rows = pd.DataFrame([asdict(difference) for difference in result.explored])
    return rows.drop(columns=_NOT_EXPLORED) if len(rows) else rows


def _choice(result: Result) -> pd.DataFrame:
    """Every setting with its mark, and whether it was chosen."""
    chosen_settings = set(result.chosen.values())
    return pd.DataFrame(
        [
            {
                "family": setting.family,
                "setting": setting.name,
                "standardised_difference": mark,
                "chosen": setting in chosen_settings,
            }
            for setting, mark in result.marks
        ]
    )


def point_means(scores: pd.DataFrame) -> pd.DataFrame:
    """Mean over photos and seeds of every point and metric, with the number of photos and of training seeds."""
    keys = ["dataset", "setting", "point", "steps", "evaluations", "metric"]
    groups = scores.groupby(keys, sort=False)
    table = groups.agg(
        value=("value", "mean"), photos=("image", "nunique"), training_seeds=("training_seed", "nunique")
    )
    return table.reset_index()


def summary_lines(result: Result) -> list[str]:
    """Lines for the terminal: a summary, every test that was made, and what could not be measured or trained."""
    tested = [difference for difference in result.differences if difference.outcome == TESTED]
    significant = [difference for difference in tested if difference.p_plan < _SIGNIFICANT]
    lines = [
        f"{len(result.differences)} tests of the plan, {len(tested)} made, {len(significant)} significant after the"
        " correction over the plan"
    ]
    lines += [_line(difference) for difference in tested]
    lines += [f"{id}: not measured ({reason})" for id, reason in result.unavailable.items()]
    lines += [f"not done in time, or failed: {name}" for name in result.undone]
    return lines


def _line(difference: Difference) -> str:
    star = "*" if difference.p_plan < _SIGNIFICANT else " "
    families = f"{difference.first} - {difference.second} {difference.metric}"
    interval = f"{difference.difference:+.4f} [{difference.low:+.4f}, {difference.high:+.4f}]"
    return (
        f"{star} {difference.dataset}, {difference.steps} steps, equal {difference.equal}: {families} {interval},"
        f" smallest {difference.smallest:.4f}, p {difference.p:.4f} (plan {difference.p_plan:.4f};"
        f" {difference.direction} is better)"
    )


def _figures(study: Study, folder: Path, result: Result, cosines: Sequence[pd.DataFrame]) -> list[Path]:
    """Figures of the families, from the first seed of sampling alone: all families have it, with the same noise."""
    from ....reports.figures.planned import directions_figure, families_figure
    from ....reports.figures.style import Paper

    figures = {}
    x, *ys = study.measurement.metrics
    ys = [id for id in ys if id not in result.unavailable][:2]
    contrasted = [name for contrast in study.contrasts for name in (contrast.first, contrast.second)]
    controls = [name for name, arm in study.arms.items() if not arm.betas]
    families = [name for name in dict.fromkeys([PRIOR, *controls, *contrasted]) if name in result.chosen]
    names = {result.chosen[family].name: family for family in families}
    means = point_means(result.scores[result.scores["seed"] == study.measurement.seeds[0]])
    part = means[
        means["setting"].isin(names)
        & ~means["point"].str.contains("-blend")
        & means["dataset"].isin(study.measurement.report)
    ]
    wide = part.assign(family=part["setting"].map(names)).pivot_table(
        index=["dataset", "family", "steps"], columns="metric", values="value", sort=False
    )
    if ys and {x, *ys} <= set(wide.columns):
        titles = {id: get_metric(id).card.title for id in (x, *ys)}
        sets = [name for name in study.measurement.report if name in wide.index.get_level_values("dataset")]
        figures["families"] = families_figure(wide.reset_index(), sets, families, x, ys, titles)
    if cosines:
        figures["directions"] = directions_figure(pd.concat(cosines))
    paths = []
    for name, figure in figures.items():
        for suffix in ("pdf", "png"):
            write_atomically(folder / f"{name}.{suffix}", Paper(2).render(figure, suffix))
            paths.append(folder / f"{name}.{suffix}")
    return paths
