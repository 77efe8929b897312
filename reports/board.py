"""What a report is rendered from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

PUBLISHED_COLUMNS = ["dataset", "protocol", "method", "metric", "value", "source", "disputed"]


@dataclass(frozen=True)
class Board:
    """Scores and what belongs to them."""

    title: str
    scores: pd.DataFrame
    """dataset, method, metric, protocol, value (NaN: none), ci_low, ci_high, n, direction (higher, lower, one: nearest
    to 1, none), tied (a paired test cannot tell it from the best)."""
    rules: Mapping[tuple[str, str], str]
    """How LQ was made, by protocol and dataset; ``files``: it was given."""
    untested: frozenset[tuple[str, str]]
    """Protocols and datasets with too few images to tell methods apart by a test."""
    methods: pd.DataFrame
    """method, family, parameters, steps (evaluations of a sampler), seconds (median of an image), memory (highest peak
    of an image in bytes, above the loaded model; of external programs all of it), devices, rank (mean over all columns;
    NaN: none)."""
    problems: pd.DataFrame
    """dataset, method, metric ('' for a whole image), status (failed or unavailable), message, count."""
    metrics: pd.DataFrame
    """metric, title, unit, digits, direction, note (what a reader must know); in the order of the columns."""
    provenance: Mapping[str, str]
    published: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=PUBLISHED_COLUMNS))
    """What others published for the same datasets under the same protocols: dataset, protocol, method, metric, value,
    source (key of ``sources``), disputed (another source says something else)."""
    sources: Mapping[str, str] = field(default_factory=dict)
    """Where published values are from, in words."""


@dataclass(frozen=True)
class Example:
    """One image of the gallery; pixels are uint8 ``[H, W]`` or ``[H, W, 3]``."""

    dataset: str
    image: str
    lq: NDArray[np.uint8]
    hr: NDArray[np.uint8] | None
    restored: Mapping[str, NDArray[np.uint8]]
    """By method."""
    values: Mapping[str, Mapping[str, float]]
    """Method to metric to value."""
