"""Figures over a numeric setting of models: the step of a training's checkpoint, or the side of tiles."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from ....reports.figures.settings import Estimate, Level, SettingLine, settings_figure
from ....reports.palette import line_styles
from ...metrics.metric import Metric
from ...store.images import StoreError
from .curves import groups
from .data import FigureData, Part, axis_label
from .options import CheckpointsOptions, TilesOptions

Models = Mapping[str, Mapping[str, float]]
"""Model to its methods, each with its setting."""


def checkpoints(data: FigureData, options: CheckpointsOptions) -> Iterator[tuple[str, Figure]]:
    """One figure for each dataset and protocol; other methods are horizontal lines.

    Raises:
        StoreError: no two methods are called ``NAME-STEP``.
    """
    models: dict[str, dict[str, float]] = {
        model: {name: float(step) for step, name in members.items()}
        for model, members in groups(options.methods or data.names).items()
        if len(members) > 1
    }
    if not models:
        raise StoreError(
            f"{data.store.root}: checkpoints: no two methods are called NAME-STEP, such as mine-1000 and mine-2000;"
            " name them so in the spec, or show the values of a training's own log with the kind 'training'"
        )
    yield from _figures(data, options, models, "training step", "checkpoints")


def tiles(data: FigureData, options: TilesOptions) -> Iterator[tuple[str, Figure]]:
    """One figure for each dataset and protocol; references in specs that differ only in the tile are one model.

    Raises:
        StoreError: no two methods of one model differ in their tile.
    """
    models: dict[str, dict[str, float]] = {}
    for name in options.methods or data.names:
        reference = data.references.get(name, {})
        if (tile := _tile(reference)) is not None:
            models.setdefault(_without_tile(reference), {})[name] = tile
    named = {_common(list(members)): members for members in models.values() if len(set(members.values())) > 1}
    if not named:
        raise StoreError(
            f"{data.store.root}: tiles: no two methods of its specs are one model with different 'tile'; run it as"
            " {name: mine-64, weights: mine.pth, tile: 64} and {name: mine-128, weights: mine.pth, tile: 128}"
        )
    yield from _figures(data, options, named, "side of a tile [LQ pixels]", "tiles")


def _figures(
    data: FigureData, options: CheckpointsOptions | TilesOptions, models: Models, setting: str, stem: str
) -> Iterator[tuple[str, Figure]]:
    metrics = [data.metric(id) for id in options.y]
    inside = {name for members in models.values() for name in members}
    other_names = [name for name in data.names if name not in inside]
    styles = line_styles([*models, *other_names])
    for part in data.parts(options):
        lines = [line for model, members in models.items() if (line := _line(part, model, members, metrics))]
        if not lines:
            continue
        values = [part.values(metric.id) for metric in metrics]
        levels = [
            Level(name, tuple(of_metric.get(name, float("nan")) for of_metric in values))
            for name in other_names
            if name in part.methods
        ]
        labels = [axis_label(metric) for metric in metrics]
        figure = settings_figure(lines, levels, setting, labels, part.title, styles, options.paper)
        yield f"{stem}-{part.dataset}-{part.protocol}", figure


def _line(part: Part, model: str, members: Mapping[str, float], metrics: Sequence[Metric]) -> SettingLine | None:
    """The methods of a model that have all metrics, in the order of their setting."""
    columns = (part.scores[name] for name in ("method", "metric", "value", "ci_low", "ci_high"))
    estimate_of = {(str(row[0]), str(row[1])): Estimate(*map(float, row[2:])) for row in zip(*columns, strict=True)}
    values = [part.values(metric.id) for metric in metrics]
    names = [
        name
        for name in sorted(members, key=lambda name: members[name])
        if name in part.methods and all(name in of_metric for of_metric in values)
    ]
    if len(names) < 2:
        return None
    estimates = tuple(tuple(estimate_of[name, metric.id] for name in names) for metric in metrics)
    return SettingLine(model, tuple(members[name] for name in names), estimates)


def _tile(reference: Mapping[str, Any]) -> float | None:
    """Side of tiles in a reference of a spec, of a network or in the sampling of a model."""
    sampling = reference.get("sampling")
    tile = reference.get("tile", sampling.get("tile") if isinstance(sampling, dict) else None)
    return float(tile) if isinstance(tile, int) else None


def _without_tile(reference: Mapping[str, Any]) -> str:
    """A reference without name, tile and overlap, as text; it is the same for all tiles of one model."""
    without_tile = {key: value for key, value in reference.items() if key not in ("name", "tile", "overlap")}
    if isinstance(without_tile.get("sampling"), dict):
        without_tile["sampling"] = {
            key: value for key, value in without_tile["sampling"].items() if key not in ("tile", "overlap")
        }
    return json.dumps(without_tile, sort_keys=True, default=str)


def _common(names: Sequence[str]) -> str:
    """The common beginning of the names of a model's methods; the first name if they have none."""
    least, most = min(names), max(names)
    length = next(
        (
            at
            for at, (first_sign, second_sign) in enumerate(zip(least, most, strict=False))
            if first_sign != second_sign
        ),
        len(least),
    )
    return least[:length].rstrip("-_@ 0123456789") or names[0]
