"""Tables of values in cases of severity, for CSV files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

import numpy as np
import pandas as pd

from ..analysis.severity import FACTORS, CaseValues, NoRatesError, rates
from ..analysis.statistics import intervals


def cases_frame(tables: Iterable[CaseValues]) -> pd.DataFrame:
    """A row for each method and case: the mean over images with its 95 % interval."""
    rows: list[dict[str, object]] = []
    for values in tables:
        for method, table in values.methods.items():
            bounds = intervals(np.ascontiguousarray(table.T))
            for place, case in enumerate(values.cases):
                rows.append(
                    {
                        "dataset": values.dataset,
                        "protocol": values.protocol,
                        "metric": values.card.id,
                        "method": method,
                        **{factor: case.label(factor) for factor in FACTORS},
                        "value": float(table[:, place].mean()),
                        "low": bounds[place, 0],
                        "high": bounds[place, 1],
                        "images": len(values.images),
                    }
                )
    return pd.DataFrame(rows)


def rates_frame(
    tables: Iterable[CaseValues], acceptance: str, excellence: str
) -> tuple[pd.DataFrame, tuple[NoRatesError, ...]]:
    """Rates of every method except the two lines; see ``analysis.severity.rates``.

    Returns:
        A row for each metric and method, and why the other metrics have no rates.

    Raises:
        SeverityStoreError: a line is no method with all cases.
        NoRatesError: no metric has rates.
    """
    rows: list[dict[str, object]] = []
    without_rates: list[NoRatesError] = []
    for values in tables:
        try:
            method_rates = rates(values, acceptance, excellence)
        except NoRatesError as error:
            without_rates.append(error)
            continue
        place = {"dataset": values.dataset, "protocol": values.protocol, "metric": values.card.id}
        lines = {"acceptance_line": acceptance, "excellence_line": excellence, "images": len(values.images)}
        rows.extend({**place, **asdict(rate), **lines} for rate in method_rates)
    if not rows and without_rates:
        raise without_rates[0]
    return pd.DataFrame(rows), tuple(without_rates)
