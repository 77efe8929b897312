"""What a report is rendered from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

METRIC_COLUMNS = ["metric", "title", "unit", "digits", "direction", "note", "of_sets"]
PROBLEM_COLUMNS = ["protocol", "dataset", "method", "metric", "status", "message", "count"]
PUBLISHED_COLUMNS = ["dataset", "protocol", "method", "metric", "value", "source", "disputed"]
METHOD_COLUMNS = ["method", "family", "parameters", "steps", "incomplete"]
SCORE_COLUMNS = [
    "protocol",
    "dataset",
    "metric",
    "method",
    "value",
    "ci_low",
    "ci_high",
    "n",
    "direction",
    "shared",
    "shared_n",
    "tied",
    "infinite",
]
COST_COLUMNS = ["protocol", "dataset", "method", "seconds", "memory", "devices", "macs", "activations", "lq_size"]
SEED_COLUMNS = ["protocol", "dataset", "method", "metric", "seeds", "std", "best"]
LEFT_OUT_COLUMNS = ["protocol", "dataset", "method", "metric", "reason", "count", "total"]
RANK_COLUMNS = ["protocol", "dataset", "method", "rank", "low", "high"]
Shown = NDArray[np.uint8] | str
"""Pixels ``[H, W]`` or ``[H, W, 3]``, or the relative address of an image file."""


@dataclass(frozen=True)
class RunRecord:
    """A run, and what it did of what a board shows. No text has a folder of the machine in it."""

    spec: str
    command: str
    started: str
    """ISO 8601, UTC."""
    finished: str
    """'' where it was stopped or still runs."""
    outputs: dict[str, int]
    """Images restored, by protocol."""
    values: dict[str, int]
    """Values measured, by protocol."""
    surroundings: dict[str, str]
    """Code, interpreter, platform and device, by their names in words."""
    packages: dict[str, str]
    """Versions that can change a pixel or a score."""
    count: int = 1
    """Runs that are told as this one."""


@dataclass(frozen=True)
class Background:
    """Where a method comes from, as its card says; '' where it does not."""

    summary: str = ""
    paper: str = ""
    code: str = ""
    licence: str = ""


@dataclass(frozen=True)
class Board:
    """Scores and what belongs to them."""

    title: str
    scores: pd.DataFrame
    """dataset, method, metric, protocol, value (NaN: none), ci_low, ci_high, n, direction (higher, lower, zero: nearest
    to 0, none); shared: the value over the ``shared_n`` images that all compared methods have, by which best ones are
    marked (NaN: too few images to be compared); tied (a test on these images cannot tell it from the best), infinite
    (images of infinite value, SR equals HR: the mean leaves them out where there are others)."""
    rules: Mapping[tuple[str, str], str]
    """How LQ was made, by protocol and dataset; ``files``: it was given."""
    untested: frozenset[tuple[str, str]]
    """Protocols and datasets with too few images to tell methods apart by a test."""
    methods: pd.DataFrame
    """method, family, parameters, steps (evaluations of a sampler), incomplete (what of its code or weights is not part
    of its identity, so that a change of it goes unnoticed; '': nothing); in the order of the rows."""
    problems: pd.DataFrame
    """protocol, dataset, method, metric ('' for a whole image), status (failed or unavailable), message, count."""
    metrics: pd.DataFrame
    """metric, title, unit, digits, direction, note (what a reader must know), of_sets (its value is one of the whole
    set, no mean over images); in the order of the columns."""
    provenance: Sequence[RunRecord]
    """The runs that made what is shown, oldest first."""
    costs: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=COST_COLUMNS))
    """What a method took on one dataset under one protocol: protocol, dataset, method, seconds (median of an image),
    memory (highest peak of an image in bytes, above the loaded model; of external programs all of it), devices; macs
    and activations of one image, NaN where they are not known, and its lq_size (WIDTHxHEIGHT, one for all methods of a
    dataset; '': nothing was counted)."""
    whole: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """Images of the whole set, by protocol and dataset: as its card says, else those that the store has outputs of."""
    clusters: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """Clusters of images, by protocol and dataset, where images are no independent samples."""
    seeds: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=SEED_COLUMNS))
    """Methods with several seeds: protocol, dataset, method, metric, seeds (how many), std (sample standard deviation
    over seeds of the set's value), best (value of the best seed)."""
    published: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=PUBLISHED_COLUMNS))
    """What others published for the same datasets under the same protocols: dataset, protocol, method, metric, value,
    source (key of ``sources``), disputed (another source says something else)."""
    sources: Mapping[str, str] = field(default_factory=dict)
    """Where published values are from, in words."""
    unpublished: tuple[str, ...] = ()
    """Why datasets have no published values though they were asked for, in words."""
    ranks: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=RANK_COLUMNS))
    """protocol, dataset ('': all together), method, rank (mean over metrics), low, high (95 % interval)."""
    rank_notes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By protocol: which metrics and methods are not in the ranks."""
    left_out: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=LEFT_OUT_COLUMNS))
    """Results that the store has and no table shows, because they are out of date: protocol, dataset, method, metric
    ('' for whole images), reason (in words, with what to do), count, total (those that the method has there)."""
    background: Mapping[str, Background] = field(default_factory=dict)
    """By method."""
    arranged: list[Any] = field(default_factory=list, init=False, repr=False, compare=False)
    """Its tables once ``grids`` arranged them: every format shows the same. A copy by ``replace`` begins with none."""


def images_text(images: int, whole: int) -> str:
    """How many images were measured, and of how many."""
    if images == whole:
        return f"{images} images"
    return f"{images} of {whole} images" if images < whole else f"{images} images, its card says {whole}"


@dataclass(frozen=True)
class Example:
    """One image of the gallery."""

    dataset: str
    image: str
    lq: Shown
    hr: Shown | None
    restored: Mapping[str, Shown]
    """By method."""
    size: tuple[int, int] | None = None
    """Width and height of HR; needed where images are addresses."""
    thumbnail: NDArray[np.uint8] | None = None
    protocol: str = ""
    spectra: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    """By method: power of SR over that of HR in dB at ``page_data.FREQUENCIES``."""
    layers: Mapping[str, Mapping[str, Image.Image | str]] = field(default_factory=dict)
    """By method and name: artifact maps that a page lays over the method's image, as ``heat.indexed`` makes them, or
    their relative addresses; none where the image has no HR, or is not among those of which a page has maps."""


@dataclass(frozen=True)
class ImageValues:
    """Values of single images of one dataset under one protocol; seeds are averaged."""

    protocol: str
    dataset: str
    images: tuple[str, ...]
    values: Mapping[str, Mapping[str, NDArray[np.float64]]]
    """Metric to method to a value for each image, NaN where there is none; sizes where 0 is best, as in tables."""
    whole: int
    """Images that have values; more than ``images`` where not all are told."""


@dataclass(frozen=True)
class Spectrum:
    """SR's power over HR's of every method on one dataset, in dB, over frequencies relative to Nyquist."""

    dataset: str
    frequencies: NDArray[np.float64]
    ratios: Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Link:
    """Another page of the same set."""

    title: str
    address: str
    current: bool = False
