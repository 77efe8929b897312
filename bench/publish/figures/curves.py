"""Perception-distortion curves of models over the values of a setting."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from matplotlib.figure import Figure

from ....reports.figures.curves import Curve, curves_figure
from ....reports.palette import line_styles
from .data import FigureData, Part, axis_label
from .options import CurvesOptions

_SIBLING = re.compile(r"(?P<group>.+?)[-_@ ](?P<setting>\d+(?:\.\d+)?)")


def groups(names: Sequence[str]) -> dict[str, dict[str, str]]:
    """Methods by model: ``full-8`` and ``full-14`` are ``full`` at 8 and at 14, in the order of the number.

    A name that no other name shares a model with is a model of its own, with the setting ''.
    """
    members_by_group: dict[str, dict[str, str]] = {}
    matches = {name: _SIBLING.fullmatch(name) for name in names}
    families = [match["group"] for match in matches.values() if match]
    for name, match in matches.items():
        if match and families.count(match["group"]) > 1:
            members_by_group.setdefault(match["group"], {})[match["setting"]] = name
        else:
            members_by_group[name] = {"": name}
    return {
        group: dict(sorted(members.items(), key=lambda item: float(item[0] or 0)))
        for group, members in members_by_group.items()
    }


def curves(data: FigureData, options: CurvesOptions) -> Iterator[tuple[str, Figure]]:
    """One figure for each dataset and protocol that has the metrics."""
    x, *y = (data.metric(id) for id in (options.x, *options.y))
    families = groups(data.names)
    styles = line_styles(list(families))
    for part in data.parts(options):
        drawn = list(_curves(part, [x.id, *(metric.id for metric in y)], families))
        if drawn:
            labels = axis_label(x), [axis_label(metric) for metric in y]
            figure = curves_figure(drawn, *labels, part.title, styles, options.paper)
            yield f"curves-{part.dataset}-{part.protocol}", figure


def _curves(part: Part, ids: Sequence[str], families: dict[str, dict[str, str]]) -> Iterator[Curve]:
    values = [part.values(id) for id in ids]
    complete = {name for name in part.methods if all(name in of_metric for of_metric in values)}
    for group, members in families.items():
        points = {setting: name for setting, name in members.items() if name in complete}
        if points:
            x, *y = (tuple(of_metric[name] for name in points.values()) for of_metric in values)
            yield Curve(group, tuple(points), x, tuple(y))
