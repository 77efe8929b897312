"""Tables of values in cases of severity, for CSV files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

import numpy as np
import pandas as pd

from ..analysis.severity import FACTORS, CaseValues, rates
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


def rates_frame(tables: Iterable[CaseValues], acceptance: str, excellence: str) -> pd.DataFrame:
    """A row for each metric and method except the two lines; see ``analysis.severity.rates``."""
    rows = [
        {
            "dataset": values.dataset,
            "protocol": values.protocol,
            "metric": values.card.id,
            **asdict(rate),
            "acceptance_line": acceptance,
            "excellence_line": excellence,
            "images": len(values.images),
        }
        for values in tables
        for rate in rates(values, acceptance, excellence)
    ]
    return pd.DataFrame(rows)
