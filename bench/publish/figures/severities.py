"""Curves over the strength of each degradation of a grid of severity."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from matplotlib.figure import Figure

from ....reports.column import ARROWS
from ....reports.figures.severity import SeverityPanel, StrengthCurve, severity_figure
from ...analysis.severity import CaseValues, SeverityStoreError, case_values, curves_over, varied
from .data import FigureData
from .options import SeverityOptions

_AXES = {"blur": "blur [px of HR]", "noise": "noise [levels]", "jpeg": "JPEG quality", "scale": "scale"}


def severity(data: FigureData, options: SeverityOptions) -> Iterator[tuple[str, Figure]]:
    """One figure for each dataset, without its cases, and protocol."""
    methods = data.with_shown_names(options).methods
    case_tables = [
        values
        for values in case_values(data.store, options.y)
        if options.protocol in (None, values.protocol) and (not options.datasets or values.dataset in options.datasets)
    ]
    for (dataset, protocol), group in groupby(case_tables, key=lambda values: (values.dataset, values.protocol)):
        metrics = list(group)
        factors = varied(metrics[0])
        if not factors:
            raise SeverityStoreError(f"{data.store.root}: {dataset}: every degradation has one strength alone")
        rows = [[_panel(values, factor, methods) for factor in factors] for values in metrics]
        title = f"{dataset}, {len(metrics[0].images)} images, {protocol}; other degradations at their mildest"
        figure = severity_figure(rows, title, data.line_styles, options.paper)
        yield f"severity-{dataset}-{protocol}", figure


def _panel(values: CaseValues, factor: str, methods: Sequence[str]) -> SeverityPanel:
    strengths, curves = curves_over(values, factor)
    order = list(methods) or [curve.method for curve in curves]
    drawn = sorted((curve for curve in curves if curve.method in order), key=lambda curve: order.index(curve.method))
    unit = f" [{values.card.unit}]" if values.card.unit else ""
    label = f"{values.card.title}{unit} {ARROWS[values.card.direction]}".rstrip()
    return SeverityPanel(
        _AXES[factor],
        label,
        strengths,
        tuple(StrengthCurve(curve.method, curve.means, curve.low, curve.high) for curve in drawn),
    )
