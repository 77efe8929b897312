"""Which trials a study has: images that all methods restored, pairs balanced over methods, and catch trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from .design import StudyDesign
from .errors import StudyError


@dataclass(frozen=True)
class Picture:
    """One image with what every method made of it, by digest."""

    dataset: str
    image: str
    lq: tuple[str, ...]
    """The forms in which methods took it: colour, or a Y plane."""
    hr: str | None
    restored: Mapping[str, str]
    """By method."""


def pictures(outputs: pd.DataFrame, methods: Sequence[str], root: object) -> list[Picture]:
    """The images that all methods restored, of seeds the first.

    Args:
        outputs: of one protocol and scale.
        methods: that are judged.
        root: of the store, for errors.

    Raises:
        StudyError: no image has an output of every method.
    """
    done = outputs[(outputs["status"] == "done") & outputs["method"].isin(methods)]
    done = done.drop_duplicates(["dataset", "image", "method"])
    found = []
    for (dataset, image), rows in done.groupby(["dataset", "image"], sort=True):
        restored = dict(zip(rows["method"], rows["sr"].astype(str), strict=True))
        if len(restored) == len(methods):
            reference = rows["reference"].iloc[0]
            hr = None if pd.isna(reference) else str(reference)
            found.append(
                Picture(str(dataset), str(image), tuple(str(digest) for digest in rows["lq"].unique()), hr, restored)
            )
    if not found:
        raise StudyError(f"{root}: has no image that all of {', '.join(methods)} restored; name fewer with --method")
    return found


def drawn(everything: Sequence[Picture], design: StudyDesign, rng: np.random.Generator, root: object) -> list[Picture]:
    """The images of a study.

    Raises:
        StudyError: the store has fewer than the design asks for.
    """
    count = len(everything) if design.images is None else design.images
    if count > len(everything):
        raise StudyError(
            f"{root}: has {len(everything)} images that all methods restored, and the design asks for {count};"
            f" set images={len(everything)} or run more"
        )
    return [everything[number] for number in sorted(rng.choice(len(everything), count, replace=False))]


def asked(
    images: Sequence[Picture], methods: Sequence[str], design: StudyDesign, rng: np.random.Generator
) -> list[tuple[Picture, tuple[str, ...]]]:
    """What is asked: an image and the methods whose outputs are shown, in random order.

    Fewer trials than all pairs on all images are drawn so that each pair of methods and each image comes as often as
    any other, or once more.
    """
    if design.kind == "best-of":
        return [(picture, _shuffled(methods, rng)) for picture in images]
    pairs = list(combinations(methods, 2))
    count = min(design.trials or len(pairs) * len(images), len(pairs) * len(images))
    free = {number: set(range(len(pairs))) for number in range(len(images))}
    used = np.zeros(len(pairs), dtype=int)
    found: list[tuple[Picture, tuple[str, ...]]] = []
    while len(found) < count:
        for number in rng.permutation(len(images)):
            if len(found) == count or not free[number]:
                continue
            choices = sorted(free[number])
            least = min(used[pair] for pair in choices)
            pair = int(rng.choice([pair for pair in choices if used[pair] == least]))
            free[number].remove(pair)
            used[pair] += 1
            found.append((images[number], _shuffled(pairs[pair], rng)))
    return found


def _shuffled(names: Sequence[str], rng: np.random.Generator) -> tuple[str, ...]:
    return tuple(names[place] for place in rng.permutation(len(names)))
