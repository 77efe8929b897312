"""A part of a dataset: a set of its own, so that no table takes it for the whole."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from ...datasets.dataset import Dataset, listed
from ...datasets.errors import DatasetError
from ...datasets.names import did_you_mean

_PART = re.compile(r"(?P<whole>.+) \(\d+ of \d+ images(: .+)?\)")


def parts_of(datasets: Sequence[Dataset], patterns: Sequence[str], limit: int | None) -> tuple[Dataset, ...]:
    """Datasets with some of their images under a name that says so; those that have none of them are left out.

    Args:
        datasets: whole ones.
        patterns: names of images, with ``*`` and ``?``; empty: all.
        limit: the first so many of these, by name.

    Raises:
        DatasetError: no dataset has an image of such a name.
    """
    parts = [part for dataset in datasets if (part := part_of(dataset, patterns, limit)).samples]
    if datasets and not parts:
        names = [sample.image for dataset in datasets for sample in dataset.samples]
        raise DatasetError(
            f"no image is called {listed(patterns)}{did_you_mean(patterns[0], names)} (--images takes * and ?)"
        )
    return tuple(parts)


def part_of(dataset: Dataset, patterns: Sequence[str], limit: int | None) -> Dataset:
    """The part of one dataset; itself where that is all of it."""
    samples = dataset.samples
    if patterns:
        samples = tuple(each for each in samples if any(fnmatchcase(each.image, one) for one in patterns))
    samples = samples[:limit]
    if len(samples) == len(dataset.samples):
        return dataset
    which = f": {', '.join(patterns)}" if patterns else ""
    name = f"{dataset.name} ({len(samples)} of {len(dataset.samples)} images{which})"
    return replace(dataset, name=name, samples=samples)


def whole_of(name: str) -> str:
    """The name of the dataset that a part is of; other names are those of whole ones."""
    match = _PART.fullmatch(name)
    return name if match is None else match["whole"]
