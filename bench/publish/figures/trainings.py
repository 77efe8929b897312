"""Training curves from the ``log.csv`` of training folders."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from ....reports.figures.training import Log, training_figure
from ....reports.palette import line_styles
from ...store.images import StoreError
from .data import FigureData
from .options import TrainingOptions

_FILE = "log.csv"


def training(data: FigureData | None, options: TrainingOptions) -> Iterator[tuple[str, Figure]]:
    """One figure of all logs."""
    logs = [read_log(name, Path(path)) for name, path in options.logs.items()]
    for column in options.y:
        if not any(column in log.columns for log in logs):
            known = dict.fromkeys(name for log in logs for name in log.columns)
            raise StoreError(f"training: no log has a column '{column}' (they have: {', '.join(known)})")
    styles = line_styles([log.name for log in logs])
    yield "training", training_figure(logs, options.y, styles, options.paper, options.smooth)


def read_log(name: str, path: Path) -> Log:
    """Read a ``log.csv``, or that of a folder; empty fields are NaN.

    Raises:
        StoreError: no such file, or not a log.
    """
    file = path / _FILE if path.is_dir() else path
    try:
        with file.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        columns = {key: np.array([float(row[key] or "nan") for row in rows]) for key in (rows[0] if rows else ())}
    except (OSError, UnicodeDecodeError, ValueError, TypeError) as error:
        raise StoreError(f"{file}: cannot be read as the log of a training ({error})") from None
    if "step" not in columns:
        raise StoreError(f"{file}: is no log of a training, or it has no rows yet (no column 'step')")
    return Log(name, columns.pop("step"), columns)
