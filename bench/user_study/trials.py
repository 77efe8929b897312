"""The trials of a study: images that all methods restored, and questions that are balanced over pairs of methods."""

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
    """Digests of one image: LQ, HR and the output of every method."""

    dataset: str
    image: str
    lq: tuple[str, ...]
    """LQ in each form that methods were given: colour, or a Y plane."""
    hr: str | None
    restored: Mapping[str, str]
    """Output of each method."""


def pictures(outputs: pd.DataFrame, methods: Sequence[str], root: object) -> list[Picture]:
    """The images that all methods restored, with the outputs of the first seed.

    Args:
        outputs: rows of outputs of one protocol and scale.
        methods: names of the methods that are judged.
        root: folder of the store, for messages.

    Raises:
        StudyError: no image has an output of every method.
    """
    done = outputs[(outputs["status"] == "done") & outputs["method"].isin(methods)]
    done = done.drop_duplicates(["dataset", "image", "method"])
    complete = []
    for (dataset, image), rows in done.groupby(["dataset", "image"], sort=True):
        restored = dict(zip(rows["method"], rows["sr"].astype(str), strict=True))
        if len(restored) == len(methods):
            reference = rows["reference"].iloc[0]
            hr = None if pd.isna(reference) else str(reference)
            complete.append(
                Picture(str(dataset), str(image), tuple(str(digest) for digest in rows["lq"].unique()), hr, restored)
            )
    if not complete:
        raise StudyError(f"{root}: has no image that all of {', '.join(methods)} restored; name fewer with --method")
    return complete


def drawn(everything: Sequence[Picture], design: StudyDesign, rng: np.random.Generator, root: object) -> list[Picture]:
    """The images of a study, drawn at random.

    Args:
        everything: all images that every method restored.
        design: number of images; None: all.
        rng: generator of the draw.
        root: folder of the store, for messages.

    Raises:
        StudyError: the store has fewer images than the design asks for.
    """
    count = len(everything) if design.images is None else design.images
    if count > len(everything):
        raise StudyError(
            f"{root}: has {len(everything)} images that all methods restored, and the design asks for {count};"
            f" set images={len(everything)} or run more"
        )
    return [everything[number] for number in sorted(rng.choice(len(everything), count, replace=False))]


def questions_of(
    images: Sequence[Picture], methods: Sequence[str], design: StudyDesign, rng: np.random.Generator
) -> list[tuple[Picture, tuple[str, ...]]]:
    """The questions: an image and the methods whose outputs are shown, in random order.

    If there are fewer trials than all pairs on all images, they are drawn so that the numbers of trials of any two
    pairs of methods, and of any two images, differ by at most one.

    Args:
        images: images of the study.
        methods: names of the methods that are judged.
        design: kind of question and number of trials.
        rng: generator of the draws.
    """
    if design.kind == "best-of":
        return [(picture, _shuffled(methods, rng)) for picture in images]
    pairs = list(combinations(methods, 2))
    count = min(design.trials or len(pairs) * len(images), len(pairs) * len(images))
    free = {number: set(range(len(pairs))) for number in range(len(images))}
    used = np.zeros(len(pairs), dtype=int)
    questions: list[tuple[Picture, tuple[str, ...]]] = []
    while len(questions) < count:
        for number in rng.permutation(len(images)):
            if len(questions) == count or not free[number]:
                continue
            choices = sorted(free[number])
            least = min(used[pair] for pair in choices)
            pair = int(rng.choice([pair for pair in choices if used[pair] == least]))
            free[number].remove(pair)
            used[pair] += 1
            questions.append((images[number], _shuffled(pairs[pair], rng)))
    return questions


def _shuffled(names: Sequence[str], rng: np.random.Generator) -> tuple[str, ...]:
    return tuple(names[place] for place in rng.permutation(len(names)))
