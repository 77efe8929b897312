"""Parts of datasets; each has a name of its own, so that tables do not mix it up with the whole dataset."""

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
    """The selected images of datasets, under names that say so; datasets without a selected image are left out.

    Args:
        datasets: whole datasets.
        patterns: names of images, with ``*`` and ``?``; empty: all.
        limit: number of images to keep of each dataset, by name; None: all.

    Raises:
        DatasetError: no dataset has an image with such a name.
    """
    parts = [part for dataset in datasets if (part := part_of(dataset, patterns, limit)).samples]
    if datasets and not parts:
        names = [sample.image for dataset in datasets for sample in dataset.samples]
        raise DatasetError(
            f"no image is called {listed(patterns)}{did_you_mean(patterns[0], names)} (--images takes * and ?)"
        )
    return tuple(parts)


def part_of(dataset: Dataset, patterns: Sequence[str], limit: int | None) -> Dataset:
    """The selected images of one dataset; the dataset itself if all its images are selected."""
    samples = dataset.samples
    if patterns:
        samples = tuple(sample for sample in samples if any(fnmatchcase(sample.image, pattern) for pattern in patterns))
    samples = samples[:limit]
    if len(samples) == len(dataset.samples):
        return dataset
    pattern_text = f": {', '.join(patterns)}" if patterns else ""
    name = f"{dataset.name} ({len(samples)} of {len(dataset.samples)} images{pattern_text})"
    return replace(dataset, name=name, samples=samples)


def whole_of(name: str) -> str:
    """The name of the whole dataset from the name of a part; other names are returned unchanged."""
    match = _PART.fullmatch(name)
    return name if match is None else match["whole"]
